#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exitlab_model::fuzzing::event(data));

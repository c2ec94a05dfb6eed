#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exitlab_agent::fuzzing::ring(data));

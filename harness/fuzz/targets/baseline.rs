#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exitlab_analysis::fuzzing::baseline(data));

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| exitlab_agent::fuzzing::qmp(data));

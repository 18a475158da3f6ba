#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| imagebuilder_exporter_fuzz::requests::requests(bytes));

//! The query of a list in the v1.0 API, with its filter patterns.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api::fuzzing::filter(bytes));

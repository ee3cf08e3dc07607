//! The filter language of the v1.0 API.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api::fuzzing::filter(bytes));

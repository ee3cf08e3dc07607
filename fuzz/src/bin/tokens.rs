//! The tokens file, which `capstan token` writes and the API reads.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| domain::fuzzing::tokens(bytes));

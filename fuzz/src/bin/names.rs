//! Ids, names, moments and durations.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| domain::fuzzing::names(bytes));

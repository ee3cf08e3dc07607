//! Messages of exceptions, whose numbers and ids are masked.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| domain::fuzzing::failure_message(bytes));

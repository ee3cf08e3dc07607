//! Progress that a command writes to its standard output.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker::fuzzing::progress(bytes));

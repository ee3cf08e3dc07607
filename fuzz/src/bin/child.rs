//! Child jobs that a command submits on its standard output.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker::fuzzing::child(bytes));

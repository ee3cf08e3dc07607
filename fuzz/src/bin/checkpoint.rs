//! Checkpoints that a command writes to its pipe.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker::fuzzing::checkpoint(bytes));

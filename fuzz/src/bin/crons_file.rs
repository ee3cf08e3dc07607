//! The crons file, in TOML, which `capstan-scheduler --crons` reads.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scheduler::fuzzing::crons_file(bytes));

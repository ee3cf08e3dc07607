//! The actions file, in TOML, which `capstan-worker --actions` reads.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker::fuzzing::actions_file(bytes));

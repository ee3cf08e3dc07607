//! Capacity maps as settings (`scan=1,cpu=2`) and JSON write them, and classes (`cpu=2+scan=1`).

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| domain::fuzzing::capacity(bytes));

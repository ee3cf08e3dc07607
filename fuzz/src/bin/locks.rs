//! The locks of a job, with names that contain parameters.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| domain::fuzzing::locks(bytes));

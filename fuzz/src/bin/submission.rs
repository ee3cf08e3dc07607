//! The body of a request that submits a job.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api::fuzzing::submission(bytes));

//! The query string of a list of jobs.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| api::fuzzing::list_query(bytes));

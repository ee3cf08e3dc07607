//! Requests for a pause, of a command and of the receiver of a webhook.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker::fuzzing::retry_after(bytes));

//! The body of a RabbitMQ message.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| broker::fuzzing::offer(bytes));

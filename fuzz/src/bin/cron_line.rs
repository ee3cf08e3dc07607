//! Schedules of crons, with a time zone and a moment after which the next firing is computed.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| domain::fuzzing::cron_line(bytes));

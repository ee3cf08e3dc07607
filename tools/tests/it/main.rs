//! The bench on a real fleet.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bench;

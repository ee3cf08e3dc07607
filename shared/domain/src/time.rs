//! Moments and durations as clients write them.

mod go_duration;
mod timestamp;

pub use go_duration::{GoDuration, InvalidDuration};
pub use timestamp::{InvalidTimestamp, Timestamp};

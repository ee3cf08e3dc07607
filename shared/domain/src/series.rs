//! Time series: how many jobs started and ended in each minute and hour, and how long they waited
//! and ran, per action and class.

mod counts;
mod histogram;
mod resolution;
mod tally;

pub use counts::{Counts, InvalidCounts};
pub use histogram::{BUCKETS, Durations};
pub use resolution::Resolution;
pub use tally::{FailedRun, SeriesName, Tally};

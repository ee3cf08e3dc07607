//! Time series and groups of failures: events counted once, in step with the cursor, and read back.

mod count;
mod failures;
mod read;
mod uncounted;

pub use count::{CountAnswer, EventCounts, FailureCount, MAX_FAILURE_GROUPS, MAX_SERIES};
pub use failures::FailureGroup;
pub use read::{SeriesFilter, SeriesPoint};
pub use uncounted::UncountedEvents;

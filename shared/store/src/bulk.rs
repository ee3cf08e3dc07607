//! Bulk operations: cancel, retry or delete all jobs that match a filter. An operation is a record
//! that any API process can run in steps, so it outlives the process that created it.

mod begin;
mod operation;
mod read;
mod save;
mod stop;
mod walk;

pub use begin::BulkBegun;
pub use operation::{BulkCursor, BulkOperation, BulkProgress, BulkSpec, BulkState, BulkVerb};
pub use save::SaveAnswer;
pub use stop::StopAnswer;
pub use walk::{BulkJob, BulkStep};

//! Jobs: submit, list, show, change, cancel, retry and delete them, and read their logs.

mod bulk_cancel;
pub(super) mod cancel;
pub(super) mod change;
pub(super) mod delete;
mod idempotency_key;
pub(super) mod job;
mod log_tail;
pub(super) mod logs;
pub(super) mod read;
pub(super) mod retry;
pub(super) mod signal;
pub(super) mod submission;
pub(super) mod submit;
pub(super) mod timeline;

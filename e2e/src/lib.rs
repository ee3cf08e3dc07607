//! What whole-system tests and benches share: the services of a test environment, the metrics of a
//! worker, and a timeline of what a fleet did. Everything else comes from `testkit`.

#![expect(clippy::panic, reason = "a panic is how a test fails")]

mod measured_worker;
mod services;
mod timeline;

pub use measured_worker::MeasuredWorker;
pub use services::{SHORT_LEASE, StartServices};
pub use timeline::{IdleTime, JobTimes, Moment, Timeline};

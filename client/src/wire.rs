//! The parts of the API's documents that clients read.
//!
//! The API defines the documents (`/api/v0/docs.json`). Fields that are not listed here are
//! ignored, and most that are may be absent.

mod bulk;
mod cron;
mod failure;
mod job;
mod limit;
mod lock;
mod optional;
mod queue;
mod status;
mod units;
mod waiting;
mod worker;

pub use bulk::{BulkOperation, BulkPreview};
pub use cron::Cron;
pub use failure::FailureGroup;
pub use job::{Exception, Job, LogLine, WaitReason};
pub use limit::Limit;
pub use lock::{Holder, Lock, Waiter};
pub use queue::{FairnessGroup, Queue};
pub use status::{Broker, Rates, Service, Status, Store, Workers};
pub use units::Units;
pub use waiting::{
    ExpectedStart, LongHeld, Timeline, TimelineStep, Verdict, Wait, Waiting, WaitingGroup,
};
pub use worker::Worker;

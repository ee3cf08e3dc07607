//! Jobs: what was asked for, what the store keeps of it, and the state machine of their statuses.

mod batch;
mod labels;
mod outcome;
mod record;
mod spec;
mod status;

pub use batch::LIST_MARGIN_BYTES;
pub use labels::{LABEL_CHARACTERS, Label, LabelError, Labels, MAX_LABELS};
pub use outcome::{Exception, Outcome};
pub use record::{AwaitedSignal, Cancellation, ClaimedJob, Job, NewJob, Passed};
pub use spec::{Backoff, DependencyCondition, JobSpec, OnWorkerLost};
pub use status::{Status, Transition, UnknownStatus};

pub use crate::names::{ActionName, FencingToken, JobId, NameError, WorkerId};
pub use crate::priority::{Priority, UnknownPriority};
pub use crate::time::{GoDuration, InvalidDuration, InvalidTimestamp, Timestamp};

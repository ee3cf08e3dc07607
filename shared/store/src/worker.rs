//! Workers: their leases, what operators ask of them, and their records.

mod command;
mod expire_lease;
mod heartbeat;
mod leave;
mod lose_runs;
mod workers;

pub use command::{CapacityChangeError, CommandAnswer, WorkerCommand};
pub use expire_lease::LeaseExpiry;
pub use heartbeat::{Heartbeat, HeartbeatReply, Interruption, Renewal};
pub use leave::LeaveAnswer;
pub(crate) use workers::LISTED;
pub use workers::{Worker, WorkerStatus};

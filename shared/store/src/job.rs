//! Jobs: what changes one, from its submission to its end, and reads of one job.

mod batch;
mod cancel;
mod change;
mod checkpoint;
mod claim;
mod delete;
mod expire_waiting;
mod finish;
mod log;
mod new_record;
mod propagate;
mod read;
mod record;
mod related;
mod retry;
mod signal;
mod start_rate;
mod submit;
mod wait_position;
mod waiting;

pub use batch::submission_steps;
pub use cancel::CancelAnswer;
pub use change::{ChangeAnswer, JobChange};
pub use claim::{ClaimAnswer, ClaimRequest, Claims};
pub use delete::DeleteAnswer;
pub use expire_waiting::ExpiredWaiting;
pub use finish::{Finish, FinishAnswer};
pub use log::{AppendAnswer, LogLine, LogSource, NewLogLine};
pub(crate) use new_record::NewRecord;
pub use related::{JobSummary, RelatedJob};
pub use retry::RetryAnswer;
pub use signal::{NewSignal, SignalAnswer, SignalTo};
pub use start_rate::StartRate;
pub use submit::{Submission, Submitted};
pub use wait_position::WaitPosition;
pub use waiting::OwnerWaiting;

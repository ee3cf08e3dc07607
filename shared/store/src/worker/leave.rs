//! A worker gives its lease back.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::WorkerId;

static LEAVE: Script = Script::new("leave", include_str!("leave.lua"));

/// What became of a worker that asked to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveAnswer {
    /// It has left: its record says shutdown.
    Left,
    /// It still runs so many jobs.
    Holds(u64),
    /// It is unknown or dead.
    Gone,
}

impl Store {
    /// Gives a worker's lease back when it runs no jobs any more.
    pub async fn leave(&self, worker: &WorkerId) -> Result<LeaveAnswer, StoreError> {
        let answer = self.call(&LEAVE, |call| {
            call.arg(worker.as_str());
        });
        answer.await?.decode(|words| match words {
            ["left"] => Some(LeaveAnswer::Left),
            ["holds", count] => Some(LeaveAnswer::Holds(count.parse().ok()?)),
            ["gone"] => Some(LeaveAnswer::Gone),
            _ => None,
        })
    }
}

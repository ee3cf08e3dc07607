//! What operators ask of a worker: drain, resume, another capacity map.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::capacity::CapacityMap;
use domain::job::WorkerId;

static COMMAND_WORKER: Script = Script::new("command_worker", include_str!("command_worker.lua"));

/// What an operator asks of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerCommand {
    /// Claim nothing until it is resumed.
    Drain,
    /// Claim again.
    Resume,
    /// Offer this capacity.
    Capacity(CapacityMap),
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandAnswer {
    /// The worker learns of it with its next heartbeat; a hint asks for that heartbeat now.
    Accepted,
    /// The worker is dead, or has left.
    Over,
    /// There is no such worker.
    Gone,
}

impl Store {
    /// Leaves a command for a worker.
    pub async fn command_worker(
        &self,
        worker: &WorkerId,
        command: &WorkerCommand,
    ) -> Result<CommandAnswer, StoreError> {
        let (field, value) = match command {
            WorkerCommand::Drain => ("drain", "1".to_owned()),
            WorkerCommand::Resume => ("drain", String::new()),
            WorkerCommand::Capacity(map) => {
                ("wantedMap", serde_json::to_string(map).unwrap_or_default())
            }
        };
        let answer = self.call(&COMMAND_WORKER, |call| {
            call.arg(worker.as_str()).arg(field).arg(value);
        });
        answer.await?.decode(|words| match words {
            ["accepted"] => Some(CommandAnswer::Accepted),
            ["over", _] => Some(CommandAnswer::Over),
            ["gone"] => Some(CommandAnswer::Gone),
            _ => None,
        })
    }
}

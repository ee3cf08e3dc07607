//! What operators ask of a worker: drain, resume, another capacity map.

use crate::bounds::CHANGE_TRIES;
use crate::error::StoreError;
use crate::json::read_json;
use crate::script::Script;
use crate::store::Store;
use domain::capacity::{CapacityError, CapacityMap};
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

/// Why a change of a worker's capacity was refused.
#[derive(Debug, thiserror::Error)]
pub enum CapacityChangeError {
    /// The new map would not be valid.
    #[error(transparent)]
    Invalid(#[from] CapacityError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Leaves a command for a worker.
    pub async fn command_worker(
        &self,
        worker: &WorkerId,
        command: &WorkerCommand,
    ) -> Result<CommandAnswer, StoreError> {
        let sent = self.send_command(worker, command, "any").await?;
        sent.ok_or_else(|| StoreError::unreadable(format!("worker {worker}"), "a false conflict"))
    }

    /// Changes some types of a worker's capacity. The others stay unchanged.
    pub async fn change_capacity(
        &self,
        worker: &WorkerId,
        changes: &CapacityMap,
    ) -> Result<CommandAnswer, CapacityChangeError> {
        for _ in 0..CHANGE_TRIES {
            let mut command = redis::cmd("HMGET");
            command.arg(self.keys.worker(worker)).arg("wantedMap").arg("capacityMap");
            let (wanted, offered): (Option<String>, Option<String>) = command
                .query_async(&mut self.connection.clone())
                .await
                .map_err(StoreError::from)?;
            let Some(current) = wanted.as_ref().or(offered.as_ref()) else {
                return Ok(CommandAnswer::Gone);
            };
            let current: CapacityMap = read_json(&format!("capacity of {worker}"), current)?;
            let command = WorkerCommand::Capacity(current.changed(changes)?);
            let seen = wanted.unwrap_or_default();
            if let Some(answer) = self.send_command(worker, &command, &seen).await? {
                return Ok(answer);
            }
        }
        let why = "its capacity changes too often to be changed";
        Err(StoreError::unreadable(format!("worker {worker}"), why).into())
    }

    /// Leaves a command if the field that it sets is as `seen`. `None` if it is not.
    async fn send_command(
        &self,
        worker: &WorkerId,
        command: &WorkerCommand,
        seen: &str,
    ) -> Result<Option<CommandAnswer>, StoreError> {
        let (field, value) = match command {
            WorkerCommand::Drain => ("drain", "1".to_owned()),
            WorkerCommand::Resume => ("drain", String::new()),
            WorkerCommand::Capacity(map) => {
                ("wantedMap", serde_json::to_string(map).unwrap_or_default())
            }
        };
        let answer = self.call(&COMMAND_WORKER, |call| {
            call.arg(worker.as_str()).arg(field).arg(value).arg(seen);
        });
        answer.await?.decode(|words| match words {
            ["accepted"] => Some(Some(CommandAnswer::Accepted)),
            ["over", _] => Some(Some(CommandAnswer::Over)),
            ["gone"] => Some(Some(CommandAnswer::Gone)),
            ["conflict"] => Some(None),
            _ => None,
        })
    }
}

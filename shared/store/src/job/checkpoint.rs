//! The checkpoint of a job: written by its run, read by the next run and by the API.

use serde_json::Value;

use super::log::AppendAnswer;
use crate::error::StoreError;
use crate::json::read_json;
use crate::script::Script;
use crate::store::Store;
use domain::job::{FencingToken, Job, JobId};

static CHECKPOINT: Script = Script::new("checkpoint", include_str!("checkpoint.lua"));

impl Store {
    /// Keeps the state from which the next run of a running job continues, as JSON. `null` removes
    /// it.
    pub async fn save_checkpoint(
        &self,
        id: JobId,
        token: FencingToken,
        checkpoint: &str,
    ) -> Result<AppendAnswer, StoreError> {
        let answer = self.call(&CHECKPOINT, |call| {
            call.arg(id.to_string()).arg(token.0).arg(checkpoint);
        });
        answer.await?.decode(|words| match words {
            ["ok"] => Some(AppendAnswer::Recorded),
            ["stale"] => Some(AppendAnswer::Stale),
            _ => None,
        })
    }

    /// The checkpoint of a job, as JSON.
    pub async fn checkpoint(&self, id: JobId) -> Result<Option<String>, StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys.checkpoint(id));
        let found = command.query_async(&mut self.connection.clone()).await;
        found.map_err(|error| StoreError::of_record(record(id), error))
    }

    /// The checkpoint of a job whose record was read; nothing is read if the record has none.
    pub async fn checkpoint_of(&self, job: &Job) -> Result<Option<Value>, StoreError> {
        if !job.has_checkpoint {
            return Ok(None);
        }
        // A follow-up may have taken it over since.
        let Some(text) = self.checkpoint(job.id).await? else { return Ok(None) };
        read_json(&record(job.id), &text).map(Some)
    }
}

fn record(id: JobId) -> String {
    format!("checkpoint of job {id}")
}

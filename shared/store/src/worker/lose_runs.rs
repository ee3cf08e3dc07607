//! Ends runs that their worker does not know any more. They exist only after Redis has lost writes.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::{FencingToken, JobId, WorkerId};

static LOSE_RUNS: Script = Script::new("lose_runs", include_str!("lose_runs.lua"));

/// How many runs one call ends, because a script blocks Redis.
const MOST_PER_CALL: usize = 100;

impl Store {
    /// Ends runs of a living worker that it does not know any more, each with the follow-up that
    /// carries it on. Returns how many were still there.
    pub async fn lose_runs(
        &self,
        worker: &WorkerId,
        runs: &[(JobId, FencingToken)],
    ) -> Result<u64, StoreError> {
        let mut ended = 0;
        for some in runs.chunks(MOST_PER_CALL) {
            let answer = self.call(&LOSE_RUNS, |call| {
                call.arg(worker.as_str());
                for (id, token) in some {
                    call.arg(id.to_string()).arg(token.0).arg(JobId::random().to_string());
                }
            });
            ended += answer.await?.decode(|words| match words {
                ["ended", count] => count.parse::<u64>().ok(),
                _ => None,
            })?;
        }
        Ok(ended)
    }
}

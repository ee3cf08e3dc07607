//! Ends the jobs of workers whose lease has ended.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::job::{JobId, WorkerId};

static EXPIRE_LEASE: Script = Script::new("expire_lease", include_str!("expire_lease.lua"));

/// How many jobs one call ends: a dead worker may have had thousands, and a script blocks Redis.
const MOST_PER_CALL: usize = 100;

/// What became of a lease that may have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseExpiry {
    /// It is good, or there is none.
    Alive,
    /// How many jobs were ended, and how many are left for the next call.
    Ended(u64, u64),
}

impl Store {
    /// Workers whose lease has ended and whose jobs have not, longest ago first.
    pub async fn ended_leases(&self) -> Result<Vec<WorkerId>, StoreError> {
        let mut connection = self.connection.clone();
        let now = self.now().await?.ms();
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.leases()).arg("-inf").arg(now).arg("BYSCORE").arg("LIMIT");
        let ids: Vec<String> = command.arg(0).arg(100).query_async(&mut connection).await?;
        let read = |id: String| {
            let id = WorkerId::try_from(id);
            self.left_out.readable(id.map_err(|error| StoreError::unreadable("leases", error)))
        };
        Ok(ids.into_iter().filter_map(read).collect())
    }

    /// Ends jobs of a worker whose lease has ended, each with the follow-up that carries it on.
    pub async fn expire_lease(&self, worker: &WorkerId) -> Result<LeaseExpiry, StoreError> {
        let answer = self.call(&EXPIRE_LEASE, |call| {
            call.arg(worker.as_str());
            for _ in 0..MOST_PER_CALL {
                call.arg(JobId::random().to_string());
            }
        });
        answer.await?.decode(|words| match words {
            ["alive"] => Some(LeaseExpiry::Alive),
            ["expired", ended, left] => {
                Some(LeaseExpiry::Ended(ended.parse().ok()?, left.parse().ok()?))
            }
            _ => None,
        })
    }
}

//! Carries out what the ends of jobs mean to other jobs.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static PROPAGATE: Script = Script::new("propagate", include_str!("propagate.lua"));

/// How many jobs one call looks at: a script blocks Redis.
const MOST_PER_CALL: u32 = 100;

impl Store {
    /// Carries out what the ends of jobs mean to their dependents, parents and children. Returns
    /// how many jobs were looked at, and how many notes are left; call again while there are some.
    pub async fn propagate(&self) -> Result<(u64, u64), StoreError> {
        let answer = self.call(&PROPAGATE, |call| {
            call.arg(MOST_PER_CALL);
        });
        answer.await?.decode(|words| match words {
            ["propagated", count, left] => Some((count.parse().ok()?, left.parse().ok()?)),
            _ => None,
        })
    }
}

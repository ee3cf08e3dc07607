//! Repairs what depends on the clock of Redis after the clock was set back.

use std::time::Duration;

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static CLAMP_TIMES: Script = Script::new("clamp_times", include_str!("clamp_times.lua"));
static CLAMP_RETRIES: Script = Script::new("clamp_retries", include_str!("clamp_retries.lua"));

/// How many instants one call looks at: a script blocks Redis.
const MOST_PER_CALL: u64 = 200;

impl Store {
    /// Corrects every instant that now lies further in the future than it ever can. Does nothing
    /// unless the clock of Redis was set back. `lease` is the length of a lease.
    pub async fn clamp_times(&self, lease: Duration) -> Result<(), StoreError> {
        let lease_ms = lease.as_millis() as u64;
        while self.clamp_some(lease_ms).await? > 0 {}
        let mut from = 0;
        loop {
            let looked = self.clamp_retries(from).await?;
            if looked == 0 {
                return Ok(());
            }
            from += looked;
        }
    }

    async fn clamp_some(&self, lease_ms: u64) -> Result<u64, StoreError> {
        let answer = self.call(&CLAMP_TIMES, |call| {
            call.arg(lease_ms).arg(MOST_PER_CALL);
        });
        answer.await?.decode(|words| match words {
            ["clamped", count] => count.parse().ok(),
            _ => None,
        })
    }

    async fn clamp_retries(&self, from: u64) -> Result<u64, StoreError> {
        let answer = self.call(&CLAMP_RETRIES, |call| {
            call.arg(from).arg(MOST_PER_CALL);
        });
        answer.await?.decode(|words| match words {
            ["looked", count] => count.parse().ok(),
            _ => None,
        })
    }
}

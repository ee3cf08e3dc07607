//! Ends jobs that were not started before they expired.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static EXPIRE_WAITING: Script = Script::new("expire_waiting", include_str!("expire_waiting.lua"));

/// How many jobs one call ends: a script blocks Redis.
const MOST_PER_CALL: u32 = 100;

impl Store {
    /// Ends jobs that were not started before they expired; returns how many. Call again while it
    /// ends some.
    pub async fn expire_waiting(&self) -> Result<u64, StoreError> {
        let answer = self.call(&EXPIRE_WAITING, |call| {
            call.arg(MOST_PER_CALL);
        });
        answer.await?.decode(|words| match words {
            ["expired", count] => count.parse().ok(),
            _ => None,
        })
    }
}

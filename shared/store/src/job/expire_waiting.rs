//! Ends jobs that were not started before they expired, and waits for signals that were not sent in
//! time.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static EXPIRE_WAITING: Script = Script::new("expire_waiting", include_str!("expire_waiting.lua"));

/// How many jobs one call ends: a script blocks Redis.
const MOST_PER_CALL: u32 = 100;

/// What a call has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiredWaiting {
    /// Jobs that were not started before they expired.
    pub expired: u64,
    /// Waits for a signal.
    pub timed_out: u64,
}

impl Store {
    /// Ends jobs that were not started before they expired, and waits for signals that were not sent
    /// in time. Call again while it ends some.
    pub async fn expire_waiting(&self) -> Result<ExpiredWaiting, StoreError> {
        let answer = self.call(&EXPIRE_WAITING, |call| {
            call.arg(MOST_PER_CALL);
        });
        answer.await?.decode(|words| match words {
            ["expired", all, timed_out] => {
                let (all, timed_out): (u64, u64) = (all.parse().ok()?, timed_out.parse().ok()?);
                Some(ExpiredWaiting { expired: all.checked_sub(timed_out)?, timed_out })
            }
            _ => None,
        })
    }
}

//! Takes a lock from its holders by hand.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::lock::LockName;

static CLEAR_LOCK: Script = Script::new("clear_lock", include_str!("clear_lock.lua"));

impl Store {
    /// Takes a lock from all jobs that hold it; returns how many these are.
    pub async fn clear_lock(&self, name: &LockName) -> Result<u64, StoreError> {
        let answer = self.call(&CLEAR_LOCK, |call| {
            call.arg(name.as_str());
        });
        answer.await?.decode(|words| match words {
            ["cleared", count] => count.parse().ok(),
            _ => None,
        })
    }
}

//! Forgets messages whose delivery has come to its end.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static FORGET_DELIVERIES: Script =
    Script::new("forget_deliveries", include_str!("forget_deliveries.lua"));

/// How many messages one call looks at.
const LOOKED_AT: u32 = 200;

impl Store {
    /// Forgets messages whose jobs are all over; returns how many. Looks at a random few of them.
    pub async fn forget_deliveries(&self) -> Result<u64, StoreError> {
        let answer = self.call(&FORGET_DELIVERIES, |call| {
            call.arg(LOOKED_AT);
        });
        answer.await?.decode(|words| match words {
            ["forgotten", count] => count.parse().ok(),
            _ => None,
        })
    }
}

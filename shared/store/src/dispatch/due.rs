//! Moves jobs whose time has come to the outbox.

use std::time::Duration;

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static DUE: Script = Script::new("due", include_str!("due.lua"));

/// How many jobs one call moves: a script blocks Redis.
const MOST_PER_CALL: u32 = 200;

/// What one call has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueMoves {
    /// How many jobs went to the outbox.
    pub moved: u64,
    /// How long until the next one; `None` when none is known.
    pub next: Option<Duration>,
}

impl Store {
    /// Moves jobs whose time has come to the outbox; call again while it moves some.
    pub async fn due(&self) -> Result<DueMoves, StoreError> {
        let answer = self.call(&DUE, |call| {
            call.arg(MOST_PER_CALL);
        });
        answer.await?.decode(|words| match words {
            ["moved", moved, next] => {
                Some(DueMoves { moved: moved.parse().ok()?, next: wait(next)? })
            }
            _ => None,
        })
    }
}

/// Reads a number of ms, -1 for none.
fn wait(word: &str) -> Option<Option<Duration>> {
    let ms: i64 = word.parse().ok()?;
    Some(u64::try_from(ms).ok().map(Duration::from_millis))
}

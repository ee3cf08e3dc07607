//! Pauses and resumes an action or a class.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::lock::LockName;

static PAUSE: Script = Script::new("pause", include_str!("pause.lua"));

impl Store {
    /// Pauses an action or a class, or resumes it.
    pub async fn pause(&self, name: &LockName, paused: bool) -> Result<(), StoreError> {
        let answer = self.call(&PAUSE, |call| {
            call.arg(name.as_str()).arg(if paused { "1" } else { "" });
        });
        answer.await?.decode(|words| match words {
            ["paused" | "resumed"] => Some(()),
            _ => None,
        })
    }
}

//! Opens a namespace: checks that its keys have the format of this build, and lets no number or
//! token be given twice after Redis has lost writes.

use std::sync::atomic::Ordering;

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;

static OPEN: Script = Script::new("open", include_str!("open.lua"));

/// The format of the keys. A build that cannot read what this one writes has another.
const FORMAT: u32 = 1;

impl Store {
    /// Opens the namespace, unless it is open and the connection has not failed since: after that
    /// another server may be on the other side.
    pub(crate) async fn ensure_open(&self) -> Result<(), StoreError> {
        let failures = self.connection.failures();
        if self.opened.load(Ordering::Acquire) == failures + 1 {
            return Ok(());
        }
        let answer = self.invoke(&OPEN, |call| {
            call.arg(FORMAT);
        });
        let found = answer.await?.decode(|words| match words {
            ["open"] => Some(None),
            ["other_format", found] => Some(Some(found.parse().ok()?)),
            _ => None,
        })?;
        if let Some(found) = found {
            return Err(StoreError::OtherFormat { found, needed: FORMAT });
        }
        self.opened.store(failures + 1, Ordering::Release);
        Ok(())
    }
}

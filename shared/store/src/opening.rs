//! Opens a namespace: checks that its keys have the format of this build, and lets no number or
//! token be given twice after Redis has lost writes.

use std::sync::atomic::Ordering;

use domain::settings::InvalidSetting;

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
        let answer = match answer.await {
            Err(StoreError::Redis(error))
                if error.code() == Some("MOVED") && self.connection.lookup().is_none() =>
            {
                let why = "it names a node of a Redis Cluster that does not hold this namespace: \
                           begin it with redis+cluster://, or rediss+cluster:// with TLS";
                return Err(InvalidSetting::new("CAPSTAN_REDIS_URL", why).into());
            }
            answer => answer?,
        };
        let found = answer.decode(|words| match words {
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

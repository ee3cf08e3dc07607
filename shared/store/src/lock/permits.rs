//! The permits of locks: how many jobs may hold one at once.

use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::lock::LockName;

static SET_PERMITS: Script = Script::new("set_permits", include_str!("set_permits.lua"));

impl Store {
    /// How many permits a lock has, `None` for no limit, and whether it is paused. `permits_of.lua`
    /// says the same to scripts.
    pub async fn permits(&self, name: &LockName) -> Result<(Option<u32>, bool), StoreError> {
        let mut parts = name.as_str().splitn(3, ':');
        let keys = match (parts.next(), parts.next(), parts.next()) {
            (Some("action"), Some(action), Some(_)) => format!("action:{action}:*"),
            _ => String::new(),
        };
        let mut pipe = redis::pipe();
        pipe.hget(self.keys.permits(), name.as_str()).hget(self.keys.permits(), keys);
        pipe.sismember(self.keys.paused(), name.as_str());
        let (own, of_keys, paused): (Option<u32>, Option<u32>, bool) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let default = if name.is_reserved() { None } else { Some(1) };
        Ok((own.or(of_keys).or(default), paused))
    }

    /// How many permits locks have that jobs may name, in the order asked.
    pub async fn permits_each(&self, names: &[LockName]) -> Result<Vec<u32>, StoreError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("HMGET");
        command.arg(self.keys.permits());
        for name in names {
            command.arg(name.as_str());
        }
        let set: Vec<Option<u32>> = command.query_async(&mut self.connection.clone()).await?;
        Ok(set.into_iter().map(|permits| permits.unwrap_or(1)).collect())
    }

    /// Sets how many permits a lock has; `None` restores the default. Returns how many it has then.
    pub async fn set_permits(
        &self,
        name: &LockName,
        permits: Option<u32>,
    ) -> Result<Option<u32>, StoreError> {
        let answer = self.call(&SET_PERMITS, |call| {
            call.arg(name.as_str());
            call.arg(permits.map(|permits| permits.to_string()).unwrap_or_default());
        });
        answer.await?.decode(|words| match words {
            ["set", ""] => Some(None),
            ["set", permits] => Some(Some(permits.parse().ok()?)),
            _ => None,
        })
    }
}

//! How much memory Redis uses, and how much it may.

use crate::error::StoreError;
use crate::store::Store;

/// The memory of Redis, all namespaces together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// The bytes that it has allocated.
    pub used_bytes: u64,
    /// Its `maxmemory`; 0 is no limit.
    pub limit_bytes: u64,
}

impl MemoryUse {
    /// True when new jobs should be refused: the last tenth is for what running and waiting jobs
    /// need until they are over.
    #[must_use]
    pub fn is_nearly_full(&self) -> bool {
        self.limit_bytes > 0 && self.used_bytes > self.limit_bytes / 10 * 9
    }
}

impl Store {
    /// Reads how much memory Redis uses.
    pub async fn memory_use(&self) -> Result<MemoryUse, StoreError> {
        let mut command = redis::cmd("INFO");
        let mut connection = self.connection.clone();
        let info: redis::InfoDict = command.arg("memory").query_async(&mut connection).await?;
        let read = |name: &str| {
            let found = info.get(name);
            found.ok_or_else(|| StoreError::unreadable("INFO memory", format!("{name} is missing")))
        };
        Ok(MemoryUse { used_bytes: read("used_memory")?, limit_bytes: read("maxmemory")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_tenth_is_kept_free_of_new_jobs() {
        let nearly_full =
            |used_bytes, limit_bytes| MemoryUse { used_bytes, limit_bytes }.is_nearly_full();
        assert!(!nearly_full(900, 1_000));
        assert!(nearly_full(901, 1_000));
        assert!(!nearly_full(901, 0), "there is no limit");
    }
}

//! How much memory Redis uses, and how much it may.

use crate::error::StoreError;
use crate::store::Store;

/// The memory of Redis, all namespaces together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// The bytes that count against its limit.
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

    /// True when Redis refuses whatever adds to what it holds.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.limit_bytes > 0 && self.used_bytes > self.limit_bytes
    }

    pub(crate) fn read(info: &redis::InfoDict) -> Result<MemoryUse, StoreError> {
        let read = |name: &str| {
            let found: Option<u64> = info.get(name);
            found.ok_or_else(|| StoreError::unreadable("INFO memory", format!("{name} is missing")))
        };
        // Redis does not count the buffers of its replicas and of its append-only file.
        let not_counted: u64 = info.get("mem_not_counted_for_evict").unwrap_or(0);
        let used_bytes = read("used_memory")?.saturating_sub(not_counted);
        Ok(MemoryUse { used_bytes, limit_bytes: read("maxmemory")? })
    }
}

impl Store {
    /// Reads how much memory Redis uses.
    pub async fn memory_use(&self) -> Result<MemoryUse, StoreError> {
        let mut command = redis::cmd("INFO");
        let mut connection = self.connection.clone();
        let info: redis::InfoDict = command.arg("memory").query_async(&mut connection).await?;
        MemoryUse::read(&info)
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
        let full = |used_bytes, limit_bytes| MemoryUse { used_bytes, limit_bytes }.is_full();
        assert_eq!([full(1_000, 1_000), full(1_001, 1_000), full(1_001, 0)], [false, true, false]);
    }
}

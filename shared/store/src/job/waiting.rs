//! What each owner has waiting.

use std::collections::{BTreeMap, HashMap};

use crate::error::StoreError;
use crate::quota::shown;
use crate::store::Store;

/// What an owner has waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerWaiting {
    /// Who submitted the jobs.
    pub owner: String,
    /// How many jobs wait.
    pub jobs: u64,
    /// The bytes of their specs.
    pub bytes: u64,
}

impl Store {
    /// What each owner has waiting, sorted by owner.
    pub async fn waiting_by_owner(&self) -> Result<Vec<OwnerWaiting>, StoreError> {
        let mut command = redis::cmd("HGETALL");
        command.arg(self.keys.waiting());
        let counts: HashMap<String, u64> =
            command.query_async(&mut self.connection.clone()).await?;
        let mut owners: BTreeMap<String, OwnerWaiting> = BTreeMap::new();
        for (field, count) in counts {
            let Some((quota, owner)) = field.split_once(':') else { continue };
            let owner = shown(owner);
            let none = OwnerWaiting { owner: owner.clone(), jobs: 0, bytes: 0 };
            let waiting = owners.entry(owner).or_insert(none);
            match quota {
                "jobs" => waiting.jobs = count,
                _ => waiting.bytes = count,
            }
        }
        Ok(owners.into_values().collect())
    }
}

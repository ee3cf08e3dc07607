//! Idempotency keys: the ids of jobs and batches are derived from them, so a repeated submission
//! names the same jobs.

use domain::access_tokens::Owner;
use domain::job::JobId;
use uuid::Uuid;

use crate::error::Error;

/// The ids that are derived from a client's key, and the request that it is used for. The ids
/// differ between namespaces, between callers, and between a job and a batch with the same key.
#[derive(Debug, Clone)]
pub(crate) struct IdempotencyKey {
    job: Uuid,
    batch: Uuid,
    request_hash: Uuid,
}

/// The namespace of the derived ids. It must never change, or repeats after an update would create
/// new jobs.
const SPACE: Uuid = Uuid::from_u128(0xc120_644d_0bcf_4bd3_9b22_e6f3_b436_7089);

impl IdempotencyKey {
    /// Derives the ids from the text of a client's key. Without tokens, there is no owner.
    pub(crate) fn new(
        namespace: &str,
        owner: Option<&Owner>,
        text: &str,
        request_hash: Uuid,
    ) -> IdempotencyKey {
        // No part contains a zero byte, so no two keys have the same encoding.
        let text = owner.map_or_else(|| text.to_owned(), |owner| format!("{owner}\0{text}"));
        let id = |kind| Uuid::new_v5(&SPACE, format!("{namespace}\0{kind}\0{text}").as_bytes());
        IdempotencyKey { job: id("job"), batch: id("batch"), request_hash }
    }

    /// Returns the hash of the request.
    pub(crate) fn request_hash(&self) -> Uuid {
        self.request_hash
    }

    /// Returns the id of a job that is submitted by itself.
    pub(crate) fn job(&self) -> Result<JobId, Error> {
        job_id(self.job)
    }

    /// Returns the id of a batch.
    pub(crate) fn batch(&self) -> Uuid {
        self.batch
    }

    /// Returns the id of the job at `index` of the batch.
    pub(crate) fn job_of_batch(&self, index: usize) -> Result<JobId, Error> {
        job_id(Uuid::new_v5(&self.batch, index.to_string().as_bytes()))
    }
}

fn job_id(id: Uuid) -> Result<JobId, Error> {
    id.to_string().parse().map_err(|_| Error::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_differ_by_namespace_owner_key_and_index() {
        let mut ids = BTreeSet::new();
        let (ann, a) = ("ann".parse().unwrap(), "a".parse().unwrap());
        let key = |namespace, owner, text| IdempotencyKey::new(namespace, owner, text, Uuid::nil());
        let keys = [
            ("a", None, "k"),
            ("a", None, "l"),
            ("b", None, "k"),
            ("ak", None, ""),
            ("a", None, "job"),
            ("a", Some(&ann), "k"),
            ("a", Some(&a), "nnk"),
        ];
        for (namespace, owner, text) in keys {
            let key = key(namespace, owner, text);
            ids.insert(key.job().unwrap().to_string());
            ids.insert(key.batch().to_string());
            ids.insert(key.job_of_batch(0).unwrap().to_string());
            ids.insert(key.job_of_batch(1).unwrap().to_string());
        }
        assert_eq!(ids.len(), 28);
        // A repeat may come after an update, so the derived ids must never change.
        let id = |owner| key("capstan", owner, "order-17").job().unwrap().to_string();
        assert_eq!(id(None), "07dc1277-5a08-5344-b311-bed1fce21555");
        assert_eq!(id(Some(&ann)), "87b1c8a4-2512-54cf-94dc-407f08ce49b9");
    }
}

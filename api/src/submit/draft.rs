//! What is asked for, before and after the defaults of its action are filled in; and the ids of what
//! is asked for under an idempotency key.

use shared::bounds;
use shared::capacity::Class;
use shared::job::{JobId, NewJob, Spec, Timestamp};
use shared::lock::LockPatterns;
use shared::store::ActionDefaults;
use uuid::Uuid;

use crate::error::{Error, within};

/// A job as the client asked for it, before what its action has by default is filled in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    /// What is asked; its `retries` are not set yet.
    pub(crate) spec: Spec,
    /// Retries, if the client said any.
    pub(crate) retries: Option<u32>,
    /// Not before this moment; `None` is now.
    pub(crate) scheduled_at: Option<Timestamp>,
    /// Its id: one that follows from the client's key, or a random one.
    pub(crate) id: JobId,
    /// Locks whose names have parameters that the client did not give: its action may.
    pub(crate) late_locks: LockPatterns,
    /// The id follows from a key, and must not be used again within a day.
    pub(crate) once: bool,
}

impl Draft {
    /// The job to submit. What the client said wins; `capacityMap` stays as it was given, the class
    /// follows the default.
    pub(crate) fn fill(mut self, defaults: &ActionDefaults) -> Result<NewJob, Error> {
        defaults.fill(&mut self.spec, self.retries);
        let parameters = self.spec.parameters.take().map(bounds::parameters).transpose();
        self.spec.parameters = within("parameters", parameters)?;
        self.lock(defaults)?;
        let need = defaults.need(self.spec.capacity_map.as_ref());
        let class = Class::of(need).map_err(|error| Error::invalid("capacityMap", error))?;
        let Draft { spec, scheduled_at, id, once, .. } = self;
        Ok(NewJob { id, class, scheduled_at, once, spec })
    }

    /// Fills in the locks that follow from all parameters.
    fn lock(&mut self, defaults: &ActionDefaults) -> Result<(), Error> {
        let late = std::mem::take(&mut self.late_locks);
        if late != LockPatterns::None {
            let locks = late.render(self.spec.parameters.as_ref());
            self.spec.locks = locks.map_err(|error| Error::invalid("locks", error))?;
        }
        let limit = defaults.limit_of_key(&self.spec);
        let limit = limit.map_err(|why| {
            let why = format!("they are no key of the action's maxRunningPer: {why}");
            Error::invalid("parameters", why)
        })?;
        if let Some(limit) = limit {
            self.spec.locks.add(limit, 1);
        }
        Ok(())
    }
}

/// Jobs to be submitted together.
#[derive(Debug, Clone)]
pub(crate) struct DraftBatch {
    /// The batch's own id, under which it may be repeated.
    pub(crate) id: Uuid,
    /// Its jobs.
    pub(crate) drafts: Vec<Draft>,
}

/// A key that makes repeated submissions the same. The same text means another key in another
/// namespace, and another one for a batch than for a job.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    job: Uuid,
    batch: Uuid,
}

/// The space of the ids that are derived here; made once at random, and never to be changed.
const SPACE: Uuid = Uuid::from_u128(0xc120_644d_0bcf_4bd3_9b22_e6f3_b436_7089);

impl Key {
    /// The key that a client of this namespace gave.
    pub(crate) fn new(namespace: &str, text: &str) -> Key {
        // A zero byte is in no part, so that no two keys are written the same.
        let id = |kind| Uuid::new_v5(&SPACE, format!("{namespace}\0{kind}\0{text}").as_bytes());
        Key { job: id("job"), batch: id("batch") }
    }

    /// The id of the one job that is submitted under it.
    pub(crate) fn job(&self) -> Result<JobId, Error> {
        job_id(self.job)
    }

    /// The id of the batch that is submitted under it.
    pub(crate) fn batch(&self) -> Uuid {
        self.batch
    }

    /// The id of one job of that batch.
    pub(crate) fn job_of_batch(&self, index: usize) -> Result<JobId, Error> {
        job_id(Uuid::new_v5(&self.batch, index.to_string().as_bytes()))
    }
}

fn job_id(id: Uuid) -> Result<JobId, Error> {
    id.to_string().parse().map_err(|_| Error::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_follow_from_namespace_key_and_place_and_are_never_the_same_for_two() {
        let mut ids = BTreeSet::new();
        for (namespace, text) in [("a", "k"), ("a", "l"), ("b", "k"), ("ak", ""), ("a", "job")] {
            let key = Key::new(namespace, text);
            ids.insert(key.job().unwrap().to_string());
            ids.insert(key.batch().to_string());
            ids.insert(key.job_of_batch(0).unwrap().to_string());
            ids.insert(key.job_of_batch(1).unwrap().to_string());
        }
        assert_eq!(ids.len(), 20);
        // Repeats may come after an update: what follows from a key must never change.
        let key = Key::new("capstan", "order-17");
        assert_eq!(key.job().unwrap().to_string(), "07dc1277-5a08-5344-b311-bed1fce21555");
    }
}

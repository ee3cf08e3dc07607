//! A submission that has been checked, before the defaults of its action are filled in.

use domain::bounds;
use domain::capacity::Class;
use domain::job::{JobId, JobSpec, NewJob, Timestamp};
use domain::lock::LockTemplates;
use store::{ActionDefaults, AllDefaults};
use uuid::Uuid;

use crate::error::{Error, at_field};

/// A job as its client requested it, without the defaults of its action.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    /// The request; its `retries` are not set yet.
    pub(crate) spec: JobSpec,
    /// The number of retries, if the client set it.
    pub(crate) retries: Option<u32>,
    /// When the job is due; `None` is now.
    pub(crate) scheduled_at: Option<Timestamp>,
    /// The id, derived from an idempotency key or random.
    pub(crate) id: JobId,
    /// Locks whose names need parameters that only the action may provide.
    pub(crate) late_locks: LockTemplates,
    /// The rate limits that the client named.
    pub(crate) rates: LockTemplates,
    /// The id is derived from a key, so it must not be used again within a day.
    pub(crate) reserve_id: bool,
    /// The hash of the request with that key, in the first job of the request.
    pub(crate) request_hash: Option<Uuid>,
}

/// Jobs to be submitted together.
#[derive(Debug, Clone)]
pub(crate) struct DraftBatch {
    /// The id of the batch, under which its submission can be repeated.
    pub(crate) id: Uuid,
    /// Its jobs.
    pub(crate) drafts: Vec<Draft>,
}

impl Draft {
    /// Fills in the defaults of the action.
    pub(super) fn into_job(self, defaults: &AllDefaults) -> Result<NewJob, Error> {
        let defaults = defaults.of(&self.spec.action)?;
        self.fill(defaults)
    }

    /// Returns the job to submit. Values of the client take precedence. The record keeps the
    /// `capacityMap` of the client; the class follows the default.
    pub(crate) fn fill(mut self, defaults: &ActionDefaults) -> Result<NewJob, Error> {
        defaults.fill(&mut self.spec, self.retries);
        let parameters = self.spec.parameters.take().map(bounds::parameters).transpose();
        self.spec.parameters = at_field("parameters", parameters)?;
        self.fill_locks(defaults)?;
        if self.spec.batch_key.is_some() {
            self.spec.begin_batch();
            // A retry takes the list as its parameters.
            let list = self.spec.parameters.take().map(bounds::parameters).transpose();
            self.spec.parameters = at_field("parameters", list)?;
        }
        let need = defaults.need(self.spec.capacity_map.as_ref());
        let class = Class::of(need).map_err(|error| Error::invalid("capacityMap", error))?;
        let Draft { spec, scheduled_at, id, reserve_id, request_hash, .. } = self;
        Ok(NewJob { id, class, scheduled_at, reserve_id, request_hash, spec })
    }

    /// Fills in the locks that depend on the complete parameters.
    fn fill_locks(&mut self, defaults: &ActionDefaults) -> Result<(), Error> {
        let late = std::mem::take(&mut self.late_locks);
        if late != LockTemplates::None {
            let locks = late.render(self.spec.parameters.as_ref());
            self.spec.locks = locks.map_err(|error| Error::invalid("locks", error))?;
        }
        let rates = std::mem::take(&mut self.rates).render_rates(self.spec.parameters.as_ref());
        self.spec.locks.extend(rates.map_err(|error| Error::invalid("rates", error))?);
        defaults.fill_rates(&mut self.spec).map_err(|why| {
            let why = format!("the rates of the action are not valid: {why}");
            Error::invalid("parameters", why)
        })?;
        let limit = defaults.limit_of_key(&self.spec);
        let limit = limit.map_err(|why| {
            let why = format!("the key of the action's maxRunningPer is not valid: {why}");
            Error::invalid("parameters", why)
        })?;
        if let Some(limit) = limit {
            self.spec.locks.add(limit, 1);
        }
        Ok(())
    }
}

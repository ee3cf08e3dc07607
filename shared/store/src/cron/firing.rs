//! A firing of a cron as scripts take it, with the job that it creates.

use std::time::Duration;

use serde::Serialize;

use crate::action::{ActionDefaults, AllDefaults};
use crate::error::StoreError;
use crate::job::NewRecord;
use domain::capacity::Class;
use domain::cron::{Cause, CronSpec, Firing};
use domain::job::{JobId, JobSpec, Timestamp};

/// How long until a held firing that cannot begin is looked at again.
pub(super) const AGAIN: Duration = Duration::from_millis(100);

/// A firing of a cron as scripts take it.
#[derive(Debug, Serialize)]
pub(super) struct FiringRecord {
    kind: &'static str,
    tick: String,
    missed: String,
    job: NewRecord,
}

impl FiringRecord {
    /// A firing whose job has this id: what the cron says, and the defaults of its action for the
    /// rest. An error when those cannot be read.
    pub(super) fn new(
        kind: &'static str,
        id: JobId,
        firing: Firing,
        (cron, defaults): (&CronSpec, &AllDefaults),
    ) -> Result<FiringRecord, StoreError> {
        let defaults = defaults.of(&cron.action)?;
        let (tick, missed) = (firing.tick.ms(), firing.missed);
        let delay_ms = match firing.cause {
            Cause::Tick => cron.delay_ms(id),
            Cause::Run => 0,
        };
        let at = Timestamp::from_ms(tick + delay_ms);
        let class = Class::of(defaults.need(cron.capacity_map.as_ref())).ok();
        let spec = spec(firing, cron, defaults);
        let job = NewRecord::new(id, &spec, class.as_ref(), Some(at));
        Ok(FiringRecord { kind, tick: tick.to_string(), missed: missed.to_string(), job })
    }
}

fn spec(firing: Firing, cron: &CronSpec, defaults: &ActionDefaults) -> JobSpec {
    let mut spec = JobSpec {
        parameters: cron.parameters.clone(),
        capacity_map: cron.capacity_map.clone(),
        deadline: cron.deadline.clone(),
        stop_timeout: cron.stop_timeout.clone(),
        priority: cron.priority,
        scheduled_by: Some(format!("cron {}", firing.cron)),
        locks: cron.locks.clone(),
        cron: Some(firing),
        ..JobSpec::of(cron.action.clone())
    };
    defaults.fill(&mut spec, cron.retries);
    // A key that cannot be made of these parameters limits nothing: no tick is lost because of it.
    let _ = defaults.fill_rates(&mut spec);
    if let Ok(Some(limit)) = defaults.limit_of_key(&spec) {
        spec.locks.add(limit, 1);
    }
    spec
}

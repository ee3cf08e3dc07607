//! Creates a job of a cron on demand.

use super::firing::FiringRecord;
use crate::bounds::CHANGE_TRIES;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::cron::{Cause, CronName, Firing};
use domain::job::{Job, JobId};

static RUN_CRON: Script = Script::new("run_cron", include_str!("run_cron.lua"));

impl Store {
    /// Creates a job of a cron now; `None` when the cron does not exist.
    pub async fn run_cron(&self, name: &CronName) -> Result<Option<Job>, StoreError> {
        let id = JobId::random();
        for _ in 0..CHANGE_TRIES {
            let Some(cron) = self.cron(name).await? else { return Ok(None) };
            let (defaults, tick) = (self.action_defaults().await?, self.now().await?);
            let firing = Firing { cron: name.clone(), tick, cause: Cause::Run, missed: 0 };
            let firing = FiringRecord::new("run", id, firing, (&cron.spec, &defaults))?;
            let answer = self.call(&RUN_CRON, |call| {
                call.arg(name.as_str()).arg(cron.revision);
                call.arg(serde_json::to_string(&firing).unwrap_or_default());
            });
            let created = answer.await?.decode(|words| match words {
                ["created"] => Some(true),
                ["conflict"] => Some(false),
                _ => None,
            })?;
            if created {
                return self.job(id).await;
            }
        }
        Err(StoreError::unreadable(format!("cron {name}"), "it changes too often to be run"))
    }
}

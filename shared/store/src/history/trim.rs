//! Removes the oldest of what is over.

use crate::error::StoreError;
use crate::history::settings::Settings;
use crate::script::Script;
use crate::store::Store;
use crate::worker::LISTED;
use domain::job::Status;

static TRIM: Script = Script::new("trim", include_str!("trim.lua"));

/// How many jobs one call removes: a script blocks Redis.
const MOST_PER_CALL: u32 = 100;

/// How far a sweep over the history has come: the number of the job that it has looked at last.
/// A scheduler that restarts begins again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sweep(u64);

/// How much one call has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Jobs that were over.
    pub jobs: u64,
    /// Workers that were gone for a day.
    pub workers: u64,
}

impl Store {
    /// Removes the oldest of what is over, and goes on with a sweep for jobs that ended long ago and
    /// were due late; call again while it removes some.
    pub async fn trim(
        &self,
        settings: &Settings,
        sweep: &mut Sweep,
    ) -> Result<Trimmed, StoreError> {
        let age = settings.job_history_max_age.duration().map(|age| age.as_millis().to_string());
        let keep = Some(settings.job_history_to_keep).filter(|keep| *keep > 0);
        let enabled = settings.job_history_compaction_enabled;
        let answer = self.call(&TRIM, |call| {
            call.arg(age.filter(|_| enabled).unwrap_or_default());
            call.arg(keep.filter(|_| enabled).map(|keep| keep.to_string()).unwrap_or_default());
            call.arg(LISTED.as_millis() as u64).arg(MOST_PER_CALL).arg(sweep.0);
            for status in Status::ALL.into_iter().filter(|status| status.is_final()) {
                call.arg(status.as_str());
            }
        });
        let (trimmed, swept) = answer.await?.decode(|words| match words {
            ["trimmed", jobs, workers, swept] => {
                let trimmed = Trimmed { jobs: jobs.parse().ok()?, workers: workers.parse().ok()? };
                Some((trimmed, Sweep(swept.parse().ok()?)))
            }
            _ => None,
        })?;
        *sweep = swept;
        Ok(trimmed)
    }
}

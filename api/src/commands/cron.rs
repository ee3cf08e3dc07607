//! Operations on a cron: run, pause, resume, and preview its ticks.

use domain::cron::CronName;
use domain::job::{Job, Timestamp};
use store::Cron;

use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;

/// Returns a cron.
pub(crate) async fn find(app: &App, name: &CronName) -> Result<Cron, Error> {
    app.store.cron(name).await?.ok_or_else(|| Error::NoSuchCron(name.to_string()))
}

/// Creates a job of a cron immediately and returns it.
pub(crate) async fn run(app: &App, caller: &Caller, name: &CronName) -> Result<Job, Error> {
    let job = app.store.run_cron(name).await?;
    let job = job.ok_or_else(|| Error::NoSuchCron(name.to_string()))?;
    app.metrics.submitted(1);
    caller.set_subject(job.id);
    Ok(job)
}

/// Pauses or resumes a cron and returns it.
pub(crate) async fn set_paused(app: &App, name: &CronName, paused: bool) -> Result<Cron, Error> {
    let cron = app.store.pause_cron(name, paused).await?;
    cron.ok_or_else(|| Error::NoSuchCron(name.to_string()))
}

/// Returns the next ticks of a cron. A pause is ignored.
pub(crate) async fn next_ticks(
    app: &App,
    cron: &Cron,
    count: usize,
) -> Result<Vec<Timestamp>, Error> {
    let first = match cron.next_run {
        Some(next) => Some(next),
        None => cron.spec.next(app.store.now().await?),
    };
    Ok(std::iter::successors(first, |tick| cron.spec.next(*tick)).take(count).collect())
}

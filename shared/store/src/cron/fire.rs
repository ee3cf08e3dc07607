//! Fires ticks of crons: makes them into jobs.

use serde::Serialize;

use super::due::DueCron;
use super::firing::{AGAIN, FiringRecord};
use crate::action::AllDefaults;
use crate::error::StoreError;
use crate::script::Script;
use crate::store::Store;
use domain::cron::{Cause, Due, Firing, Overlap, job_id};
use domain::job::Timestamp;

static FIRE: Script = Script::new("fire", include_str!("fire.lua"));

/// How many firings of a cron wait until an earlier job is over.
const MOST_HELD: u32 = 100;

/// What one call fires: a script blocks Redis. A tick counts once, and a cron that replaces its jobs
/// counts as this many, because it may stop a hundred of them.
const MOST_PER_CALL: usize = 50;

/// What became of a cron that was to be fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FireAnswer {
    /// How many jobs were created, firings held, ticks skipped.
    Fired(u64, u64, u64),
    /// Another scheduler has fired it, or it was changed.
    Conflict,
    /// A tick has not come yet, by the store's clock.
    Early,
    /// A record cannot be read, for this reason; the cron is tried again later.
    Failed(String),
}

/// What to do for a cron, as the script takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CronFirings<'a> {
    name: &'a str,
    revision: String,
    next_run: String,
    next: String,
    skipped: u64,
    newest_skipped: String,
    firings: Vec<FiringRecord>,
}

impl Store {
    /// Fires crons as decided, in small steps; the answers are in the order given.
    pub async fn fire(&self, crons: &[(DueCron, Due)]) -> Result<Vec<FireAnswer>, StoreError> {
        let defaults = self.action_defaults().await?;
        let mut answers = Vec::with_capacity(crons.len());
        for some in steps(crons) {
            answers.extend(self.fire_step(some, &defaults).await?);
        }
        Ok(answers)
    }

    async fn fire_step(
        &self,
        crons: &[(DueCron, Due)],
        defaults: &AllDefaults,
    ) -> Result<Vec<FireAnswer>, StoreError> {
        let firings: Vec<Result<CronFirings<'_>, StoreError>> =
            crons.iter().map(|(cron, due)| CronFirings::new(cron, due, defaults)).collect();
        let answer = self.call(&FIRE, |call| {
            call.arg(MOST_HELD).arg(AGAIN.as_millis() as u64);
            for firings in firings.iter().flatten() {
                call.arg(serde_json::to_string(&firings).unwrap_or_default());
            }
        });
        let answers = answer.await?.decode_each(|words| match words {
            ["fired", made, held, skipped] => Some(FireAnswer::Fired(
                made.parse().ok()?,
                held.parse().ok()?,
                skipped.parse().ok()?,
            )),
            ["conflict"] => Some(FireAnswer::Conflict),
            ["early"] => Some(FireAnswer::Early),
            ["failed", reason] => Some(FireAnswer::Failed((*reason).to_owned())),
            _ => None,
        });
        let mut answers = answers?.into_iter();
        let answer = |firings: Result<CronFirings<'_>, StoreError>| match firings {
            Ok(_) => answers.next().unwrap_or(FireAnswer::Conflict),
            Err(error) => FireAnswer::Failed(error.to_string()),
        };
        Ok(firings.into_iter().map(answer).collect())
    }
}

/// Cuts crons into the steps that fire them.
fn steps(crons: &[(DueCron, Due)]) -> Vec<&[(DueCron, Due)]> {
    let (mut steps, mut first, mut cost) = (Vec::new(), 0, 0);
    for (index, (cron, due)) in crons.iter().enumerate() {
        let own = match cron.spec.overlap {
            Overlap::Replace => MOST_PER_CALL,
            Overlap::Allow | Overlap::Skip | Overlap::Queue => due.ticks.len().max(1),
        };
        if cost + own > MOST_PER_CALL && index > first {
            steps.extend(crons.get(first..index));
            (first, cost) = (index, 0);
        }
        cost += own;
    }
    steps.extend(crons.get(first..).filter(|rest| !rest.is_empty()));
    steps
}

impl CronFirings<'_> {
    fn new<'a>(
        cron: &'a DueCron,
        due: &Due,
        defaults: &AllDefaults,
    ) -> Result<CronFirings<'a>, StoreError> {
        let moment = |at: Option<Timestamp>| at.map(|at| at.ms().to_string()).unwrap_or_default();
        let held = cron.held.iter().map(|firing| ("held", firing));
        let ticks = due.ticks.iter().map(|firing| ("tick", firing));
        let firings = held.chain(ticks).map(|(kind, (tick, missed))| {
            let (tick, missed) = (*tick, *missed);
            let firing = Firing { cron: cron.name.clone(), tick, cause: Cause::Tick, missed };
            FiringRecord::new(kind, job_id(cron.id, tick), firing, (&cron.spec, defaults))
        });
        Ok(CronFirings {
            name: cron.name.as_str(),
            revision: cron.revision.to_string(),
            next_run: moment(cron.next_run),
            next: moment(due.next),
            skipped: due.skipped.map_or(0, |(count, _)| count),
            newest_skipped: moment(due.skipped.map(|(_, tick)| tick)),
            firings: firings.collect::<Result<_, _>>()?,
        })
    }
}

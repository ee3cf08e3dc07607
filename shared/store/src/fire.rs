//! Firing: which crons are due, and their ticks made into jobs. What is to be done for each is decided in between, by
//! `cron::due`, outside of the store.

use std::collections::HashMap;
use std::time::Duration;

use redis::ScriptInvocation;
use uuid::Uuid;

use super::answer::{Answer, read, unknown};
use super::start::{MAX_QUEUES, share};
use super::{ActionDefaults, Store, StoreError};
use domain::capacity::Class;
use domain::cron::{Cause, CronName, CronSpec, Due, Firing, job_id};
use domain::job::{ActionName, JobId, JobSpec, Timestamp};

/// How many firings of a cron wait for an earlier job to be over at most.
const MOST_HELD: u32 = 100;
/// How often it is looked whether a held firing can begin.
const AGAIN: Duration = Duration::from_millis(100);

/// What the store knows to be due.
#[derive(Debug, Clone, PartialEq)]
pub struct DueCrons {
    /// The moment of the look, by the store's clock.
    pub now: Timestamp,
    /// How long until the next one; `None` when none is known.
    pub next: Option<Duration>,
    /// Those that are due.
    pub crons: Vec<DueCron>,
    /// The first of those that are due and cannot be read: another version's, perhaps. It must not keep the others.
    pub unreadable: Option<String>,
}

/// A cron that is due, as it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct DueCron {
    /// Its name.
    pub name: CronName,
    /// Its identity.
    pub id: Uuid,
    /// Which cron it was then.
    pub revision: u64,
    /// Its next tick.
    pub next_run: Option<Timestamp>,
    /// What it is to do.
    pub spec: CronSpec,
    /// The first firing that is held, its tick and how many it stands for, when its turn has come.
    pub held: Option<(Timestamp, u64)>,
}

/// What became of a cron that was to be fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fired {
    /// So many jobs were made, firings held, ticks left out.
    Fired(u64, u64, u64),
    /// Somebody else has fired it, or it was changed.
    Moved,
    /// A tick has not come yet, by the store's clock.
    Early,
}

impl Store {
    /// Crons that are due, at most `most` of them.
    pub async fn due_crons(&self, most: usize) -> Result<DueCrons, StoreError> {
        let seed = Uuid::new_v4().as_u64_pair().0 >> 32;
        let answer = self.call(&self.scripts.due_crons, |call| {
            call.arg(most).arg(seed).arg(AGAIN.as_millis() as u64);
        });
        let mut parts = answer.await?.parts()?.into_iter();
        let mut word = || parts.next().map(Answer::word).transpose().map(Option::unwrap_or_default);
        let (kind, now, wait) = (word()?, word()?, word()?);
        if kind != "due" {
            return Err(unknown("due_crons", &[kind]));
        }
        let wait: i64 = read("due_crons", &wait)?;
        let (mut crons, mut unreadable) = (Vec::new(), None);
        for part in parts {
            match due_cron(&part.words()?) {
                Ok(cron) => crons.push(cron),
                Err(error) => unreadable = unreadable.or(Some(error.to_string())),
            }
        }
        Ok(DueCrons {
            now: Timestamp::from_ms(read("due_crons", &now)?),
            next: u64::try_from(wait).ok().map(Duration::from_millis),
            crons,
            unreadable,
        })
    }

    /// Fires crons as decided; in the order given.
    pub async fn fire(&self, fired: &[(DueCron, Due)]) -> Result<Vec<Fired>, StoreError> {
        let defaults = self.action_defaults().await?;
        let answer = self.call(&self.scripts.fire, |call| {
            call.arg(MAX_QUEUES).arg(MOST_HELD).arg(AGAIN.as_millis() as u64);
            for (cron, due) in fired {
                write(call, cron, due, &defaults);
            }
        });
        let parts = answer.await?.parts()?;
        parts.into_iter().map(|part| outcome(&part.words()?)).collect()
    }
}

/// A firing as the scripts take it.
pub(super) struct FiringArguments {
    kind: &'static str,
    id: JobId,
    tick: Timestamp,
    missed: u64,
    at: Timestamp,
    /// None when the need is too long for one.
    class: Option<Class>,
    spec: JobSpec,
}

impl FiringArguments {
    pub(super) fn write(&self, call: &mut ScriptInvocation<'_>) {
        let FiringArguments { kind, id, tick, missed, at, class, spec } = self;
        call.arg(kind).arg(id.to_string()).arg(tick.ms()).arg(missed).arg(at.ms());
        call.arg(class.as_ref().map_or("", Class::as_str))
            .arg(spec.priority.as_str())
            .arg(spec.action.as_str());
        call.arg(spec.retries).arg(serde_json::to_string(spec).unwrap_or_default());
        call.arg(spec.locks.to_string()).arg(share(spec));
    }
}

/// The job of a firing: what the cron says, and what its action has by default where it says nothing.
pub(super) fn firing_of(
    name: &CronName,
    cron: &CronSpec,
    defaults: &HashMap<ActionName, ActionDefaults>,
    (id, cause, tick, missed): (JobId, Cause, Timestamp, u64),
) -> FiringArguments {
    let nothing = ActionDefaults::default();
    let defaults = defaults.get(&cron.action).unwrap_or(&nothing);
    let class = Class::of(defaults.need(cron.capacity_map.as_ref())).ok();
    let firing = Firing { cron: name.clone(), tick, cause, missed };
    let mut spec = JobSpec {
        parameters: cron.parameters.clone(),
        capacity_map: cron.capacity_map.clone(),
        deadline: cron.deadline.clone(),
        stop_timeout: cron.stop_timeout.clone(),
        priority: cron.priority,
        scheduled_by: Some(format!("cron {name}")),
        locks: cron.locks.clone(),
        cron: Some(firing),
        ..JobSpec::of(cron.action.clone())
    };
    defaults.fill(&mut spec, cron.retries);
    // A key that cannot be made of these parameters limits nothing: a tick is not lost for it.
    if let Ok(Some(limit)) = defaults.limit_of_key(&spec) {
        spec.locks.add(limit, 1);
    }
    let (kind, delay_ms) = match cause {
        Cause::Tick => ("tick", cron.delay_ms(id)),
        Cause::Run => ("run", 0),
    };
    FiringArguments {
        kind,
        id,
        tick,
        missed,
        at: Timestamp::from_ms(tick.ms() + delay_ms),
        class,
        spec,
    }
}

fn write(
    call: &mut ScriptInvocation<'_>,
    cron: &DueCron,
    due: &Due,
    defaults: &HashMap<ActionName, ActionDefaults>,
) {
    let moment = |at: Option<Timestamp>| at.map(|at| at.ms().to_string()).unwrap_or_default();
    let skipped = due.skipped.map_or(0, |(count, _)| count);
    call.arg(cron.name.as_str()).arg(cron.revision).arg(moment(cron.next_run));
    call.arg(moment(due.next)).arg(skipped).arg(moment(due.skipped.map(|(_, tick)| tick)));
    call.arg(due.ticks.len() + usize::from(cron.held.is_some()));
    let held = cron.held.iter().map(|firing| ("held", firing));
    for (kind, (tick, missed)) in held.chain(due.ticks.iter().map(|firing| ("tick", firing))) {
        let what = (job_id(cron.id, *tick), Cause::Tick, *tick, *missed);
        let firing = firing_of(&cron.name, &cron.spec, defaults, what);
        FiringArguments { kind, ..firing }.write(call);
    }
}

fn due_cron(words: &[String]) -> Result<DueCron, StoreError> {
    let [name, id, revision, next_run, spec, held] = words else {
        return Err(unknown("due_crons", words));
    };
    let number = |text: &str| read::<i64>("due_crons", text);
    let held = held.split_once(':').map(|(tick, missed)| {
        Ok::<_, StoreError>((Timestamp::from_ms(number(tick)?), read("due_crons", missed)?))
    });
    let next_run = Some(next_run).filter(|text| !text.is_empty()).map(|text| number(text));
    let wrong = |why: serde_json::Error| StoreError::Record {
        key: format!("cron {name}"),
        why: why.to_string(),
    };
    Ok(DueCron {
        name: read("due_crons", name)?,
        id: read("due_crons", id)?,
        revision: read("due_crons", revision)?,
        next_run: next_run.transpose()?.map(Timestamp::from_ms),
        spec: serde_json::from_str(spec).map_err(wrong)?,
        held: held.transpose()?,
    })
}

fn outcome(words: &[String]) -> Result<Fired, StoreError> {
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["fired", made, held, skipped] => {
            Ok(Fired::Fired(read("fire", made)?, read("fire", held)?, read("fire", skipped)?))
        }
        ["moved"] => Ok(Fired::Moved),
        ["early"] => Ok(Fired::Early),
        _ => Err(unknown("fire", words)),
    }
}

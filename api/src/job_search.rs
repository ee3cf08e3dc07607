//! Searches for jobs. Terms that are conditions of a filter become one of the store; if others
//! remain, a walk over the filtered jobs reads each job and checks them, for a bounded time.

use std::time::Duration;

use domain::failure::FAILED;
use domain::job::{Job, Status, Timestamp};
use domain::search::{Condition, Search, Term};
use store::{JobFilter, JobIdPage};
use tokio::time::Instant;

use crate::app::App;
use crate::error::Error;
use crate::redaction::shown_parameters;

/// How long a walk may take.
const WALK_LIMIT: Duration = Duration::from_secs(2);
/// How many more jobs a walk looks at when its page is full, to count those that match.
const MOST_COUNTED: usize = 5_000;

/// A search whose terms are split by how they are checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Narrowed<'a> {
    /// The terms that are conditions of a filter.
    pub(crate) filter: JobFilter,
    /// The others.
    pub(crate) terms: Vec<&'a Term>,
}

/// Finds the jobs that match a filter and a search, from the `start`-th on, at most `limit`.
pub(crate) async fn search(
    app: &App,
    filter: JobFilter,
    search: &Search,
    (start, limit): (usize, usize),
) -> Result<JobIdPage, Error> {
    let now = app.store.now().await?;
    let Some(Narrowed { filter, terms }) = narrow(filter, search, now) else {
        return Ok(JobIdPage::default());
    };
    if terms.is_empty() {
        return Ok(app.store.job_ids(&filter, start, limit).await?);
    }
    let _permit = app.scans.acquire().await.map_err(|_| Error::Internal)?;
    let mut walk = app.store.job_walk(filter).await?;
    let until = Instant::now() + WALK_LIMIT;
    let mut page = JobIdPage::default();
    let mut counted = 0;
    while let Some(jobs) = walk.next().await? {
        if page.ids.len() == limit {
            counted += jobs.len();
        }
        for job in jobs.into_iter().map(shown) {
            if !terms.iter().all(|term| term.matches(&job, now)) {
                continue;
            }
            if page.total >= start as u64 && page.ids.len() < limit {
                page.ids.push(job.id);
            }
            page.total += 1;
        }
        if counted >= MOST_COUNTED || Instant::now() > until {
            page.cut = true;
            break;
        }
    }
    Ok(page)
}

/// Removes what answers do not show, because a search must not reveal it either.
fn shown(mut job: Job) -> Job {
    job.spec.parameters = shown_parameters(&job.spec.action, job.spec.parameters.take());
    job
}

/// Adds the terms that are conditions of a filter to one; `None` if no job can match.
pub(crate) fn narrow(
    mut filter: JobFilter,
    search: &Search,
    now: Timestamp,
) -> Option<Narrowed<'_>> {
    let mut terms = Vec::new();
    for term in search.terms() {
        if term.is_excluded {
            terms.push(term);
            continue;
        }
        match &term.condition {
            Condition::Status(statuses) => {
                filter.statuses = both(&filter.statuses, statuses)?;
            }
            Condition::Action(action) => agree(&mut filter.action, action)?,
            Condition::Worker(worker) => agree(&mut filter.worker, worker)?,
            Condition::Parent(parent) => agree(&mut filter.parent, parent)?,
            Condition::Since(time) => filter.since = filter.since.max(Some(time.resolve(now))),
            Condition::Until(time) => {
                let until = time.resolve(now);
                filter.until = Some(filter.until.map_or(until, |other| other.min(until)));
            }
            Condition::Cron(cron) => agree(&mut filter.cron, cron)?,
            Condition::By(owner) => agree(&mut filter.scheduled_by, owner)?,
            Condition::FairnessKey(key) => agree(&mut filter.fairness_key, key)?,
            Condition::Label(label) => filter.labels.push(label.clone()),
            Condition::Fingerprint(fingerprint) => {
                agree(&mut filter.fingerprint, fingerprint)?;
                filter.statuses = both(&filter.statuses, &FAILED)?;
            }
            Condition::UniqueKey(_)
            | Condition::Priority(_)
            | Condition::Lock(_)
            | Condition::Ticket(_)
            | Condition::Parameter(..)
            | Condition::Text(_) => terms.push(term),
        }
    }
    Some(Narrowed { filter, terms })
}

/// Returns the statuses in both lists, of which the first selects all if it is empty; `None` if
/// there are none.
fn both(selected: &[Status], named: &[Status]) -> Option<Vec<Status>> {
    let is_in_both = |status: &Status| {
        named.contains(status) && (selected.is_empty() || selected.contains(status))
    };
    let statuses: Vec<Status> = Status::ALL.into_iter().filter(is_in_both).collect();
    (!statuses.is_empty()).then_some(statuses)
}

/// Sets a condition; `None` if it has another value already.
fn agree<T: PartialEq + Clone>(condition: &mut Option<T>, value: &T) -> Option<()> {
    let agrees = condition.as_ref().is_none_or(|other| other == value);
    *condition = Some(value.clone());
    agrees.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_become_conditions_of_a_filter() {
        let now = Timestamp::from_ms(1_800_000_000_000);
        let given = JobFilter {
            statuses: vec![Status::Done, Status::Error],
            action: Some("gc".parse().unwrap()),
            since: Some(Timestamp::from_ms(now.ms() - 1000)),
            ..JobFilter::default()
        };
        let narrowed = |text: &str| {
            let search: Search = text.parse().unwrap();
            let Narrowed { filter, terms } = narrow(given.clone(), &search, now)?;
            let rest: Vec<String> = terms.iter().map(ToString::to_string).collect();
            Some((filter, rest.join(" ")))
        };
        let (filter, rest) = narrowed("").unwrap();
        assert_eq!((filter, rest.as_str()), (given.clone(), ""));
        let (filter, rest) = narrowed("status:error,cancel since:1h refused -action:x").unwrap();
        assert_eq!(filter, JobFilter { statuses: vec![Status::Error], ..given.clone() });
        assert_eq!(rest, "text:refused -action:x");
        let (filter, _) = narrowed("action:gc since:500ms until:100ms").unwrap();
        assert_eq!(filter.since.unwrap().ms(), now.ms() - 500);
        assert_eq!(filter.until.unwrap().ms(), now.ms() - 100);
        let (filter, rest) = narrowed("label:a:b cron:c by:d key:e -by:f").unwrap();
        assert_eq!((filter.labels.len(), rest.as_str()), (1, "-by:f"));
        assert_eq!(filter.cron, Some("c".parse().unwrap()));
        assert_eq!(filter.scheduled_by.as_deref(), Some("d"));
        assert_eq!(filter.fairness_key.as_deref(), Some("e"));
        for text in ["status:cancel", "action:other", "refused action:other"] {
            assert_eq!(narrowed(text), None, "{text}");
        }
    }
}

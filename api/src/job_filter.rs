//! The queries of job lists and of bulk operations, parsed into a filter of the store.

mod bulk;

use domain::failure::FAILED;
use domain::job::Status;
use domain::search::Search;
use store::{JobFilter, JobIdPage};

use crate::app::App;
use crate::error::Error;
use crate::job_search::search;
use crate::query::Query;

pub(crate) use bulk::{bulk_filter, cancel_filter, considered};

const LIST_PARAMETERS: [&str; 16] = [
    "q",
    "action",
    "worker",
    "running",
    "start",
    "limit",
    "status",
    "since",
    "until",
    "parent",
    "label",
    "cron",
    "scheduledBy",
    "fairnessKey",
    "sort",
    "fingerprint",
];

/// A page of a list, as its query selects it.
#[derive(Debug)]
pub(crate) struct ListQuery {
    /// The jobs; `None` if no job can match.
    pub(crate) filter: Option<JobFilter>,
    /// A search that the jobs must match, too.
    pub(crate) search: Search,
    /// True for the order of submission, the newest first.
    pub(crate) is_by_submission: bool,
    /// The offset of the first job.
    pub(crate) start: usize,
    /// The largest number of jobs.
    pub(crate) limit: usize,
}

impl ListQuery {
    /// Finds the jobs of the page.
    pub(crate) async fn find(self, app: &App) -> Result<JobIdPage, Error> {
        let ListQuery { filter, search: terms, is_by_submission, start, limit } = self;
        let Some(filter) = filter else { return Ok(JobIdPage::default()) };
        if !terms.terms().is_empty() {
            return search(app, filter, &terms, (start, limit)).await;
        }
        if is_by_submission {
            return Ok(app.store.newest_job_ids(&filter, start, limit).await?);
        }
        Ok(app.store.job_ids(&filter, start, limit).await?)
    }
}

/// Parses the query of a list; `limits` are the default and the largest number of jobs in a page.
pub(crate) fn list_query(raw: Option<&str>, limits: (u32, u32)) -> Result<ListQuery, Error> {
    let query = Query::read(raw, &LIST_PARAMETERS)?;
    let statuses = statuses(&query)?;
    let none_can_match = statuses.as_ref().is_some_and(Vec::is_empty);
    let mut filter = filter(&query, statuses.unwrap_or_default())?;
    let search: Search = query.value("q")?.unwrap_or_default();
    let is_by_submission = query.text("sort") == Some("-createdAt");
    if is_by_submission && !search.terms().is_empty() {
        let reason = "-createdAt cannot be combined with q; use scheduledAt or -scheduledAt";
        return Err(Error::invalid("sort", reason));
    }
    filter.soonest_first = match query.text("sort") {
        None | Some("-scheduledAt" | "-createdAt") => false,
        Some("scheduledAt") => true,
        Some(_) => {
            let reason = "it must be scheduledAt, -scheduledAt or -createdAt";
            return Err(Error::invalid("sort", reason));
        }
    };
    let (start, limit) = query.page(limits.0, limits.1)?;
    let filter = (!none_can_match).then_some(filter);
    Ok(ListQuery { filter, search, is_by_submission, start, limit })
}

fn filter(query: &Query, statuses: Vec<Status>) -> Result<JobFilter, Error> {
    Ok(JobFilter {
        action: query.value_unless_any("action")?,
        worker: query.value_unless_any("worker")?,
        parent: query.value("parent")?,
        labels: query.values("label")?,
        cron: query.value("cron")?,
        scheduled_by: query.text("scheduledBy").map(str::to_owned),
        fairness_key: query.text("fairnessKey").map(str::to_owned),
        fingerprint: query.value("fingerprint")?,
        statuses,
        since: query.value("since")?,
        until: query.value("until")?,
        ..JobFilter::default()
    })
}

/// Returns the statuses that `running`, `status` and `fingerprint` together select; `None` if none
/// of them is given.
fn statuses(query: &Query) -> Result<Option<Vec<Status>>, Error> {
    let running =
        if query.text("running") == Some("any") { None } else { query.switch("running")? };
    let named = query.text("status").map(|list| list.split(',').map(str::parse).collect());
    let named: Option<Vec<Status>> = named
        .transpose()
        .map_err(|error: domain::job::UnknownStatus| Error::invalid("status", error))?;
    let has_failed = query.text("fingerprint").is_some();
    if running.is_none() && named.is_none() && !has_failed {
        return Ok(None);
    }
    let selected = |status: &Status| {
        running.is_none_or(|running| status.is_running() == running)
            && (!has_failed || FAILED.contains(status))
            && named.as_ref().map_or(*status != Status::Deleted, |named| named.contains(status))
    };
    Ok(Some(Status::ALL.into_iter().filter(selected).collect()))
}

#[cfg(test)]
mod tests;

//! GET /jobs: what an index serves is read from it, everything else is a walk.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State as Of};
use axum::http::{HeaderMap, HeaderValue, Uri};
use domain::job::{self, ActionName};
use store::{JobIndex, Store, StoreError};

use super::envelope::{Jobs, Success};
use super::filter::{Column, Condition, JobQuery, Number, Text, Time, parse_query};
use super::job::Job;
use super::link;
use super::refusal::Refusal;
use super::scan::{Found, SORTED_JOBS, scan};
use crate::app::App;
use crate::deadline::in_time;
use crate::error::Error;

const BY_ID: Column = Column::Number(Number::Id);
const BY_TIME: Column = Column::Time(Time::Scheduled);

/// Lists jobs.
pub(super) async fn list(
    Of(app): Of<Arc<App>>,
    uri: Uri,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<(HeaderMap, Json<Success<Jobs>>), Refusal> {
    let wanted = parse_query(raw.as_deref());
    let wanted = wanted.map_err(|why| Refusal::bad(format!("Unable to filter jobs: {why}")))?;
    let (found, order) = in_time(find(&app, &wanted)).await?;
    // As the reference counts: a page without jobs has none in all.
    let total = if found.jobs.is_empty() { 0 } else { found.total };
    let mut answer = HeaderMap::new();
    answer.insert("x-total-count", total.into());
    if found.cut {
        answer.insert("x-result-truncated", HeaderValue::from_static("true"));
    }
    if let Some(order) = order {
        answer.insert("x-result-order", HeaderValue::from_static(order));
    }
    let link = link::link(&link::base(&uri, &headers), &wanted, total);
    if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        answer.insert("link", link);
    }
    let jobs = show_jobs(&app.store, found.jobs, &wanted.omitted_tasks).await?;
    Ok((answer, Json(Success::jobs(jobs))))
}

/// Jobs as they are shown.
pub(super) async fn show_jobs(
    store: &Store,
    jobs: Vec<job::Job>,
    omitted_tasks: &[usize],
) -> Result<Vec<Job>, StoreError> {
    let ids: Vec<_> = jobs.iter().map(|job| job.id).collect();
    let next = store.next_numbers(&ids).await?;
    let show = |job: job::Job| {
        let next = next.get(&job.id).copied();
        Job::new(job, next, omitted_tasks)
    };
    Ok(jobs.into_iter().map(show).collect())
}

/// The page, and the order that it is in if that is not the one that was asked for.
async fn find(app: &App, wanted: &JobQuery) -> Result<(Found, Option<&'static str>), Error> {
    let by_number = wanted.sort == BY_ID && wanted.conditions.is_empty();
    let served = if by_number { Some(JobIndex::Number) } else { served(wanted) };
    if let Some(index) = served {
        let sorted = by_number || wanted.sort == BY_TIME;
        if sorted || app.store.count(&index).await? > SORTED_JOBS {
            let start = (wanted.page - 1).saturating_mul(wanted.per_page);
            let part = (start, wanted.per_page);
            let (jobs, total) = app.store.page(&index, wanted.descending, part).await?;
            let order = (!sorted).then_some("scheduled_time");
            return Ok((Found { jobs, total, cut: false }, order));
        }
    }
    Ok((scan(app, wanted).await?, None))
}

/// The index that has what is wanted, and nothing else, in the order of `scheduled_time`.
fn served(wanted: &JobQuery) -> Option<JobIndex> {
    if wanted.sort != BY_ID && wanted.sort != BY_TIME {
        return None;
    }
    match &wanted.conditions[..] {
        [] => Some(JobIndex::Due),
        [Condition::State(state)] => Some(JobIndex::Statuses(state.statuses())),
        [Condition::Is(Text::FunctionName, name)] => {
            name.parse::<ActionName>().ok().map(JobIndex::Action)
        }
        _ => None,
    }
}

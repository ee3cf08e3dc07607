//! GET /jobs: reads a page from an index if one has the requested jobs, and scans jobs otherwise.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use domain::job::{self, ActionName};
use store::{JobIndex, Store, StoreError};

use super::filter::{Column, Condition, JobQuery, Number, Text, Time, parse_query};
use super::job::Job;
use super::link;
use super::refusal::Refusal;
use super::scan::{Found, SORTED_JOBS, scan};
use crate::app::App;
use crate::deadline::in_time;
use crate::error::Error;
use crate::job_list::{self, Frame, Show, array};

const BY_ID: Column = Column::Number(Number::Id);
const BY_TIME: Column = Column::Time(Time::Scheduled);

/// The body of a list, as [`Success::jobs`](super::envelope::Success) writes it.
const JOBS: Frame = Frame { open: r#"{"status":"success","data":{"jobs":["#, close: "]}}" };

/// Lists jobs.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    uri: Uri,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = parse_query(raw.as_deref());
    let query = query.map_err(|why| Refusal::bad(format!("Unable to filter jobs: {why}")))?;
    let (found, order) = in_time(find(&app, &query)).await?;
    // As in the reference, the total of an empty page is 0.
    let total = if found.ids.is_empty() { 0 } else { found.total };
    let mut answer = HeaderMap::new();
    answer.insert("x-total-count", total.into());
    if found.is_truncated {
        answer.insert("x-result-truncated", HeaderValue::from_static("true"));
    }
    if let Some(order) = order {
        answer.insert("x-result-order", HeaderValue::from_static(order));
    }
    let link = link::link(&link::base(&uri, &headers), &query, total);
    if let Some(link) = link.and_then(|link| HeaderValue::try_from(link).ok()) {
        answer.insert("link", link);
    }
    let (store, omitted_tasks) = (app.store.clone(), query.omitted_tasks);
    let show: Show = Box::new(move |jobs| {
        let (store, omitted_tasks) = (store.clone(), omitted_tasks.clone());
        Box::pin(async move { array(&show_jobs(&store, jobs, &omitted_tasks).await?) })
    });
    let mut response = job_list::answer(app.store.clone(), found.ids, JOBS, show).await?;
    response.headers_mut().extend(answer);
    Ok(response)
}

/// Converts jobs to the JSON of this surface.
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

/// Returns the page, and its order if that differs from the requested one.
async fn find(app: &App, query: &JobQuery) -> Result<(Found, Option<&'static str>), Error> {
    let by_number = query.sort == BY_ID && query.conditions.is_empty();
    let index = if by_number { Some(JobIndex::Number) } else { matching_index(query) };
    if let Some(index) = index {
        let sorted = by_number || query.sort == BY_TIME;
        if sorted || app.store.count(&index).await? > SORTED_JOBS {
            let start = (query.page - 1).saturating_mul(query.per_page);
            let range = (start, query.per_page);
            let (ids, total) = app.store.page_ids(&index, query.descending, range).await?;
            let order = (!sorted).then_some("scheduled_time");
            return Ok((Found { ids, total, is_truncated: false }, order));
        }
    }
    Ok((scan(app, query).await?, None))
}

/// Returns the index, ordered by `scheduled_time`, that contains exactly the jobs of the query.
fn matching_index(query: &JobQuery) -> Option<JobIndex> {
    if query.sort != BY_ID && query.sort != BY_TIME {
        return None;
    }
    match &query.conditions[..] {
        [] => Some(JobIndex::Due),
        [Condition::State(state)] => Some(JobIndex::Statuses(state.statuses())),
        [Condition::Is(Text::FunctionName, name)] => {
            name.parse::<ActionName>().ok().map(JobIndex::Action)
        }
        _ => None,
    }
}

//! `/jobs`: a page of the list of jobs. Its URL is the filter.

mod facets;
mod row;
mod search_form;

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::Status;
use store::JobIdPage;

use super::format::{count, number, shell_quoted, status_words};
use super::layout::{Layout, Section, html};
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::http_error;
use crate::job_filter::{ListQuery, list_query};
use crate::wait_reason::wait_reasons;
use facets::{Facet, KeyHint, facets, keys};
use search_form::{Chip, SearchForm};

pub(super) use row::{Row, run_time};
pub(super) use search_form::written;

/// The default and the largest number of jobs in a page.
const LIMITS: (u32, u32) = (50, 200);
/// Among how many jobs, the first of the list, the numbers of values are counted.
const SAMPLE: usize = 200;

#[derive(Template)]
#[template(path = "jobs.html")]
struct JobsPage {
    layout: Layout,
    form: SearchForm,
    chips: Vec<Chip>,
    tabs: Vec<Tab>,
    keys: Vec<KeyHint>,
    error: Option<String>,
    list: List,
    quoted: String,
    bulk: String,
}

/// A link that selects a status.
struct Tab {
    name: &'static str,
    url: String,
    number: Option<String>,
    is_selected: bool,
}

/// The jobs of a page, and where it is in the list.
#[derive(Default)]
struct List {
    rows: Vec<Row>,
    facets: Vec<Facet>,
    sample: String,
    range: String,
    newer: Option<String>,
    older: Option<String>,
}

/// Shows the list. An invalid filter is shown with its error, so that it can be corrected.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let form = SearchForm::new(raw.as_deref());
    let layout = Layout::new(&app, caller, Section::Jobs, "Jobs", live_url(raw.as_deref())).await?;
    let tabs = tabs(&app, &form).await?;
    let (status, error, list) = match list_query(raw.as_deref(), LIMITS) {
        Ok(query) => (StatusCode::OK, None, read(&app, &layout, &form, query).await?),
        Err(error) => (http_error::status(&error), Some(error.to_string()), List::default()),
    };
    let (chips, quoted, bulk) = (form.chips(), shell_quoted(&form.text), form.bulk_url());
    let page = JobsPage { layout, form, chips, tabs, keys: keys(), error, list, quoted, bulk };
    Ok(html(status, &page))
}

/// Returns the URL from which the page refreshes itself: its own, with the page of the list.
fn live_url(raw: Option<&str>) -> String {
    raw.map_or("/jobs".to_owned(), |raw| format!("/jobs?{raw}"))
}

async fn read(
    app: &App,
    layout: &Layout,
    form: &SearchForm,
    query: ListQuery,
) -> Result<List, Error> {
    let (start, limit) = (query.start, query.limit);
    // The values of the first page are counted among more jobs than it shows.
    let read = if start == 0 && limit > 0 { limit.max(SAMPLE) } else { limit };
    let mut page = ListQuery { limit: read, ..query }.find(app).await?;
    let mut jobs = app.store.jobs_by_id(&page.ids).await?;
    let (facets, sample) = (facets(&jobs, form), count(jobs.len() as u64, "job"));
    page.ids.truncate(limit);
    jobs.truncate(limit);
    let reasons = wait_reasons(&app.store, &jobs).await?;
    let rows: Vec<Row> = jobs
        .into_iter()
        .zip(reasons)
        .map(|(job, reason)| Row::new(job, reason, layout.now))
        .collect();
    let end = start + page.ids.len();
    let at = |start: usize| form.url(Some(start));
    let has_more = (end as u64) < page.total && !page.ids.is_empty();
    Ok(List {
        rows,
        facets,
        sample,
        range: range(start, end, &page),
        newer: (start > 0).then(|| at(start.saturating_sub(limit))),
        older: has_more.then(|| at(end)),
    })
}

fn range(start: usize, end: usize, page: &JobIdPage) -> String {
    let least = if page.cut { "at least " } else { "" };
    let total = number(page.total);
    match page.ids.is_empty() {
        true => format!("none of {least}{total}"),
        false => {
            let (first, last) = (number(start as u64 + 1), number(end as u64));
            format!("{first}–{last} of {least}{total}")
        }
    }
}

/// Returns a link for every status that has jobs or is selected. The numbers are those of all jobs,
/// so they are left out if another filter applies.
async fn tabs(app: &App, form: &SearchForm) -> Result<Vec<Tab>, Error> {
    let counts = app.store.counts().await?;
    let is_deleted = |status: &Status| *status == Status::Deleted;
    let all = counts.iter().filter(|(status, _)| !is_deleted(status));
    let total: u64 = all.map(|(_, count)| count).sum();
    let with_number = |count: u64| (!form.is_narrowed()).then(|| number(count));
    let mut tabs = vec![Tab {
        name: "all",
        url: form.without_status(),
        number: with_number(total),
        is_selected: !form.has_any_status() && form.running.is_empty(),
    }];
    for (status, count) in counts {
        let is_selected = form.has_status(status.as_str());
        if count > 0 || is_selected {
            tabs.push(Tab {
                name: status_words(status),
                url: form.with(&format!("status:{status}")),
                number: with_number(count),
                is_selected,
            });
        }
    }
    Ok(tabs)
}

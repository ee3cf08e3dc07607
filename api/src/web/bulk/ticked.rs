//! `/ticked`: changes the jobs that were selected in the list, one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::{Job, JobId};
use store::{BulkJob, BulkSpec, BulkVerb, JobFilter};

use super::words::reasons;
use crate::app::App;
use crate::auth::Caller;
use crate::body;
use crate::bulk::{Counts, select};
use crate::commands;
use crate::error::Error;
use crate::web::format::{count, number};
use crate::web::layout::{Layout, Section, html};
use crate::web::refusal::Refusal;

/// How many jobs can be selected: a page of the list has no more.
const MOST: usize = 200;
const BODY_BYTES: usize = 64 * 1024;

#[derive(Template)]
#[template(path = "ticked.html")]
struct TickedPage {
    layout: Layout,
    verb: &'static str,
    jobs: Vec<Job>,
    eligible: Vec<JobId>,
    refused: Vec<(String, String)>,
    /// How many jobs were changed, and why others were not; `None` before the change.
    outcome: Option<(String, Vec<(String, String)>)>,
}

/// The jobs that were selected, and what to do with them.
struct Selection {
    verb: BulkVerb,
    ids: Vec<JobId>,
}

impl Selection {
    fn read(text: &str) -> Result<Selection, Error> {
        let (mut verb, mut ids) = (None, Vec::new());
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            match name.as_ref() {
                "job" => {
                    let id = value.parse::<JobId>();
                    ids.push(id.map_err(|error| Error::invalid("job", error))?);
                }
                "operation" => {
                    verb = BulkVerb::ALL.into_iter().find(|verb| verb.as_str() == value);
                }
                _ => return Err(Error::invalid("job", "only job and operation can be given")),
            }
        }
        if ids.len() > MOST {
            return Err(Error::invalid("job", format!("at most {MOST} jobs can be selected")));
        }
        let verb = verb.ok_or_else(|| Error::invalid("operation", "it is required"))?;
        Ok(Selection { verb, ids })
    }
}

/// Shows what would be changed.
pub(in crate::web) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let selection = Selection::read(raw.as_deref().unwrap_or_default())?;
    page(&app, caller, &selection, None).await
}

/// Changes the jobs.
pub(in crate::web) async fn change(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let bytes = body::read(&parts.headers, body, BODY_BYTES).await?;
    let selection = Selection::read(&String::from_utf8_lossy(&bytes))?;
    caller.set_subject(format_args!("{} {} jobs", selection.verb, selection.ids.len()));
    let (mut changed, mut failed) = (0, BTreeMap::<String, u64>::new());
    for id in &selection.ids {
        let done = match selection.verb {
            BulkVerb::Cancel => commands::job::cancel(&app, &caller, *id).await,
            BulkVerb::Retry => commands::job::retry(&app, &caller, *id).await.map(drop),
            BulkVerb::Delete => commands::job::delete(&app, &caller, *id).await,
        };
        match done {
            Ok(()) => changed += 1,
            Err(error) => *failed.entry(error.to_string()).or_default() += 1,
        }
    }
    let failed = failed.into_iter().map(|(why, count)| (number(count), why)).collect();
    page(&app, caller, &selection, Some((count(changed, "job"), failed))).await
}

async fn page(
    app: &App,
    caller: Caller,
    selection: &Selection,
    outcome: Option<(String, Vec<(String, String)>)>,
) -> Result<Response, Refusal> {
    let layout = Layout::still(app, caller, Section::Jobs, "Selected jobs").await?;
    let jobs = app.store.jobs_by_id(&selection.ids).await?;
    let spec = BulkSpec {
        verb: selection.verb,
        filter: JobFilter::default(),
        requested_by: layout.caller.name().to_owned(),
        may_change_deliveries: layout.caller.may_change_deliveries(),
    };
    let rows: Vec<BulkJob> = jobs.iter().map(bulk_job).collect();
    let mut refused = Counts::new();
    let eligible = select(&spec, &rows, &mut refused);
    let verb = selection.verb.as_str();
    let refused = reasons(&refused);
    Ok(html(StatusCode::OK, &TickedPage { layout, verb, jobs, eligible, refused, outcome }))
}

fn bulk_job(job: &Job) -> BulkJob {
    BulkJob {
        id: job.id,
        number: job.number,
        status: job.status,
        action: job.spec.action.to_string(),
        follow_up: job.follow_up,
        is_key_taken: false,
    }
}

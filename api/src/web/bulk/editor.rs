//! `/bulk-editor`: what an operation on all jobs that match a search would do, and beginning it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::search::Search;
use store::{BulkSpec, BulkVerb, JobFilter};
use uuid::Uuid;

use super::words::{reasons, search_of};
use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::error::Error;
use crate::http_error;
use crate::job_filter::considered;
use crate::job_search::{Narrowed, narrow};
use crate::query::Query;
use crate::web::form;
use crate::web::format::{number, shell_quoted};
use crate::web::layout::{Layout, Section, html};
use crate::web::notice::show_at;
use crate::web::refusal::Refusal;

const FIELDS: [&str; 2] = ["q", "operation"];
const WORDS: [&str; 3] = ["cancel", "retry", "delete"];

#[derive(Template)]
#[template(path = "bulk_editor.html")]
struct EditorPage {
    layout: Layout,
    text: String,
    operation: String,
    dry_run: Option<DryRun>,
    error: Option<String>,
    command: String,
}

/// What an operation would do.
struct DryRun {
    /// The jobs as a search, with the statuses that the operation considers.
    jobs: String,
    eligible: String,
    is_none: bool,
    /// True if there may be more.
    more: bool,
    refused: Vec<(String, String)>,
}

/// Shows the form, and a dry run if an operation is chosen.
pub(in crate::web) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &FIELDS)?;
    let tried = match query.text("operation") {
        Some(_) => dry_run(&app, &caller, &query).await.map(Some),
        None => query.value::<Search>("q").map(|_| None),
    };
    page(&app, caller, &query, tried).await
}

/// Begins the operation and shows it.
pub(in crate::web) async fn begin(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let form = form::read(request, &FIELDS).await?;
    let beginning = async {
        let spec = spec(&app, &caller, &form).await?;
        let id = Uuid::new_v4();
        caller.set_subject(format_args!("{id} {} {}", spec.verb, search_of(&spec.filter)));
        commands::bulk::begin(&app, id, &spec).await
    };
    match beginning.await {
        Ok(begun) => Ok(show_at(&format!("/bulk/{}", begun.id), "begin-bulk")),
        Err(error) => page(&app, caller, &form, Err(error)).await,
    }
}

async fn dry_run(app: &App, caller: &Caller, query: &Query) -> Result<DryRun, Error> {
    let spec = spec(app, caller, query).await?;
    let preview = commands::bulk::dry_run(app, &spec).await?;
    Ok(DryRun {
        jobs: search_of(&spec.filter),
        eligible: number(preview.eligible),
        is_none: preview.eligible == 0,
        more: preview.more,
        refused: reasons(&preview.refused),
    })
}

/// Returns the operation of a form. Every term must be a condition that operations know.
async fn spec(app: &App, caller: &Caller, form: &Query) -> Result<BulkSpec, Error> {
    let verb: Option<BulkVerb> = form::word("operation", form.text("operation"), &WORDS)?;
    let verb = verb.ok_or_else(|| Error::invalid("operation", "it is required"))?;
    let search: Search = form.value("q")?.unwrap_or_default();
    if search.terms().is_empty() {
        return Err(Error::invalid("q", "name at least one condition"));
    }
    let now = app.store.now().await?;
    let narrowed = narrow(JobFilter::default(), &search, now);
    let Narrowed { mut filter, terms } =
        narrowed.ok_or_else(|| Error::invalid("q", "no job can match it"))?;
    if let Some(term) = terms.first() {
        let known =
            "status, action, worker, parent, cron, by, key, label, fingerprint, since and until";
        let why = format!("a bulk operation cannot use {term}; it can use {known}");
        return Err(Error::invalid("q", why));
    }
    filter.action.as_ref().map_or(Ok(()), |action| caller.check_action(action))?;
    if filter.statuses.is_empty() {
        filter.statuses = considered(verb);
    }
    let may_change_deliveries = caller.may_change_deliveries();
    Ok(BulkSpec { verb, filter, requested_by: caller.name().to_owned(), may_change_deliveries })
}

async fn page(
    app: &App,
    caller: Caller,
    query: &Query,
    tried: Result<Option<DryRun>, Error>,
) -> Result<Response, Refusal> {
    let layout = Layout::still(app, caller, Section::Bulk, "Change all that match").await?;
    let text = query.text("q").unwrap_or_default().to_owned();
    let operation = query.text("operation").unwrap_or_default().to_owned();
    let (status, dry_run, error) = match tried {
        Ok(dry_run) => (StatusCode::OK, dry_run, None),
        Err(error) => (http_error::status(&error), None, Some(error.to_string())),
    };
    let command = format!("capstan jobs list -q {}", shell_quoted(&text));
    Ok(html(status, &EditorPage { layout, text, operation, dry_run, error, command }))
}

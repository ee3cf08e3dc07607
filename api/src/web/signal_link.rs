//! `/signals/{link}`: a link that sends a signal, for a person without a token.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::Job;

use super::form;
use super::layout::{Layout, html};
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::commands::signal::{read_body, read_link, send_by_link};
use crate::error::Error;
use crate::signal_link::SignalLink;

#[derive(Template)]
#[template(path = "signal_link.html")]
struct SignalPage {
    layout: Layout,
    job: Job,
    link: SignalLink,
    text: String,
    state: LinkState,
}

/// What the page says.
#[derive(PartialEq, Eq)]
enum LinkState {
    /// The signal can be sent.
    Open,
    /// The signal was sent just now.
    Sent,
    /// The job no longer waits for it.
    Closed,
}

/// Shows what the link does. Sending needs a click, because programs that scan messages open links.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
) -> Result<Response, Refusal> {
    let link = read_link(&app, &text).await?;
    let missing = || Error::NoSuchJob(link.job.to_string());
    let job = app.store.job(link.job).await?.ok_or_else(missing)?;
    let state = if job.status.is_final() { LinkState::Closed } else { LinkState::Open };
    Ok(page(job, link, text, state))
}

/// Sends the signal.
pub(super) async fn send(
    State(app): State<Arc<App>>,
    Path(text): Path<String>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let link = read_link(&app, &text).await?;
    let form = form::read(request, &["body"]).await?;
    let body = read_body(form.text("body").unwrap_or_default().as_bytes())?;
    send_by_link(&app, &caller, link.clone(), body).await?;
    let missing = || Error::NoSuchJob(link.job.to_string());
    let job = app.store.job(link.job).await?.ok_or_else(missing)?;
    Ok(page(job, link, text, LinkState::Sent))
}

fn page(job: Job, link: SignalLink, text: String, state: LinkState) -> Response {
    let layout = Layout::bare(format!("Job #{}", job.number));
    html(StatusCode::OK, &SignalPage { layout, job, link, text, state })
}

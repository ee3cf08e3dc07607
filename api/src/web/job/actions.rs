//! Cancel, retry and delete a job.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use domain::job::{AwaitedSignal, Job, JobId, Status};
use domain::signal::SignalName;

use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::commands::signal::Sent;
use crate::error::Error;
use crate::web::form;
use crate::web::layout::Layout;
use crate::web::notice::show_at;
use crate::web::path::Name;
use crate::web::refusal::Refusal;

/// Which forms a page shows: those that the caller may send and that would change something.
pub(super) struct Actions {
    /// Cancel the job.
    pub(super) cancel: bool,
    /// Retry the job.
    pub(super) retry: bool,
    /// Delete the job.
    pub(super) delete: bool,
    /// Change the job, or submit one like it.
    pub(super) edit: bool,
    /// Send the signal for which the job waits.
    pub(super) signal: Option<SignalName>,
}

impl Actions {
    /// Returns the forms for a job.
    pub(super) fn new(layout: &Layout, job: &Job) -> Actions {
        let allowed = layout.caller.check_action(&job.spec.action).is_ok();
        let may = |route| allowed && layout.may(route);
        let is_over = job.status.is_final();
        let is_deleted = job.status == Status::Deleted;
        let is_stopping = job.status == Status::CancelRequest;
        let awaited = job.awaited_signal.as_ref().filter(|_| job.status == Status::Waiting);
        let suffices = |signal: &&AwaitedSignal| {
            signal.role.is_none_or(|least| layout.caller.signal_role() >= least)
        };
        let signal = awaited.filter(suffices).filter(|_| may("/jobs/{id}/signals/{name}"));
        Actions {
            cancel: !is_over && !is_stopping && may("/jobs/{id}/cancel"),
            retry: is_over && !is_deleted && job.follow_up.is_none() && may("/jobs/{id}/retry"),
            delete: !is_deleted && may("/jobs/{id}/delete"),
            edit: !is_deleted && may("/jobs/{id}/repeat"),
            signal: signal.map(|signal| signal.name.clone()),
        }
    }

    /// Returns true if there is at least one form.
    pub(super) fn any(&self) -> bool {
        self.cancel || self.retry || self.delete || self.edit
    }
}

/// Cancels a job.
pub(in crate::web) async fn cancel(
    State(app): State<Arc<App>>,
    Name(id): Name<JobId>,
    caller: Caller,
) -> Result<Response, Refusal> {
    commands::job::cancel(&app, &caller, id).await?;
    Ok(show_at(&format!("/jobs/{id}"), "cancel"))
}

/// Retries a job and shows the new one.
pub(in crate::web) async fn retry(
    State(app): State<Arc<App>>,
    Name(id): Name<JobId>,
    caller: Caller,
) -> Result<Response, Refusal> {
    let job = commands::job::retry(&app, &caller, id).await?;
    Ok(show_at(&format!("/jobs/{}", job.id), "retry"))
}

/// Deletes a job.
pub(in crate::web) async fn delete(
    State(app): State<Arc<App>>,
    Name(id): Name<JobId>,
    caller: Caller,
) -> Result<Response, Refusal> {
    commands::job::delete(&app, &caller, id).await?;
    Ok(show_at(&format!("/jobs/{id}"), "delete"))
}

/// Sends a signal to a job, and shows the job that continues it.
pub(in crate::web) async fn signal(
    State(app): State<Arc<App>>,
    Path((id, name)): Path<(String, String)>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let id: JobId = id.parse().map_err(|_| Error::NoSuchJob(id.chars().take(64).collect()))?;
    let name = name.parse().map_err(|error| Error::invalid("name", error))?;
    let form = form::read(request, &["body"]).await?;
    let body = commands::signal::read_body(form.text("body").unwrap_or_default().as_bytes())?;
    let sent = commands::signal::send(&app, &caller, (id, name), body).await?;
    let (Sent::Continued(job) | Sent::Kept(job)) = sent;
    Ok(show_at(&format!("/jobs/{job}"), "signal"))
}

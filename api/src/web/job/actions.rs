//! Cancel, retry and delete a job.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use domain::job::{Job, JobId, Status};

use crate::app::App;
use crate::auth::Caller;
use crate::commands;
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
}

impl Actions {
    /// Returns the forms for a job.
    pub(super) fn new(layout: &Layout, job: &Job) -> Actions {
        let allowed = layout.caller.check_action(&job.spec.action).is_ok();
        let may = |route| allowed && layout.may(route);
        let is_over = job.status.is_final();
        let is_deleted = job.status == Status::Deleted;
        let is_stopping = job.status == Status::CancelRequest;
        Actions {
            cancel: !is_over && !is_stopping && may("/jobs/{id}/cancel"),
            retry: is_over && !is_deleted && job.follow_up.is_none() && may("/jobs/{id}/retry"),
            delete: !is_deleted && may("/jobs/{id}/delete"),
            edit: !is_deleted && may("/jobs/{id}/repeat"),
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

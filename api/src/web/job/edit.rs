//! `/jobs/{id}/edit`: changes the priority and the due time of a job that waits, and submits a job
//! again with other parameters.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::bounds::{self, COMMENT_CHARACTERS};
use domain::job::{GoDuration, Job, JobId, Priority, Status, Timestamp};
use domain::lock::LockTemplates;
use serde_json::Value;

use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::error::{Error, at_field};
use crate::http_error;
use crate::query::Query;
use crate::redaction::shown_parameters;
use crate::submit::{Acceptance, Draft};
use crate::web::form;
use crate::web::format::{pretty, shell_quoted};
use crate::web::layout::{Layout, Section, html};
use crate::web::notice::show_at;
use crate::web::path::Name;
use crate::web::refusal::Refusal;

const CHANGE_FIELDS: [&str; 2] = ["priority", "scheduledAt"];
const REPEAT_FIELDS: [&str; 5] = ["priority", "scheduledAt", "retries", "comment", "parameters"];

#[derive(Template)]
#[template(path = "job_edit.html")]
struct EditPage {
    layout: Layout,
    job: Job,
    can_change: bool,
    /// False if the parameters hold values that the page must not show.
    can_repeat: bool,
    written: Written,
    error: Option<String>,
    command: String,
}

/// The values of the forms as they were written.
struct Written {
    priority: String,
    scheduled_at: String,
    retries: String,
    comment: String,
    parameters: String,
}

impl Written {
    fn of(job: &Job) -> Written {
        Written {
            priority: job.spec.priority.to_string(),
            scheduled_at: String::new(),
            retries: job.spec.retries.to_string(),
            comment: job.spec.comment.clone().unwrap_or_default(),
            parameters: job
                .spec
                .parameters
                .clone()
                .map(Value::Object)
                .as_ref()
                .map(pretty)
                .unwrap_or_default(),
        }
    }

    fn read(form: &Query, of: &Job) -> Written {
        let text = |name: &str| form.text(name).unwrap_or_default().to_owned();
        Written {
            scheduled_at: text("scheduledAt"),
            priority: text("priority"),
            retries: text("retries"),
            comment: text("comment"),
            parameters: match form.text("parameters") {
                Some(text) => text.to_owned(),
                None => Written::of(of).parameters,
            },
        }
    }
}

/// Shows the forms.
pub(in crate::web) async fn show(
    State(app): State<Arc<App>>,
    Name(id): Name<JobId>,
    caller: Caller,
) -> Result<Response, Refusal> {
    let job = find(&app, id).await?;
    let written = Written::of(&job);
    page(&app, caller, job, (written, None)).await
}

/// Changes a job that has not started.
pub(in crate::web) async fn change(
    State(app): State<Arc<App>>,
    Name(id): Name<JobId>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let form = form::read(request, &CHANGE_FIELDS).await?;
    let changing = async {
        let priority = form.value::<Priority>("priority")?;
        let at = due(&app, form.text("scheduledAt")).await?;
        commands::job::change(&app, &caller, id, (priority, at)).await
    };
    match changing.await {
        Ok(_) => Ok(show_at(&format!("/jobs/{id}"), "change")),
        Err(error) => again(&app, caller, id, (form, error)).await,
    }
}

/// Submits the job again with changes, and shows the new job.
pub(in crate::web) async fn repeat(
    State(app): State<Arc<App>>,
    Name(id): Name<JobId>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let form = form::read(request, &REPEAT_FIELDS).await?;
    let submitting = async {
        let draft = draft(&app, &caller, find(&app, id).await?, &form).await?;
        app.submissions.one(draft).await
    };
    match submitting.await {
        Ok(accepted) => {
            let is_new = accepted.how == Acceptance::Created;
            app.metrics.submitted(usize::from(is_new));
            caller.set_subject(accepted.job.id);
            let word = if is_new { "repeat" } else { "same-key" };
            Ok(show_at(&format!("/jobs/{}", accepted.job.id), word))
        }
        Err(error) => again(&app, caller, id, (form, error)).await,
    }
}

/// Returns a job like another one, with the changes of a form. It belongs to no parent and depends
/// on no job, as those have gone on without it.
async fn draft(app: &App, caller: &Caller, job: Job, form: &Query) -> Result<Draft, Error> {
    caller.check_action(&job.spec.action)?;
    if has_hidden_values(&job) {
        return Err(Error::invalid("parameters", "they hold values that are not shown"));
    }
    let parameters = form::object("parameters", form.text("parameters"))?;
    let parameters = at_field("parameters", parameters.map(bounds::parameters).transpose())?;
    let comment = form.text("comment").map(str::to_owned);
    let retries = form.number("retries", u32::MAX)?;
    let mut spec = job.spec;
    // The limit of the action is added again, for the new parameters.
    let rates = spec.locks.rates().map(|(key, count)| (key.to_owned(), count.into())).collect();
    spec.locks = spec.locks.without_reserved();
    spec.parameters = parameters;
    spec.priority = form.value("priority")?.unwrap_or_default();
    spec.comment = at_field("comment", bounds::text(comment, COMMENT_CHARACTERS))?;
    spec.scheduled_by = Some(caller.name().to_owned());
    spec.retries = 0;
    (spec.cron, spec.parent, spec.expires_at) = (None, None, None);
    // The form has the time at which it is due.
    (spec.debounce, spec.debounce_max) = Default::default();
    // The parameters of a batch are its list already.
    (spec.batch_key, spec.batch_size, spec.batch_wait) = Default::default();
    spec.depends_on.clear();
    Ok(Draft {
        spec,
        retries: at_field("retries", bounds::retries(retries))?,
        scheduled_at: due(app, form.text("scheduledAt")).await?,
        id: JobId::random(),
        late_locks: LockTemplates::None,
        rates: LockTemplates::Permits(rates),
        reserve_id: false,
        request_hash: None,
    })
}

/// Parses a due time: `now`, a time, or a duration from now. An empty text is none.
async fn due(app: &App, text: Option<&str>) -> Result<Option<Timestamp>, Error> {
    let Some(text) = text.map(str::trim) else { return Ok(None) };
    if let Ok(at) = text.parse() {
        return Ok(Some(at));
    }
    let now = app.store.now().await?;
    let duration = text.parse::<GoDuration>().ok().and_then(|one| one.duration());
    match (text, duration) {
        ("now", _) => Ok(Some(now)),
        (_, Some(later)) => {
            let later = i64::try_from(later.as_millis()).unwrap_or(0);
            Ok(Some(Timestamp::from_ms(now.ms().saturating_add(later))))
        }
        (_, None) => {
            let short: String = text.chars().take(64).collect();
            let allowed = "now, a duration like 30m, or a time like 2026-11-20T16:30:00Z";
            Err(Error::invalid("scheduledAt", format!("{short:?} is not valid: write {allowed}")))
        }
    }
}

async fn find(app: &App, id: JobId) -> Result<Job, Error> {
    app.store.job(id).await?.ok_or_else(|| Error::NoSuchJob(id.to_string()))
}

/// Shows the forms again, with the error and what was written.
async fn again(
    app: &App,
    caller: Caller,
    id: JobId,
    (form, error): (Query, Error),
) -> Result<Response, Refusal> {
    let job = find(app, id).await?;
    let written = Written::read(&form, &job);
    page(app, caller, job, (written, Some(error))).await
}

async fn page(
    app: &App,
    caller: Caller,
    job: Job,
    (written, error): (Written, Option<Error>),
) -> Result<Response, Refusal> {
    let title = format!("Change #{} {}", job.number, job.spec.action);
    let layout = Layout::still(app, caller, Section::Jobs, title).await?;
    let status = error.as_ref().map_or(StatusCode::OK, http_error::status);
    let is_allowed = layout.caller.check_action(&job.spec.action).is_ok();
    let page = EditPage {
        can_change: is_allowed && job.status == Status::Waiting && !job.awaits_children,
        can_repeat: is_allowed && !has_hidden_values(&job) && job.status != Status::Deleted,
        command: command(&job),
        error: error.map(|error| error.to_string()),
        written,
        layout,
        job,
    };
    Ok(html(status, &page))
}

/// Returns true if the parameters hold values that answers do not show.
fn has_hidden_values(job: &Job) -> bool {
    shown_parameters(&job.spec.action, job.spec.parameters.clone()) != job.spec.parameters
}

fn command(job: &Job) -> String {
    let parameters = job.spec.parameters.clone().map(Value::Object);
    let parameters =
        parameters.map(|all| format!(" --parameters {}", shell_quoted(&all.to_string())));
    format!("capstan jobs submit {}{}", job.spec.action, parameters.unwrap_or_default())
}

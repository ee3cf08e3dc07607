//! `/cron-editor`: creates and edits a cron, and explains its schedule before it is saved.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::bounds;
use domain::cron::{CronName, CronSpec, Misfire, Overlap, Schedule, TimeZone};
use domain::job::{ActionName, GoDuration, Priority};
use domain::lock::Locks;
use serde_json::Value;
use store::{Cron, CronSet, SetCron};

use super::form;
use super::format::{Moment, pretty};
use super::layout::{Layout, Section, html};
use super::notice::show_at;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::error::{Error, at_field};
use crate::http_error;
use crate::query::Query;
use crate::redaction::shown_parameters;

/// The fields of the form. `edit` is the name of the cron that is edited.
const FIELDS: [&str; 10] = [
    "edit",
    "name",
    "action",
    "schedule",
    "timeZone",
    "overlap",
    "misfire",
    "priority",
    "retries",
    "parameters",
];
/// How many of the next ticks are shown.
const TICKS: usize = 5;

#[derive(Template)]
#[template(path = "cron_editor.html")]
struct EditorPage {
    layout: Layout,
    written: Written,
    explanation: Explanation,
    /// True if the parameters hold values that the page must not show, so they stay as they are.
    hides_parameters: bool,
    error: Option<String>,
}

/// The fields as they were written.
#[derive(Default)]
struct Written {
    edit: String,
    name: String,
    action: String,
    schedule: String,
    time_zone: String,
    overlap: String,
    misfire: String,
    priority: String,
    retries: String,
    parameters: String,
}

/// What a schedule means.
enum Explanation {
    /// No schedule has been entered.
    None,
    /// It is not valid.
    Invalid(String),
    /// Its words, and its next ticks in local time.
    Valid(String, Vec<(String, Moment)>),
}

impl Written {
    fn read(form: &Query) -> Written {
        let text = |name: &str| form.text(name).unwrap_or_default().to_owned();
        Written {
            edit: text("edit"),
            name: text("name"),
            action: text("action"),
            schedule: text("schedule"),
            time_zone: text("timeZone"),
            overlap: text("overlap"),
            misfire: text("misfire"),
            priority: text("priority"),
            retries: text("retries"),
            parameters: text("parameters"),
        }
    }

    fn of(cron: &Cron) -> Written {
        let spec = &cron.spec;
        let parameters = shown_parameters(&spec.action, spec.parameters.clone());
        Written {
            edit: cron.name.to_string(),
            name: cron.name.to_string(),
            action: spec.action.to_string(),
            schedule: spec.schedule.as_str().to_owned(),
            time_zone: spec.time_zone.to_string(),
            overlap: spec.overlap.as_str().to_owned(),
            misfire: spec.misfire.as_str().to_owned(),
            priority: spec.priority.to_string(),
            retries: spec.retries.map(|retries| retries.to_string()).unwrap_or_default(),
            parameters: parameters.map(Value::Object).as_ref().map(pretty).unwrap_or_default(),
        }
    }

    fn explain(&self, layout: &Layout) -> Explanation {
        if self.schedule.is_empty() {
            return Explanation::None;
        }
        let zone = match self.time_zone.as_str() {
            "" => Ok(TimeZone::default()),
            name => name.parse::<TimeZone>().map_err(|error| error.to_string()),
        };
        let schedule = self.schedule.parse::<Schedule>().map_err(|error| error.to_string());
        let (schedule, zone) = match (schedule, zone) {
            (Ok(schedule), Ok(zone)) => (schedule, zone),
            (Err(why), _) | (Ok(_), Err(why)) => return Explanation::Invalid(why),
        };
        let first = schedule.next(layout.now, zone);
        let ticks = std::iter::successors(first, |tick| schedule.next(*tick, zone)).take(TICKS);
        let tick = |at| (zone.format(at), Moment::new(at, layout.now));
        Explanation::Valid(schedule.describe(), ticks.map(tick).collect())
    }
}

/// Shows the form: empty, with a cron, or with what is being written.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let form = Query::read(raw.as_deref(), &FIELDS)?;
    let written = match (form.value::<CronName>("edit")?, form.text("schedule")) {
        (Some(name), None) => Written::of(&commands::cron::find(&app, &name).await?),
        (Some(_), Some(_)) | (None, _) => Written::read(&form),
    };
    page(&app, caller, written, None).await
}

/// Saves the cron.
pub(super) async fn save(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let form = form::read(request, &FIELDS).await?;
    match saved(&app, &caller, &form).await {
        Ok(name) => Ok(show_at(&format!("/crons/{name}"), "save-cron")),
        Err(error) => page(&app, caller, Written::read(&form), Some(error)).await,
    }
}

async fn saved(app: &App, caller: &Caller, form: &Query) -> Result<CronName, Error> {
    let edited: Option<CronName> = form.value("edit")?;
    if let Some(name) = edited {
        let base = commands::cron::find(app, &name).await?.spec;
        let spec = spec(form, Some(base))?;
        caller.set_subject(&name);
        let changing = app.store.change_cron::<Error>(&name, None, |_| Ok(spec.clone()));
        changing.await?.ok_or_else(|| Error::NoSuchCron(name.to_string()))?;
        return Ok(name);
    }
    let spec = spec(form, None)?;
    let name = form.value("name")?.unwrap_or_else(|| spec.action.clone().into());
    if app.store.cron(&name).await?.is_some() {
        return Err(Error::invalid("name", format!("there is a cron {name} already; edit it")));
    }
    caller.set_subject(&name);
    let cron = SetCron { name: name.clone(), spec, paused: None, declared: false };
    match app.store.set_cron(&cron).await? {
        CronSet::Created | CronSet::Changed | CronSet::Unchanged => Ok(name),
        CronSet::TooMany => Err(Error::TooManyCrons),
    }
}

/// Returns the cron of a form. What the form does not show is that of the cron that is edited.
fn spec(form: &Query, base: Option<CronSpec>) -> Result<CronSpec, Error> {
    let required = |field: &str| Error::invalid(field, "it is required");
    let action: ActionName = form.value("action")?.ok_or_else(|| required("action"))?;
    let schedule: Schedule = form.value("schedule")?.ok_or_else(|| required("schedule"))?;
    let parameters = form::object("parameters", form.text("parameters"))?;
    let parameters = at_field("parameters", parameters.map(bounds::parameters).transpose())?;
    let parameters = match &base {
        Some(base) if hides_parameters(base) => base.parameters.clone(),
        Some(_) | None => parameters,
    };
    let retries = at_field("retries", bounds::retries(form.number("retries", u32::MAX)?))?;
    let base = base.unwrap_or(CronSpec {
        action: action.clone(),
        schedule: schedule.clone(),
        time_zone: TimeZone::default(),
        misfire: Misfire::default(),
        overlap: Overlap::default(),
        jitter: GoDuration::default(),
        retries: None,
        capacity_map: None,
        parameters: None,
        deadline: GoDuration::default(),
        stop_timeout: GoDuration::default(),
        priority: Priority::default(),
        locks: Locks::default(),
    });
    Ok(CronSpec {
        action,
        schedule,
        time_zone: form.value("timeZone")?.unwrap_or_default(),
        misfire: form::word("misfire", form.text("misfire"), Misfire::WORDS)?.unwrap_or_default(),
        overlap: form::word("overlap", form.text("overlap"), Overlap::WORDS)?.unwrap_or_default(),
        priority: form.value("priority")?.unwrap_or_default(),
        retries,
        parameters,
        ..base
    })
}

fn hides_parameters(spec: &CronSpec) -> bool {
    shown_parameters(&spec.action, spec.parameters.clone()) != spec.parameters
}

async fn page(
    app: &App,
    caller: Caller,
    written: Written,
    error: Option<Error>,
) -> Result<Response, Refusal> {
    let title = if written.edit.is_empty() {
        "New cron".to_owned()
    } else {
        format!("Edit {}", written.edit)
    };
    let layout = Layout::still(app, caller, Section::Crons, title).await?;
    let edited = match written.edit.parse::<CronName>() {
        Ok(name) => app.store.cron(&name).await?,
        Err(_) => None,
    };
    let status = error.as_ref().map_or(StatusCode::OK, http_error::status);
    let page = EditorPage {
        explanation: written.explain(&layout),
        hides_parameters: edited.is_some_and(|cron| hides_parameters(&cron.spec)),
        error: error.map(|error| error.to_string()),
        written,
        layout,
    };
    Ok(html(status, &page))
}

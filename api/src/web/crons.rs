//! `/crons` and `/crons/{name}`: what fires when, what was skipped and why, and run, pause and
//! resume.

mod calendar;

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::cron::CronName;
use domain::job::{JobId, Timestamp};
use serde_json::Value;
use store::Cron;

use super::format::{Moment, count, number, pretty};
use super::layout::{Layout, Section, html};
use super::notice;
use super::paging::Paging;
use super::path::Name;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::error::Error;
use crate::query::Query;
use crate::redaction::shown_parameters;
use calendar::Calendar;

/// The default and the largest number of crons in a page.
const LIMIT: u32 = 200;
/// How many changes of a cron are shown, and among how many events they are searched.
const HISTORY: usize = 20;
const HISTORY_EVENTS: u64 = 2_000;
/// How many of the next ticks are shown.
const TICKS: usize = 10;

#[derive(Template)]
#[template(path = "crons.html")]
struct CronsPage {
    layout: Layout,
    crons: Vec<Shown>,
    calendar: Calendar,
    paging: Paging,
    can_edit: bool,
}

#[derive(Template)]
#[template(path = "cron.html")]
struct CronPage {
    layout: Layout,
    cron: Shown,
    ticks: Vec<Tick>,
    parameters: Option<String>,
    rules: String,
    history: Vec<Change>,
}

/// A cron as the page shows it.
struct Shown {
    name: String,
    action: String,
    schedule: String,
    words: String,
    zone: String,
    is_paused: bool,
    is_declared: bool,
    next: Option<Moment>,
    last: Option<Moment>,
    last_job: Option<JobId>,
    fired: String,
    skipped: String,
    last_skip: String,
    can_run: bool,
    can_pause: bool,
    can_resume: bool,
    can_edit: bool,
}

/// A change of a cron, or ticks that it skipped.
struct Change {
    moment: Moment,
    what: String,
}

/// A tick to come.
struct Tick {
    moment: Moment,
    local: String,
}

impl Shown {
    fn new(cron: &Cron, layout: &Layout) -> Shown {
        let moment = |at| Moment::new(at, layout.now);
        Shown {
            name: cron.name.to_string(),
            action: cron.spec.action.to_string(),
            schedule: cron.spec.schedule.as_str().to_owned(),
            words: cron.spec.schedule.describe(),
            zone: cron.spec.time_zone.to_string(),
            is_paused: cron.paused,
            is_declared: cron.declared,
            next: cron.next_run.map(moment),
            last: cron.last_run.map(moment),
            last_job: cron.last_job,
            fired: number(cron.fired),
            skipped: number(cron.skipped),
            last_skip: last_skip(cron, layout),
            can_run: layout.may("/crons/{name}/run"),
            can_pause: !cron.paused && layout.may("/crons/{name}/pause"),
            can_resume: cron.paused && layout.may("/crons/{name}/resume"),
            can_edit: layout.may("/crons"),
        }
    }
}

fn last_skip(cron: &Cron, layout: &Layout) -> String {
    let Some(skip) = &cron.last_skip else { return String::new() };
    let why = skip_reason(&skip.reason);
    let when = Moment::new(skip.at, layout.now).relative;
    format!("{} {when}: {why}", count(skip.count, "tick"))
}

/// Returns why ticks were skipped, in words.
fn skip_reason(code: &str) -> &str {
    match code {
        "missed" => "no scheduler was running",
        "overlap" => "an earlier job had not finished",
        "replaced" => "a later tick replaced it",
        "too_many_held" => "too many firings were held",
        "no_queue" => "the namespace had no room for its queue",
        "quota" => "its quota was reached",
        other => other,
    }
}

/// Returns the latest changes of a cron, and the ticks that it skipped, the last one first.
async fn history(app: &App, name: &CronName, now: Timestamp) -> Result<Vec<Change>, Error> {
    let events = app.store.latest_events(HISTORY_EVENTS).await?;
    let own = events
        .into_iter()
        .filter(|event| event.fields.get("cron").is_some_and(|cron| cron == name.as_str()));
    let change = |event: store::Event| {
        let text = |field: &str| event.fields.get(field).cloned().unwrap_or_default();
        let what = match text("change").as_str() {
            "skipped" => {
                let ticks = count(text("count").parse().unwrap_or(1), "tick");
                format!("skipped {ticks}: {}", skip_reason(&text("reason")))
            }
            change => change.to_owned(),
        };
        Change { moment: Moment::new(Timestamp::from_ms(event.id.ms as i64), now), what }
    };
    Ok(own.take(HISTORY).map(change).collect())
}

/// Lists the crons.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit"])?;
    let (start, limit) = query.page(LIMIT, LIMIT)?;
    let live = format!("/crons?start={start}&limit={limit}");
    let layout = Layout::new(&app, caller, Section::Crons, "Crons", live).await?;
    let (crons, total) = app.store.crons(start, limit).await?;
    let paging = Paging::new("/crons", (start, limit), crons.len(), (total, "cron"));
    let calendar = Calendar::new(&crons, layout.now);
    let crons = crons.iter().map(|cron| Shown::new(cron, &layout)).collect();
    let can_edit = layout.may("/crons");
    Ok(html(StatusCode::OK, &CronsPage { layout, crons, calendar, paging, can_edit }))
}

/// Shows a cron.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Name(name): Name<CronName>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let notice = notice::read(raw.as_deref())?;
    let cron = commands::cron::find(&app, &name).await?;
    let (title, live) = (format!("Cron {name}"), format!("/crons/{name}"));
    let mut layout = Layout::new(&app, caller, Section::Crons, title, live).await?;
    layout.notice = notice;
    let ticks = commands::cron::next_ticks(&app, &cron, TICKS).await?;
    let zone = cron.spec.time_zone;
    let tick = |at| Tick { moment: Moment::new(at, layout.now), local: zone.format(at) };
    let parameters = shown_parameters(&cron.spec.action, cron.spec.parameters.clone());
    let page = CronPage {
        cron: Shown::new(&cron, &layout),
        history: history(&app, &name, layout.now).await?,
        ticks: ticks.into_iter().map(tick).collect(),
        parameters: parameters.map(|object| pretty(&Value::Object(object))),
        rules: format!(
            "missed ticks: {}; overlap: {}",
            cron.spec.misfire.as_str(),
            cron.spec.overlap.as_str(),
        ),
        layout,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Creates a job of a cron and shows it.
pub(super) async fn run(
    State(app): State<Arc<App>>,
    Name(name): Name<CronName>,
    caller: Caller,
) -> Result<Response, Refusal> {
    let job = commands::cron::run(&app, &caller, &name).await?;
    Ok(notice::show_at(&format!("/jobs/{}", job.id), "run"))
}

/// Pauses a cron.
pub(super) async fn pause(
    State(app): State<Arc<App>>,
    Name(name): Name<CronName>,
) -> Result<Response, Refusal> {
    commands::cron::set_paused(&app, &name, true).await?;
    Ok(notice::show_at(&format!("/crons/{name}"), "pause-cron"))
}

/// Resumes a cron.
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Name(name): Name<CronName>,
) -> Result<Response, Refusal> {
    commands::cron::set_paused(&app, &name, false).await?;
    Ok(notice::show_at(&format!("/crons/{name}"), "resume-cron"))
}

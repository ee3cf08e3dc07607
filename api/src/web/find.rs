//! `/find?q=…`: pages, jobs, actions, workers, crons and locks whose name contains a text. The
//! finder of the script shows the same list.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::{Job, JobId};
use store::Worker;

use super::format::status_words;
use super::layout::{Layout, Section, html};
use super::path::lock_url;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::query::Query;

/// How many results of each kind are shown.
const SHOWN: usize = 8;
/// How many crons and locks are looked at.
const LOOKED_AT: usize = 500;
/// Longer texts are cut.
const MAX_CHARACTERS: usize = 128;

#[derive(Template)]
#[template(path = "find.html")]
struct FindPage {
    layout: Layout,
    text: String,
    groups: Vec<Group>,
}

/// The results of one kind.
struct Group {
    name: &'static str,
    results: Vec<Found>,
}

/// A result.
struct Found {
    name: String,
    note: String,
    url: String,
}

/// Shows what matches.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &["q"])?;
    let text: String = query.text("q").unwrap_or_default().chars().take(MAX_CHARACTERS).collect();
    let layout = Layout::still(&app, caller, Section::Find, "Find").await?;
    let wanted = text.trim().to_lowercase();
    let mut groups = vec![pages(&layout, &wanted)];
    if !wanted.is_empty() {
        groups.push(jobs(&app, text.trim()).await?);
        let workers = app.store.workers().await?;
        groups.push(actions(&app, &workers, &wanted).await?);
        groups.push(self::workers(&workers, &wanted));
        groups.push(crons(&app, &wanted).await?);
        groups.push(locks(&app, &wanted).await?);
    }
    groups.retain(|group| !group.results.is_empty());
    Ok(html(StatusCode::OK, &FindPage { layout, text, groups }))
}

fn group(name: &'static str, results: impl Iterator<Item = Found>) -> Group {
    Group { name, results: results.take(SHOWN).collect() }
}

fn found(name: impl Into<String>, note: impl Into<String>, url: impl Into<String>) -> Found {
    Found { name: name.into(), note: note.into(), url: url.into() }
}

fn pages(layout: &Layout, wanted: &str) -> Group {
    let all = layout.links().chain(layout.more_links());
    let all = all.filter(|(name, _, _)| name.to_lowercase().contains(wanted));
    let results: Vec<Found> = all.map(|(name, path, _)| found(name, "page", path)).collect();
    Group { name: "Pages", results }
}

/// Finds a job by its number or id; otherwise offers a search for the text.
async fn jobs(app: &App, text: &str) -> Result<Group, Error> {
    let number = text.strip_prefix('#').unwrap_or(text).parse::<u64>();
    let job: Option<Job> = match (number, text.parse::<JobId>()) {
        (Ok(number), _) => app.store.job_numbered(number).await?,
        (Err(_), Ok(id)) => app.store.job(id).await?,
        (Err(_), Err(_)) => None,
    };
    let job = job.map(|job| {
        let name = format!("#{} {}", job.number, job.spec.action);
        found(name, status_words(job.status), format!("/jobs/{}", job.id))
    });
    let search = form_urlencoded::Serializer::new(String::new()).append_pair("q", text).finish();
    let search = found(format!("Search jobs for {text}"), "", format!("/jobs?{search}"));
    Ok(group("Jobs", job.into_iter().chain([search])))
}

async fn actions(app: &App, workers: &[Worker], wanted: &str) -> Result<Group, Error> {
    let live = workers.iter().filter(|worker| worker.is_live());
    let mut names: BTreeSet<String> = live.flat_map(|worker| worker.actions.clone()).collect();
    let configured = app.store.action_configs().await?;
    names.extend(configured.into_iter().map(|config| config.action.to_string()));
    let names = names.into_iter().filter(|name| name.to_lowercase().contains(wanted));
    Ok(group("Actions", names.map(|name| found(&name, "jobs", format!("/jobs?action={name}")))))
}

fn workers(workers: &[Worker], wanted: &str) -> Group {
    let matching = workers.iter().filter(|worker| {
        worker.name.to_lowercase().contains(wanted) || worker.id.as_str().starts_with(wanted)
    });
    let result = |worker: &Worker| {
        found(&worker.name, worker.id.as_str(), format!("/workers/{}", worker.id))
    };
    group("Workers", matching.map(result))
}

async fn crons(app: &App, wanted: &str) -> Result<Group, Error> {
    let (crons, _) = app.store.crons(0, LOOKED_AT).await?;
    let names = crons.into_iter().map(|cron| (cron.name.to_string(), cron.spec.schedule));
    let matching = names.filter(|(name, _)| name.to_lowercase().contains(wanted));
    let result = |(name, schedule): (String, domain::cron::Schedule)| {
        let url = format!("/crons/{name}");
        found(name, schedule.describe(), url)
    };
    Ok(group("Crons", matching.map(result)))
}

async fn locks(app: &App, wanted: &str) -> Result<Group, Error> {
    let (locks, _) = app.store.locks(0, LOOKED_AT).await?;
    let matching = locks.iter().filter(|lock| lock.name.as_str().to_lowercase().contains(wanted));
    let note = |lock: &store::Lock| match lock.waiting {
        0 => String::new(),
        waiting => format!("{waiting} waiting"),
    };
    let result = |lock: &store::Lock| found(lock.name.as_str(), note(lock), lock_url(&lock.name));
    Ok(group("Locks", matching.map(result)))
}

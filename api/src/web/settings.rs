//! `/settings`: what the fleet runs and keeps, and who may use it. Tokens are shown without their
//! values, which the API does not know.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::access_tokens::Role;
use store::{FleetStatus, Settings};

use super::format::{Moment, number};
use super::layout::{Layout, Section, html};
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::{Access, Caller};

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    layout: Layout,
    facts: Vec<(&'static str, String)>,
    services: Vec<ServiceRow>,
    workers: Vec<(String, String)>,
    store: Vec<(&'static str, String)>,
    /// The owners and roles of the tokens; `None` if the caller may not see them.
    tokens: Option<Vec<(String, &'static str)>>,
    requires_tokens: bool,
}

/// A service that runs.
struct ServiceRow {
    kind: &'static str,
    id: String,
    version: String,
    started: Moment,
}

/// Shows the page.
pub(super) async fn show(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Refusal> {
    let may_see_tokens = caller.may(Access::Role(Role::Admin));
    let layout = Layout::new(&app, caller, Section::Settings, "Settings", "/settings").await?;
    let status = app.store.fleet_status().await?;
    let services = status.health.services.iter().map(|one| ServiceRow {
        kind: one.kind.as_str(),
        id: one.id.clone(),
        version: one.version.clone(),
        started: Moment::new(one.started_at, layout.now),
    });
    let versions = status.workers.versions.iter();
    let page = SettingsPage {
        facts: facts(&app.store.settings().await?),
        services: services.collect(),
        workers: versions.map(|(version, count)| (version.clone(), number(*count))).collect(),
        store: store_facts(&status),
        tokens: may_see_tokens.then(|| app.authenticator.owners()),
        requires_tokens: app.authenticator.requires_tokens(),
        layout,
    };
    Ok(html(StatusCode::OK, &page))
}

fn facts(settings: &Settings) -> Vec<(&'static str, String)> {
    let limit = |value: u64| if value == 0 { "no limit".to_owned() } else { number(value) };
    let age = match settings.job_history_max_age.to_string() {
        age if age.is_empty() => "no limit".to_owned(),
        age => age,
    };
    vec![
        (
            "Finished jobs",
            match settings.job_history_compaction_enabled {
                true => "removed beyond these limits".to_owned(),
                false => "kept".to_owned(),
            },
        ),
        ("Finished jobs to keep", limit(settings.job_history_to_keep)),
        ("Longest time to keep them", age),
        ("Waiting jobs per submitter", limit(settings.max_waiting_jobs)),
        ("Their size in bytes", limit(settings.max_waiting_bytes)),
    ]
}

fn store_facts(status: &FleetStatus) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(memory) = status.health.memory {
        let limit = match memory.limit_bytes {
            0 => "no limit".to_owned(),
            limit => format!("{} bytes", number(limit)),
        };
        facts.push(("Memory", format!("{} bytes of {limit}", number(memory.used_bytes))));
    }
    if let Some(append_only) = status.append_only {
        let words = if append_only { "each change is written to disk" } else { "off" };
        facts.push(("Append-only file", words.to_owned()));
    }
    if let Some(why) = &status.refuses_writes {
        facts.push(("Refuses writes", why.clone()));
    }
    facts
}

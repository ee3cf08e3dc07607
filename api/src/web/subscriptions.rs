//! `/subscriptions` and `/subscriptions/{name}`: which events are delivered where, how that goes,
//! and pause, resume and test.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::subscription::SubscriptionName;
use store::Subscription;

use super::format::{Moment, number};
use super::layout::{Layout, Section, html};
use super::notice;
use super::path::Name;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::commands;

#[derive(Template)]
#[template(path = "subscriptions.html")]
struct SubscriptionsPage {
    layout: Layout,
    subscriptions: Vec<Shown>,
}

#[derive(Template)]
#[template(path = "subscription.html")]
struct SubscriptionPage {
    layout: Layout,
    one: Shown,
}

/// A subscription as the page shows it.
struct Shown {
    name: String,
    url: String,
    events: String,
    is_paused: bool,
    waiting: String,
    delivered: String,
    failed: String,
    dropped: String,
    gaps: String,
    retries: u32,
    last_delivered: Option<Moment>,
    last_failure: Option<Moment>,
    failure: String,
    created: Moment,
    /// The list of the jobs that send its messages, and of those that failed.
    jobs: String,
    failed_jobs: String,
    can_pause: bool,
    can_resume: bool,
    can_test: bool,
}

impl Shown {
    fn new(one: &Subscription, layout: &Layout) -> Shown {
        let moment = |at| Moment::new(at, layout.now);
        let record = &one.record;
        let failure = record.last_failure.as_ref();
        let may = |verb: &str| layout.may(&format!("/subscriptions/{{name}}/{verb}"));
        Shown {
            name: one.name.to_string(),
            url: one.spec.url.url().to_string(),
            events: events(one),
            is_paused: one.paused,
            waiting: number(record.waiting),
            delivered: number(record.delivered),
            failed: number(record.failed),
            dropped: number(record.dropped),
            gaps: number(record.cuts),
            retries: one.spec.retries,
            last_delivered: record.last_delivered.as_ref().map(|(_, at)| moment(*at)),
            last_failure: failure.map(|failure| moment(failure.at)),
            failure: failure.map(|failure| failure.message.clone()).unwrap_or_default(),
            created: moment(one.created_at),
            jobs: jobs(&one.name, ""),
            failed_jobs: jobs(&one.name, " status:error"),
            can_pause: !one.paused && may("pause"),
            can_resume: one.paused && may("resume"),
            can_test: may("test"),
        }
    }
}

/// Returns the list of the jobs that send messages of a subscription.
fn jobs(name: &SubscriptionName, more: &str) -> String {
    let search = format!("action:deliver by:\"subscription {name}\"{more}");
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("q", &search).finish();
    format!("/jobs?{query}")
}

/// Says which events it receives.
fn events(one: &Subscription) -> String {
    let filter = &one.spec.filter;
    let list = |words: Vec<String>| words.join(", ");
    let mut parts = vec![match filter.kinds.is_empty() {
        true => "all events".to_owned(),
        false => list(filter.kinds.iter().map(|kind| kind.as_str().to_owned()).collect()),
    }];
    if !filter.statuses.is_empty() {
        parts.push(list(filter.statuses.iter().map(ToString::to_string).collect()));
    }
    parts.extend(filter.action.as_ref().map(|action| format!("action {action}")));
    parts.extend(filter.job.as_ref().map(|job| format!("job {job}")));
    parts.join(" · ")
}

/// Lists the subscriptions.
pub(super) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, Refusal> {
    let (title, live) = ("Subscriptions", "/subscriptions");
    let layout = Layout::new(&app, caller, Section::Subscriptions, title, live).await?;
    let found = app.store.subscriptions().await?;
    let subscriptions = found.iter().map(|one| Shown::new(one, &layout)).collect();
    Ok(html(StatusCode::OK, &SubscriptionsPage { layout, subscriptions }))
}

/// Shows a subscription.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Name(name): Name<SubscriptionName>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let notice = notice::read(raw.as_deref())?;
    let one = commands::subscription::find(&app, &name).await?;
    let (title, live) = (format!("Subscription {name}"), format!("/subscriptions/{name}"));
    let mut layout = Layout::new(&app, caller, Section::Subscriptions, title, live).await?;
    layout.notice = notice;
    let one = Shown::new(&one, &layout);
    Ok(html(StatusCode::OK, &SubscriptionPage { layout, one }))
}

/// Pauses a subscription.
pub(super) async fn pause(
    State(app): State<Arc<App>>,
    Name(name): Name<SubscriptionName>,
) -> Result<Response, Refusal> {
    commands::subscription::set_paused(&app, &name, true).await?;
    Ok(notice::show_at(&format!("/subscriptions/{name}"), "pause-subscription"))
}

/// Resumes a subscription.
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Name(name): Name<SubscriptionName>,
) -> Result<Response, Refusal> {
    commands::subscription::set_paused(&app, &name, false).await?;
    Ok(notice::show_at(&format!("/subscriptions/{name}"), "resume-subscription"))
}

/// Sends a test message and shows its job.
pub(super) async fn test(
    State(app): State<Arc<App>>,
    Name(name): Name<SubscriptionName>,
    caller: Caller,
) -> Result<Response, Refusal> {
    let job = commands::subscription::test(&app, &caller, &name).await?;
    Ok(notice::show_at(&format!("/jobs/{}", job.id), "test"))
}

//! `/locks` and `/locks/{name}`: who holds a lock and since when, who waits for it, and clearing it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{RawQuery, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use domain::job::{ActionName, JobId, Status};
use domain::lock::LockName;
use store::Lock;

use super::form;
use super::format::{Moment, number, rough};
use super::layout::{Layout, Section, html};
use super::notice;
use super::paging::Paging;
use super::path::{Name, lock_url};
use super::rate_limits::ShownLimit;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::error::Error;
use crate::query::Query;
use crate::waiting::LONG_HELD_MS;

/// The default and the largest number of locks in a page.
const LIMIT: u32 = 100;
/// How many holders the list names.
const NAMED: usize = 3;

#[derive(Template)]
#[template(path = "locks.html")]
struct LocksPage {
    layout: Layout,
    locks: Vec<Shown>,
    paging: Paging,
    limits: Vec<ShownLimit>,
    can_limit: bool,
}

#[derive(Template)]
#[template(path = "lock.html")]
struct LockPage {
    layout: Layout,
    lock: Shown,
    can_clear: bool,
    can_set: bool,
    action: Option<String>,
    can_pause: bool,
}

/// A lock as the page shows it.
struct Shown {
    name: String,
    url: String,
    permits: String,
    /// The number of permits, if there is a limit.
    limit: String,
    is_paused: bool,
    held: u32,
    /// How long it has been held, if that is long and jobs wait for it.
    held_long: String,
    holders: Vec<Holder>,
    more_holders: usize,
    waiting: u64,
    waiters: Vec<Waiter>,
}

struct Holder {
    id: JobId,
    number: u64,
    action: String,
    worker: Option<String>,
    permits: u32,
    since: Option<Moment>,
    token: String,
    is_stopping: bool,
}

struct Waiter {
    id: JobId,
    number: u64,
    action: String,
    permits: u32,
    since: Option<Moment>,
}

impl Shown {
    fn new(lock: Lock, layout: &Layout) -> Shown {
        let holder = |store::Holder { job, permits }| Holder {
            id: job.id,
            number: job.number,
            action: job.spec.action.to_string(),
            worker: job.worker.map(String::from),
            permits,
            since: job.started_at.map(|at| Moment::new(at, layout.now)),
            token: job.token.map(|token| token.0.to_string()).unwrap_or_default(),
            is_stopping: job.status == Status::CancelRequest,
        };
        let waiter = |store::Waiter { job, permits }| Waiter {
            id: job.id,
            number: job.number,
            action: job.spec.action.to_string(),
            permits,
            since: job.passed.parked_at.map(|at| Moment::new(at, layout.now)),
        };
        let oldest = lock.holders.iter().filter_map(|holder| holder.job.started_at).min();
        let held_ms = oldest.map_or(0, |since| layout.now.ms() - since.ms());
        let is_long = lock.waiting > 0 && held_ms >= LONG_HELD_MS;
        Shown {
            held_long: if is_long { rough(held_ms) } else { String::new() },
            url: lock_url(&lock.name),
            name: lock.name.to_string(),
            permits: lock.permits.map_or("no limit".to_owned(), |all| number(u64::from(all))),
            limit: lock.permits.map(|all| all.to_string()).unwrap_or_default(),
            is_paused: lock.paused,
            held: lock.held,
            more_holders: lock.holders.len().saturating_sub(NAMED),
            holders: lock.holders.into_iter().map(holder).collect(),
            waiting: lock.waiting,
            waiters: lock.waiters.into_iter().map(waiter).collect(),
        }
    }

    fn named(&self) -> &[Holder] {
        &self.holders[..self.holders.len().min(NAMED)]
    }
}

/// Lists the locks.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &["start", "limit", notice::PARAMETER])?;
    let notice = notice::named(&query)?;
    let (start, limit) = query.page(LIMIT, LIMIT)?;
    let live = format!("/locks?start={start}&limit={limit}");
    let mut layout = Layout::new(&app, caller, Section::Locks, "Locks", live).await?;
    layout.notice = notice;
    let (locks, total) = app.store.locks(start, limit).await?;
    let paging = Paging::new("/locks", (start, limit), locks.len(), (total, "lock"));
    let locks = locks.into_iter().map(|lock| Shown::new(lock, &layout)).collect();
    let limits = app.store.limits().await?.into_iter();
    let limits = limits.map(|limit| ShownLimit::new(limit, &layout)).collect();
    let can_limit = layout.may("/limits");
    Ok(html(StatusCode::OK, &LocksPage { layout, locks, paging, limits, can_limit }))
}

/// Shows a lock. A lock that just became free is shown too, because the page refreshes itself.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Name(name): Name<LockName>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, Refusal> {
    let notice = notice::read(raw.as_deref())?;
    if notice.is_none() && !app.store.is_lock_known(&name).await? {
        return Err(Error::NoSuchLock(name.to_string()).into());
    }
    let title = format!("Lock {name}");
    let mut layout = Layout::new(&app, caller, Section::Locks, title, lock_url(&name)).await?;
    layout.notice = notice;
    let lock = Shown::new(app.store.lock(&name).await?, &layout);
    let action = limited_action(&name);
    let may_change = |action: &ActionName| layout.caller.check_action(action).is_ok();
    let page = LockPage {
        can_set: layout.may("/locks/{name}/permits"),
        can_clear: lock.held > 0 && layout.may("/locks/{name}/clear"),
        can_pause: action.as_ref().is_some_and(may_change) && layout.may("/actions/{action}/pause"),
        action: action.map(|action| action.to_string()),
        lock,
        layout,
    };
    Ok(html(StatusCode::OK, &page))
}

/// Clears a lock.
pub(super) async fn clear(
    State(app): State<Arc<App>>,
    Name(name): Name<LockName>,
) -> Result<Response, Refusal> {
    commands::lock::clear(&app, &name).await?;
    Ok(notice::show_at(&lock_url(&name), "clear"))
}

/// Sets the number of permits of a lock; an empty number restores the default.
pub(super) async fn set_permits(
    State(app): State<Arc<App>>,
    Name(name): Name<LockName>,
    request: Request,
) -> Result<Response, Refusal> {
    let form = form::read(request, &["permits"]).await?;
    let permits = form.text("permits").map(str::trim).filter(|text| !text.is_empty());
    // A number that is too large for its type is out of the range too.
    let permits = permits.map(|text| text.parse().unwrap_or(-1));
    app.store.set_permits(&name, commands::lock::permits(permits)?).await?;
    Ok(notice::show_at(&lock_url(&name), "permits"))
}

/// Returns the action whose limit a lock is.
fn limited_action(name: &LockName) -> Option<ActionName> {
    let action = name.as_str().strip_prefix("action:")?.parse().ok()?;
    (LockName::of_action(&action) == *name).then_some(action)
}

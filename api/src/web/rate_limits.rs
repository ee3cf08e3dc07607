//! The rate limits on the page `/locks`: what is shown of each, and the forms that set and delete one.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use domain::limit::{LimitName, RateLimit};

use super::form;
use super::format::{Moment, number};
use super::layout::Layout;
use super::notice::show_at;
use super::path::Name;
use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::commands;
use crate::commands::limit::LimitFields;
use crate::error::Error;
use crate::query::Query;

/// A rate limit as the page shows it.
pub(super) struct ShownLimit {
    pub(super) name: String,
    pub(super) url: String,
    /// Like `100 per 1m0s, 20 at once`.
    pub(super) starts: String,
    /// How much of the burst is used up; empty for a name with a star.
    pub(super) level: String,
    pub(super) waiting: String,
    /// When the next job may start, if not now.
    pub(super) next: Option<Moment>,
}

impl ShownLimit {
    /// Returns what the page shows.
    pub(super) fn new(
        store::Limit { name, limit, state }: store::Limit,
        layout: &Layout,
    ) -> ShownLimit {
        let next = state.map(|state| state.next_at).filter(|at| *at > layout.now);
        ShownLimit {
            name: name.to_string(),
            url: limit_url(&name),
            starts: match &limit {
                RateLimit::Spaced(spaced) => format!("{limit}, {} at once", spaced.burst),
                RateLimit::Calendar(_) => limit.to_string(),
            },
            level: state.map(|state| number(u64::from(state.used))).unwrap_or_default(),
            waiting: state.map(|state| number(state.waiting)).unwrap_or_default(),
            next: next.map(|at| Moment::new(at, layout.now)),
        }
    }
}

/// Sets a rate limit.
pub(super) async fn set(
    State(app): State<Arc<App>>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let fields = ["name", "rate", "per", "burst", "quota", "window", "timeZone"];
    let form = form::read(request, &fields).await?;
    let (name, limit) = fields_of(&form)?.validate()?;
    caller.set_subject(&name);
    commands::limit::set(&app, &name, limit).await?;
    Ok(show_at("/locks", "set-limit"))
}

/// Deletes a rate limit.
pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Name(name): Name<LimitName>,
) -> Result<Response, Refusal> {
    commands::limit::delete(&app, &name).await?;
    Ok(show_at("/locks", "delete-limit"))
}

fn fields_of(form: &Query) -> Result<LimitFields, Error> {
    let text = |field: &str| form.text(field).map(str::trim).filter(|text| !text.is_empty());
    // A number that is too large for its type is out of the range too.
    let number = |field| text(field).map(|text| text.parse().unwrap_or(-1));
    let per = text("per").map(str::parse).transpose();
    Ok(LimitFields {
        name: text("name").map(str::to_owned),
        rate: number("rate"),
        per: per.map_err(|error| Error::invalid("per", error))?,
        burst: number("burst"),
        quota: number("quota"),
        window: text("window").map(str::to_owned),
        time_zone: text("timeZone").map(str::to_owned),
    })
}

/// Returns the path of the forms of a limit, whose name may contain `/`.
fn limit_url(name: &LimitName) -> String {
    format!("/limits/{}", name.as_str().replace('/', "%2F"))
}

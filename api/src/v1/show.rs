//! GET /job/{number}, and how jobs are found by number.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, OriginalUri, Path, RawQuery, State};
use axum::http::request::Parts;
use shared::job;
use shared::store::Store;

use super::envelope::{Jobs, Success};
use super::filter::left_out_of;
use super::list::shown;
use super::refusal::Refusal;
use crate::app::{App, in_time};
use crate::surface::no_such_route;

/// The number in the path, as its digits say it. Anything but digits is a path that is not served.
pub(super) struct Number(String);

impl FromRequestParts<Arc<App>> for Number {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let text = path.map(|Path(text)| text).unwrap_or_default();
        if text.is_empty() || text.len() > 64 || !text.chars().all(|c| c.is_ascii_digit()) {
            let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
            return Err(no_such_route(uri));
        }
        let digits = text.trim_start_matches('0');
        Ok(Number(if digits.is_empty() { "0" } else { digits }.to_owned()))
    }
}

impl Number {
    /// The job that has it.
    pub(super) async fn job(&self, store: &Store) -> Result<job::Job, Refusal> {
        let found = match self.0.parse() {
            Ok(number) => store.job_numbered(number).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| Refusal::bad(format!("No job with id {} found", self.0)))
    }
}

/// Shows a job.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    number: Number,
    RawQuery(raw): RawQuery,
) -> Result<Json<Success<Jobs>>, Refusal> {
    in_time(async {
        let job = number.job(&app.store).await?;
        let jobs = shown(&app.store, vec![job], &left_out_of(raw.as_deref())).await?;
        Ok(Json(Success::jobs(jobs)))
    })
    .await
}

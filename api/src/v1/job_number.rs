//! Job numbers in paths, and finding jobs by number.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri, Path};
use axum::http::request::Parts;
use domain::job;
use store::Store;

use super::refusal::Refusal;
use crate::app::App;
use crate::http_error::no_such_route;

/// The job number in a path, as decimal digits without leading zeros. A path with anything else is
/// answered like an unknown path.
pub(super) struct JobNumber(String);

impl FromRequestParts<Arc<App>> for JobNumber {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        let text = path.map(|Path(text)| text).unwrap_or_default();
        if text.is_empty() || text.len() > 64 || !text.chars().all(|c| c.is_ascii_digit()) {
            let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
            return Err(no_such_route(uri));
        }
        let digits = text.trim_start_matches('0');
        Ok(JobNumber(if digits.is_empty() { "0" } else { digits }.to_owned()))
    }
}

impl JobNumber {
    /// Returns the job with this number.
    pub(super) async fn job(&self, store: &Store) -> Result<job::Job, Refusal> {
        let found = match self.0.parse() {
            Ok(number) => store.job_numbered(number).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| Refusal::bad(format!("No job with id {} found", self.0)))
    }
}

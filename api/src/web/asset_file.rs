//! `/assets/{name}`: a file that pages load. Its name contains its hash, so browsers keep it.

use axum::extract::OriginalUri;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::assets::ASSETS;
use super::refusal::Refusal;
use crate::http_error::no_such_route;

const FOREVER: &str = "public, max-age=31536000, immutable";

/// Returns a file.
pub(super) async fn show(OriginalUri(uri): OriginalUri) -> Result<Response, Refusal> {
    let found = ASSETS.find(uri.path()).ok_or_else(|| no_such_route::<Refusal>(&uri))?;
    let headers = [(CONTENT_TYPE, found.media_type), (CACHE_CONTROL, FOREVER)];
    Ok((headers, found.bytes).into_response())
}

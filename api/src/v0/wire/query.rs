//! The query of a route without parameters: any parameter is refused by name.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::App;
use crate::query::Query;
use crate::v0::wire::refusal::Refusal;

/// The query of a route without parameters.
pub(in crate::v0) struct NoQuery;

impl FromRequestParts<Arc<App>> for NoQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Refusal> {
        Query::read(parts.uri.query(), &[])?;
        Ok(NoQuery)
    }
}

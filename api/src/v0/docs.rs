//! The OpenAPI document of this surface.

pub(super) mod security;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::openapi::{ComponentsBuilder, Info, OpenApi, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};

use crate::app::App;
use crate::v0::wire::query::NoQuery;
use crate::v0::wire::refusal::{Errors, Refusal};
use crate::v0::wire::responses::BadQuery;
use crate::v0::wire::schemas::{OptionalJobId, Statuses};

/// Clients of DTR choose by this version how to parse answers.
const VERSION: &str = "2.9.0";

/// Returns the document without its routes.
pub(in crate::v0) fn begin() -> OpenApi {
    let mut info = Info::new("Capstan", VERSION);
    info.description = Some(
        "Runs background jobs on a fleet of workers. Times are RFC 3339 in UTC. Durations have \
         Go's syntax, like `90s` or `1h30m`. Paths may end in a slash. Unknown query parameters \
         and fields are refused. A query parameter with an empty value counts as absent."
            .to_owned(),
    );
    // Responses and parameters refer to these by name, so they are not collected automatically.
    let mut schemas = vec![
        (Errors::name().into_owned(), Errors::schema()),
        (OptionalJobId::name().into_owned(), OptionalJobId::schema()),
        (Statuses::name().into_owned(), Statuses::schema()),
    ];
    Errors::schemas(&mut schemas);
    let components = ComponentsBuilder::new().schemas_from_iter(schemas).build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Returns this OpenAPI document.
#[utoipa::path(
    get, path = "/docs.json", operation_id = "GetDocs", tag = "docs",
    responses((status = 200, description = "The OpenAPI document.", body = Object), BadQuery),
)]
pub(in crate::v0) async fn show(
    State(app): State<Arc<App>>,
    _: NoQuery,
) -> Result<impl IntoResponse, Refusal> {
    Ok(([(CONTENT_TYPE, "application/json")], app.docs.clone()))
}

//! The CNaaS-NMS surface, `/api/v1.0`: its routes, and the modules that know its wire. Nothing outside
//! of it does. What clients of the reference (SUNET/cnaas-nms) know is as it is there, field by field and
//! text by text; where it is otherwise, the table in `docs/v1.0.md` says so, and why.
//!
//! | there | here |
//! |---|---|
//! | 500 for a number, a moment, or a column that cannot be compared | 400 in the shape of every error |
//! | 401 for a wrong method, another media type, a body that is no JSON | 405, 415, 400 |
//! | an abort needs a body | none at all is taken as `{"action": "ABORT"}` |
//! | 500 for a page too far | an empty page |
//! | the reason of an abort is lost when the job runs | it is its `result`, unless it has another |
//! | a path that is not served is answered in HTML; a trailing slash is refused | JSON; a slash is taken |
//! | `jwt` of the query is repeated in `Link` | it is not |
//! | ` (dry_run)` stands behind `function_name` | `start_arguments` say it |
//! | every filter is a walk through all jobs, however long | what an index serves is read from it; a walk ends after two seconds, newest first, and says so: `X-Result-Truncated: true` |
//! | the order is by `id` | with more than 2,000 jobs in a status or of a function, by `scheduled_time`: `X-Result-Order` |
//! | Socket.IO tells nothing of ABORTING and of progress, and may tell of a state before it is so | it tells both, and after |
//! | any origin may read with the user's credentials (CORS) | none may |
//! | an aborted job of which another has begun meanwhile goes on | cancelling is one step |

mod abort;
mod filter;
mod job;
mod link;
mod list;
mod pattern;
mod refusal;
mod scan;
mod show;
mod socket;
mod state;

pub(crate) use socket::Sockets;

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::error::Error;
use refusal::Refusal;

/// The largest body.
const BODY_BYTES: usize = 1024 * 1024;

/// Every route of the surface.
pub(crate) fn routes() -> Router<Arc<App>> {
    let routes = Router::new()
        .route("/jobs", get(list::list))
        .route("/job/{number}", get(show::show).put(abort::abort))
        .fallback(no_such_route)
        .method_not_allowed_fallback(not_allowed)
        .layer(CatchPanicLayer::custom(panicked));
    Router::new().nest("/api/v1.0", routes)
}

async fn no_such_route(uri: Uri) -> Refusal {
    Error::NoSuchRoute(uri.path().chars().take(128).collect()).into()
}

async fn not_allowed(method: Method, uri: Uri) -> Refusal {
    let method = method.as_str().chars().take(32).collect();
    Error::NotAllowed { method, route: uri.path().chars().take(128).collect() }.into()
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("?"), "a handler panicked");
    Refusal::from(Error::Broken).into_response()
}

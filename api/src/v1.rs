//! The CNaaS-NMS surface, `/api/v1.0`: its routes, and the modules that know its wire. Nothing
//! outside of it does. What clients of the reference (SUNET/cnaas-nms) know is as it is there,
//! field by field and text by text; where it is otherwise, the table in `docs/v1.0.md` says so, and
//! why.
//!
//! | there | here |
//! |---|---|
//! | 500 for a number, a moment, a column that cannot be compared | 400 |
//! | 401 for a wrong method, media type, body | 405, 415, 400 |
//! | an abort needs a body | none at all is taken as `{"action": "ABORT"}` |
//! | 500 for a page too far | an empty page |
//! | the reason of an abort is lost when the job runs | it is its `result`, unless it has another |
//! | HTML for a path that is not served; no trailing slash | JSON; a slash is taken |
//! | `jwt` of the query is repeated in `Link` | it is not |
//! | ` (dry_run)` stands behind `function_name` | `start_arguments` say it |
//! | a filter takes as long as it takes | a walk ends after two seconds: `X-Result-Truncated` |
//! | any order, in any list | a long one may keep its own, and says so: `X-Result-Order` |
//! | Socket.IO tells nothing of ABORTING and progress, and may tell too early | it tells, after |
//! | any origin may read with the user's credentials (CORS) | none may |
//! | a job that starts meanwhile may overrun its abort | an abort is one step |

mod abort;
mod envelope;
mod filter;
pub(crate) mod fuzzing;
mod job;
mod job_number;
mod joblocks;
mod link;
mod list;
mod pattern;
pub(crate) mod refusal;
mod scan;
mod show;
pub(crate) mod socketio;
mod state;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::http_error;
use refusal::Refusal;

/// Every route of the surface.
pub(crate) fn routes() -> Router<Arc<App>> {
    let routes = Router::new()
        .route("/jobs", get(list::list))
        .route("/joblocks", get(joblocks::list).delete(joblocks::clear))
        .route("/job/{number}", get(show::show).put(abort::abort));
    let routes = http_error::with_fallbacks::<_, Refusal>(routes)
        .layer(CatchPanicLayer::custom(http_error::panicked::<Refusal>));
    Router::new().nest("/api/v1.0", routes)
}

//! The CNaaS-NMS surface, `/api/v1.0`. Nothing outside of this surface knows its wire format.
//! Fields, texts and behaviour are those of the reference (SUNET/cnaas-nms), except for these
//! differences, which `docs/v1.0.md` explains:
//!
//! | reference | Capstan |
//! |---|---|
//! | 500 for an invalid number, time or column | 400 |
//! | 401 for a wrong method, content type or body | 405, 415, 400 |
//! | an abort needs a body | an empty body means `{"action": "ABORT"}` |
//! | 500 for a page past the end | an empty page |
//! | the reason for aborting a running job is lost | it is the `result`, unless the job has one |
//! | HTML for an unknown path; no trailing slash | JSON; a trailing slash is accepted |
//! | `Link` contains the `jwt` of the query | it does not |
//! | `function_name` ends in ` (dry_run)` | `start_arguments` contain it |
//! | a filter takes any time | a scan ends after two seconds, with `X-Result-Truncated` |
//! | every list can be sorted | a long list may not be, and has `X-Result-Order` |
//! | Socket.IO omits ABORTING and progress, and may be early | it has them, after the change |
//! | pages of any origin can read with the user's credentials | pages of no other origin can |
//! | a job that starts during its abort may keep running | an abort is atomic |

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

/// Returns the routes of the surface.
pub(crate) fn routes() -> Router<Arc<App>> {
    let routes = Router::new()
        .route("/jobs", get(list::list))
        .route("/joblocks", get(joblocks::list).delete(joblocks::clear))
        .route("/job/{number}", get(show::show).put(abort::abort));
    let routes = http_error::with_fallbacks::<_, Refusal>(routes)
        .layer(CatchPanicLayer::custom(http_error::panicked::<Refusal>));
    Router::new().nest("/api/v1.0", routes)
}

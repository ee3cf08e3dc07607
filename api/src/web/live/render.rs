//! Makes the content of a page for a stream, through the same routes as a request for the page.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use tower::ServiceExt;

use crate::app::App;
use crate::auth::{Caller, required_access};
use crate::error::Error;
use crate::live_pages::Content;
use crate::web::pages;

/// Larger pages are not sent.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// A page and its viewer.
pub(super) struct Renderer {
    routes: Router,
    caller: Caller,
    uri: Uri,
}

impl Renderer {
    /// Returns the maker of a page. Its role is checked each time, because it may change.
    pub(super) fn new(app: &Arc<App>, caller: &Caller, url: &str) -> Result<Renderer, Error> {
        let is_path = url.starts_with('/') && !url.starts_with("//");
        let uri = url.parse().ok().filter(|_| is_path);
        let uri = uri.ok_or_else(|| Error::invalid("page", "it must be the path of a page"))?;
        let routes = pages::routes().route_layer(from_fn(check_role)).with_state(Arc::clone(app));
        Ok(Renderer { routes, caller: caller.clone(), uri })
    }

    /// Makes the content.
    pub(super) async fn content(&self) -> Content {
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = self.uri.clone();
        request.extensions_mut().insert(self.caller.clone());
        let Ok(response) = self.routes.clone().oneshot(request).await;
        let status = response.status();
        if status == StatusCode::FORBIDDEN {
            return Content::Refused;
        }
        if status.is_server_error() {
            return Content::Away;
        }
        let Ok(bytes) = axum::body::to_bytes(response.into_body(), MAX_BYTES).await else {
            return Content::Refused;
        };
        let text = std::str::from_utf8(&bytes).ok();
        text.and_then(main_part).map_or(Content::Refused, |main| Content::Main(main.into()))
    }
}

/// Returns the main part of a page. No value of a page can contain its tags.
fn main_part(page: &str) -> Option<&str> {
    let start = page.find("<main")?;
    let end = page.find("</main>")?;
    page.get(start..end + "</main>".len())
}

/// Refuses a page that the caller may not see.
async fn check_role(path: MatchedPath, caller: Caller, request: Request, next: Next) -> Response {
    if caller.may_still(required_access(&Method::GET, Some(path.as_str()))) {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_part_is_found() {
        let page = "<body><header></header><main id=\"main\">a</main><footer></footer></body>";
        assert_eq!(main_part(page), Some("<main id=\"main\">a</main>"));
        assert_eq!(main_part("plain text"), None);
    }
}

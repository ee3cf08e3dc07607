//! `/live?page=…`: the content of a page as server-sent events. It is sent when it has changed, at
//! most four times a second, and made again every few seconds, because it contains relative times.

mod render;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use store::EventId;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::refusal::Refusal;
use crate::app::App;
use crate::auth::Caller;
use crate::error::Error;
use crate::events::Changes;
use crate::live_pages::{Content, LivePage, PageKey, StreamPermit};
use crate::query::Query;
use crate::stream_lifetime::StreamLifetime;
use render::Renderer;

/// A page is made again after this time even if no event has happened.
const REFRESH: Duration = Duration::from_secs(5);
/// After this long without an event, a comment is sent, so that a tab that has vanished is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_COMMENT: &str = ": still here\n\n";
/// The header that makes proxies forward each event at once.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");
const TOO_MANY: Error = Error::Unavailable("the limit of open pages is reached");

/// Follows a page. A tab that was in the background resumes after the event that it names.
pub(super) async fn follow(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = Query::read(raw.as_deref(), &["page", "after"])?;
    let url = query.text("page").unwrap_or("/").to_owned();
    let seen = last_seen(&query, &headers)?;
    let owner = caller.owner().map(ToString::to_string);
    let viewer = owner.as_ref().map(|owner| format!("{owner} {}", caller.role()));
    let stream_permit = Arc::clone(&app.page_streams).try_acquire_owned();
    let permit = stream_permit.map_err(|_| TOO_MANY)?;
    let owner_permit = owner.map(|owner| app.live_pages.permit(&owner).ok_or(TOO_MANY));
    let renderer = Renderer::new(&app, &caller, &url)?;
    // Subscribing before looking at the end of the stream leaves no gap.
    let changes = Changes::new(&app.events);
    let has_changed = seen.is_none() || seen != Some(app.store.last_event().await?);
    let tab = Tab {
        page: app.live_pages.page(PageKey { url, viewer: viewer.unwrap_or_default() }),
        lifetime: StreamLifetime::new(caller, app.shutdown.clone()),
        renderer,
        changes,
        has_changed,
        sent: None,
        sent_at: Instant::now(),
        _permits: (permit, owner_permit.transpose()?),
    };
    let parts = stream::unfold(tab, async |mut tab| {
        let part = tab.next_part().await?;
        Some((Ok::<_, std::convert::Infallible>(part), tab))
    });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store"), UNBUFFERED];
    Ok((headers, Body::from_stream(parts)).into_response())
}

/// A tab that follows a page.
struct Tab {
    page: Arc<LivePage>,
    lifetime: StreamLifetime,
    renderer: Renderer,
    changes: Changes,
    has_changed: bool,
    /// What was sent last.
    sent: Option<Content>,
    sent_at: Instant,
    _permits: (OwnedSemaphorePermit, Option<StreamPermit>),
}

impl Tab {
    /// Returns the next part of the body; `None` if the stream must end.
    async fn next_part(&mut self) -> Option<Bytes> {
        loop {
            if !std::mem::take(&mut self.has_changed) {
                let change = tokio::time::timeout(REFRESH, self.changes.next());
                tokio::select! {
                    biased;
                    () = self.lifetime.ended() => return None,
                    _ = change => {}
                }
            }
            let made = self.page.content(Instant::now(), || self.renderer.content());
            let content = tokio::select! {
                biased;
                () = self.lifetime.ended() => return None,
                content = made => content,
            };
            if let Some(part) = self.part(content)? {
                self.sent_at = Instant::now();
                return Some(part);
            }
        }
    }

    /// Returns what to send for a content, if anything; ends the stream if it is refused.
    fn part(&mut self, content: Content) -> Option<Option<Bytes>> {
        let has_changed = self.sent.as_ref() != Some(&content);
        let part = match &content {
            Content::Refused => return None,
            Content::Main(markup) if has_changed => Some(frame(self.changes.position(), markup)),
            Content::Away if has_changed => Some("event: away\ndata:\n\n".into()),
            Content::Main(_) | Content::Away if self.sent_at.elapsed() >= KEEP_ALIVE => {
                Some(KEEP_ALIVE_COMMENT.into())
            }
            Content::Main(_) | Content::Away => None,
        };
        self.sent = Some(content);
        Some(part)
    }
}

/// Returns the server-sent event for a content.
fn frame(position: Option<EventId>, markup: &str) -> Bytes {
    let mut text = String::with_capacity(markup.len() + 64);
    text.push_str("event: page\n");
    if let Some(position) = position {
        text.push_str(&format!("id: {position}\n"));
    }
    for line in markup.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text.into()
}

/// Returns the event that the tab has seen: the browser names it when it connects again by itself,
/// our script when the tab comes to the foreground.
fn last_seen(query: &Query, headers: &HeaderMap) -> Result<Option<EventId>, Error> {
    let header = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let named = header.filter(|text| !text.is_empty()).or_else(|| query.text("after"));
    let parsed = named.map(str::parse).transpose();
    parsed.map_err(|error: store::InvalidEventId| Error::invalid("after", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_the_markup_is_a_line_of_data() {
        let event = frame("1763740800123-7".parse().ok(), "<p>\na\r\nb");
        let expected = "event: page\nid: 1763740800123-7\n\
            data: <p>\ndata: a\ndata: \ndata: b\n\n";
        assert_eq!(event, expected);
        assert_eq!(frame(None, ""), "event: page\ndata: \n\n");
    }
}

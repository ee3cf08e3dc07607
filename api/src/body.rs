//! Request bodies: read up to a size and within a time, and checked for their content type.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::header::{CONTENT_TYPE, EXPECT, ORIGIN};
use axum::http::{HeaderMap, HeaderName};
use futures_util::StreamExt;

use crate::error::{Error, FieldPath};

/// A header that browsers add and pages cannot change.
pub(crate) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// How long a body may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of a body that is too large is read and discarded, so that the client sees the answer.
const DRAINED_BYTES: usize = 16 * 1024 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Reads a body of at most `limit_bytes`.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    limit_bytes: usize,
) -> Result<Bytes, Error> {
    // A client that waits for `100 Continue` has not sent the rest, so there is nothing to drain.
    let drains = !headers.contains_key(EXPECT);
    let reading = tokio::time::timeout(READ_TIMEOUT, read_all(body, limit_bytes, drains));
    reading.await.map_err(|_| Error::Json("it did not arrive in time".to_owned()))?
}

/// Refuses a content type other than JSON. DTR's clients send none, which is accepted, except from
/// a browser: a page must not be able to send a body without a preflight request.
pub(crate) fn require_json(headers: &HeaderMap) -> Result<(), Error> {
    let value = headers.get(CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(value);
    let kind = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_json =
        kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    let accepted = is_json || kind.is_empty() && !is_from_browser(headers);
    if accepted { Ok(()) } else { Err(Error::MediaType(text.chars().take(64).collect())) }
}

fn is_from_browser(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.contains_key(SEC_FETCH_SITE)
}

async fn read_all(body: Body, limit_bytes: usize, drains: bool) -> Result<Bytes, Error> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let Ok(chunk) = chunk else {
            // The client broke off, or the body budget is spent and the client waits for that.
            drain(chunks).await;
            return Err(Error::Json("it is incomplete".to_owned()));
        };
        if bytes.len() + chunk.len() > limit_bytes {
            if drains {
                drain(chunks).await;
            }
            return Err(Error::TooLarge { at: FieldPath::new("body"), limit_bytes });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

async fn drain(mut chunks: BodyDataStream) {
    let draining = async {
        let mut left = DRAINED_BYTES;
        while let Some(Ok(chunk)) = chunks.next().await {
            left = left.saturating_sub(chunk.len());
            if left == 0 {
                break;
            }
        }
    };
    // A client that still sends after this does not see the answer.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, draining).await;
}

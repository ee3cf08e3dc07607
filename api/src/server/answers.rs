//! How much all answers together may be that are not taken yet: each has a bound of its own, but whoever asks and never
//! reads leaves it here until it is given up, and many would take all memory. Small ones are free: there is one for each
//! connection at most.

use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::surface;

/// So many bytes.
const TOGETHER_BYTES: usize = 128 * 1024 * 1024;
/// A larger answer takes of the room.
const FREE_BYTES: u64 = 32 * 1024;

/// The room for answers.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Room {
        Room(Arc::new(Semaphore::new(TOGETHER_BYTES)))
    }
}

/// Bytes of an answer with what they have taken of the room, which is freed when the last of them is written.
struct Held {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Answers 503 instead of an answer for which there is no room. Streams have their own bounds.
pub(super) async fn bound(State(room): State<Room>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let Some(length) = response.body().size_hint().exact().filter(|length| *length > FREE_BYTES)
    else {
        return response;
    };
    // One alone is let through, however large it is.
    let needed = u32::try_from(length.min(TOGETHER_BYTES as u64)).unwrap_or(u32::MAX);
    let full = Error::Unavailable("too many large answers are not read");
    let Ok(permit) = Arc::clone(&room.0).try_acquire_many_owned(needed) else {
        return surface::refusal(&path, full);
    };
    let (head, body) = response.into_parts();
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(bytes) => {
            let held = Bytes::from_owner(Held { bytes, _permit: permit });
            Response::from_parts(head, Body::from(held))
        }
        Err(_) => surface::refusal(&path, Error::Broken),
    }
}

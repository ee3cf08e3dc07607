//! How much all bodies together may be that are being read or worked on: each has a limit of its
//! own, but many at once would take all memory. What a body has not sent yet takes nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::v0::Refusal;

/// So many bytes; what is made of them takes some times as much.
const TOGETHER_BYTES: usize = 64 * 1024 * 1024;

/// The room for bodies.
#[derive(Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Room {
        Room(Arc::new(Semaphore::new(TOGETHER_BYTES)))
    }
}

/// What one body has taken of the room; freed when its request is answered.
#[derive(Default)]
struct Taken {
    permit: Mutex<Option<OwnedSemaphorePermit>>,
    refused: AtomicBool,
}

impl Taken {
    fn take(&self, room: &Room, chunk: Bytes) -> Result<Bytes, axum::Error> {
        let bytes = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&room.0).try_acquire_many_owned(bytes) else {
            self.refused.store(true, Ordering::Relaxed);
            return Err(axum::Error::new("there is no room for the body"));
        };
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *permit {
            Some(permit) => permit.merge(more),
            None => *permit = Some(more),
        }
        Ok(chunk)
    }
}

/// Answers 503 instead of reading a body for which there is no room.
pub(super) async fn bound(State(room): State<Room>, request: Request, next: Next) -> Response {
    let taken = Arc::new(Taken::default());
    let taking = Arc::clone(&taken);
    let request = request.map(|body| {
        let chunks = body.into_data_stream();
        Body::from_stream(
            chunks.and_then(move |chunk| std::future::ready(taking.take(&room, chunk))),
        )
    });
    let response = next.run(request).await;
    if taken.refused.load(Ordering::Relaxed) {
        let full = Error::Unavailable("there are too many large bodies at once");
        return Refusal::from(full).into_response();
    }
    response
}

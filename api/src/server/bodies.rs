//! How much all bodies together may weigh that are being read or worked on: each has a limit of its
//! own, but many at once would take all memory, and a few bytes of JSON can become many. What a body
//! has not sent yet takes nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::TryStreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::Error;
use crate::surface;

/// So many bytes.
const TOGETHER_BYTES: usize = 256 * 1024 * 1024;
/// One of them.
const MOST_BYTES: usize = TOGETHER_BYTES / 2;
/// What a byte takes: it is read into a buffer that grows, and a text is kept once more.
const BYTE_BYTES: usize = 4;
/// What becomes of a comma or colon of JSON: a value, or the name of one.
const VALUE_BYTES: usize = 64;
/// What a list takes that has one value.
const LIST_BYTES: usize = 160;
/// What an object takes that has one value: a node of a tree.
const OBJECT_BYTES: usize = 640;

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
    full: AtomicBool,
    too_heavy: AtomicBool,
}

impl Taken {
    /// After the first refusal the rest is thrown away as it comes.
    fn take(&self, room: &Room, chunk: Bytes) -> Result<Bytes, axum::Error> {
        if self.full.load(Ordering::Relaxed) || self.too_heavy.load(Ordering::Relaxed) {
            return Ok(Bytes::new());
        }
        let weight = weight(&chunk);
        let mut permit = self.permit.lock().unwrap_or_else(PoisonError::into_inner);
        let before = permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if before + weight > MOST_BYTES {
            self.too_heavy.store(true, Ordering::Relaxed);
            return Err(axum::Error::new("the body is too heavy"));
        }
        let weight = u32::try_from(weight).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&room.0).try_acquire_many_owned(weight) else {
            self.full.store(true, Ordering::Relaxed);
            return Err(axum::Error::new("there is no room for the body"));
        };
        match &mut *permit {
            Some(permit) => permit.merge(more),
            None => *permit = Some(more),
        }
        Ok(chunk)
    }
}

/// What is at most made of a part of a body.
fn weight(chunk: &[u8]) -> usize {
    let more = chunk.iter().map(|byte| match byte {
        b',' | b':' => VALUE_BYTES,
        b'[' => LIST_BYTES,
        b'{' => OBJECT_BYTES,
        _ => 0,
    });
    chunk.len() * BYTE_BYTES + more.sum::<usize>()
}

/// Answers 503 instead of reading a body for which there is no room.
pub(super) async fn bound(State(room): State<Room>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let taken = Arc::new(Taken::default());
    let taking = Arc::clone(&taken);
    let request = request.map(|body| {
        let chunks = body.into_data_stream();
        Body::from_stream(
            chunks.and_then(move |chunk| std::future::ready(taking.take(&room, chunk))),
        )
    });
    let response = next.run(request).await;
    if taken.too_heavy.load(Ordering::Relaxed) {
        let why = "it has too many values for one request: send it in parts";
        return surface::refusal(&path, Error::invalid("body", why));
    }
    if taken.full.load(Ordering::Relaxed) {
        let full = Error::Unavailable("there are too many large bodies at once");
        return surface::refusal(&path, full);
    }
    response
}

//! A memory budget for all request bodies that are being read or processed.
//!
//! The size of each body is limited, but many at once could exhaust memory, and parsed JSON is much
//! larger than its text. A body is charged as it arrives, so slow clients cost nothing.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::TryStreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Surface;
use crate::error::Error;

/// The budget of all bodies together.
const TOTAL_BYTES: usize = 256 * 1024 * 1024;
/// The budget of one body.
const MAX_BYTES: usize = TOTAL_BYTES / 2;
/// The cost of a byte: the buffer that it is read into grows by doubling, and texts are copied.
const BYTE_COST: usize = 4;
/// The cost of a comma or colon: the value, or the name of a value, that follows it.
const VALUE_COST: usize = 64;
/// The cost of a list with one value.
const LIST_COST: usize = 160;
/// The cost of an object with one value: a node of a tree.
const OBJECT_COST: usize = 640;

/// The budget; one permit is one byte.
#[derive(Clone)]
pub(super) struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> BodyBudget {
        BodyBudget(Arc::new(Semaphore::new(TOTAL_BYTES)))
    }
}

/// What one body is charged until its request is answered.
#[derive(Default)]
struct Charge {
    permit: Option<OwnedSemaphorePermit>,
    refused: Option<Refused>,
}

#[derive(Debug, Clone, Copy)]
enum Refused {
    /// The body exceeds its own budget.
    TooLarge,
    /// The budget of all bodies is spent.
    BudgetSpent,
}

impl Charge {
    /// Charges a chunk. After the first refusal the rest of the body is discarded as it arrives.
    fn add(&mut self, budget: &BodyBudget, chunk: Bytes) -> Result<Bytes, axum::Error> {
        if self.refused.is_some() {
            return Ok(Bytes::new());
        }
        let cost = cost(&chunk);
        let before = self.permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if before + cost > MAX_BYTES {
            self.refused = Some(Refused::TooLarge);
            return Err(axum::Error::new("the body exceeds its budget"));
        }
        let cost = u32::try_from(cost).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&budget.0).try_acquire_many_owned(cost) else {
            self.refused = Some(Refused::BudgetSpent);
            return Err(axum::Error::new("the budget of all bodies is spent"));
        };
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(chunk)
    }
}

/// Returns an upper bound of the memory that a part of a JSON text needs.
fn cost(chunk: &[u8]) -> usize {
    let values = chunk.iter().map(|byte| match byte {
        b',' | b':' => VALUE_COST,
        b'[' => LIST_COST,
        b'{' => OBJECT_COST,
        _ => 0,
    });
    chunk.len() * BYTE_COST + values.sum::<usize>()
}

/// Middleware that charges bodies and refuses those that exceed the budget.
pub(super) async fn charge(
    State(budget): State<BodyBudget>,
    request: Request,
    next: Next,
) -> Response {
    let surface = Surface::of(&request);
    let charge = Arc::new(Mutex::new(Charge::default()));
    let charging = Arc::clone(&charge);
    let request = request.map(|body| {
        let chunks = body.into_data_stream().and_then(move |chunk| {
            let mut charge = charging.lock().unwrap_or_else(PoisonError::into_inner);
            std::future::ready(charge.add(&budget, chunk))
        });
        Body::from_stream(chunks)
    });
    let response = next.run(request).await;
    let refused = charge.lock().unwrap_or_else(PoisonError::into_inner).refused;
    match refused {
        None => response,
        Some(Refused::TooLarge) => {
            let why = "it has too many values for one request; split it";
            surface.refuse(Error::invalid("body", why))
        }
        Some(Refused::BudgetSpent) => {
            surface.refuse(Error::Unavailable("too many large bodies are being processed"))
        }
    }
}

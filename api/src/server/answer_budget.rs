//! A memory budget for answers that are whole in memory while they are sent.
//!
//! Most large answers are read from the store as the client receives them, and small ones are
//! bounded by the number of connections. This bounds the others, such as those to batches: a client
//! that requests them and does not read them gets no more of them, and other clients do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use store::UNKNOWN_USER;

use super::refusal::Surface;
use crate::auth::{Caller, client_address};
use crate::error::Error;
use crate::settings::Networks;

/// The budget of all answers together.
const TOTAL_BYTES: usize = 256 * 1024 * 1024;
/// Smaller answers are not charged.
const SMALL_BYTES: usize = 64 * 1024;

const UNREAD: Error = Error::Unavailable("too many answers to this client are not read yet");

/// The budget. Clones share it.
#[derive(Clone, Default)]
pub(super) struct AnswerBudget {
    in_flight: Arc<Mutex<InFlight>>,
    proxies: Networks,
}

/// The bytes of answers that are being sent.
#[derive(Default)]
struct InFlight {
    total: usize,
    by_client: HashMap<Client, usize>,
}

/// The recipient of an answer: the owner of a token or, without tokens, an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Client {
    Owner(String),
    Address(IpAddr),
}

/// The bytes charged for one answer until it is sent.
struct Charge {
    budget: AnswerBudget,
    client: Client,
    bytes: usize,
}

impl AnswerBudget {
    /// Creates a budget. A client behind one of these proxies is identified by its own address.
    pub(super) fn new(proxies: Networks) -> AnswerBudget {
        AnswerBudget { proxies, ..AnswerBudget::default() }
    }

    fn client(&self, request: &Request) -> Client {
        let owner = request.extensions().get::<Caller>().map_or(UNKNOWN_USER, Caller::name);
        match owner {
            owner if owner != UNKNOWN_USER => Client::Owner(owner.to_owned()),
            _ => {
                let headers = request.headers();
                Client::Address(client_address(request.extensions(), headers, &self.proxies))
            }
        }
    }

    /// True if this many more bytes may be sent to the client: no more than remain for all others.
    /// A client that waits for no other answer may receive one of any size.
    fn has_room(&self, client: &Client, bytes: usize) -> bool {
        let in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        let own = in_flight.by_client.get(client).copied().unwrap_or(0);
        own == 0 || own + bytes <= TOTAL_BYTES.saturating_sub(in_flight.total)
    }

    fn charge(&self, client: Client, bytes: usize) -> Charge {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        in_flight.total += bytes;
        *in_flight.by_client.entry(client.clone()).or_default() += bytes;
        Charge { budget: self.clone(), client, bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut in_flight = self.budget.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        in_flight.total -= self.bytes;
        if let Some(own) = in_flight.by_client.get_mut(&self.client) {
            *own -= self.bytes;
            if *own == 0 {
                in_flight.by_client.remove(&self.client);
            }
        }
    }
}

/// Middleware that charges answers. A read is refused when its answer is known; a change is refused
/// before it is made.
pub(super) async fn charge(
    State(budget): State<AnswerBudget>,
    request: Request,
    next: Next,
) -> Response {
    let (surface, client) = (Surface::of(&request), budget.client(&request));
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && !budget.has_room(&client, 0) {
        return surface.refuse(UNREAD);
    }
    let response = next.run(request).await;
    let bytes = response.body().size_hint().exact().and_then(|size| usize::try_from(size).ok());
    let Some(bytes) = bytes.filter(|bytes| *bytes > SMALL_BYTES) else { return response };
    if reads && !budget.has_room(&client, bytes) {
        return surface.refuse(UNREAD);
    }
    let charge = budget.charge(client, bytes);
    let mut response = response.map(|body| in_parts(body, charge));
    response.headers_mut().entry(CONTENT_LENGTH).or_insert(bytes.into());
    response
}

/// Sends a body in copied parts. Otherwise its connection would take it whole, and hold it in
/// memory after the charge has ended.
fn in_parts(body: Body, charge: Charge) -> Body {
    let whole = (body.into_data_stream(), Bytes::new(), charge);
    Body::from_stream(stream::unfold(whole, async |(mut data, mut rest, charge)| {
        if rest.is_empty() {
            rest = match data.next().await? {
                Ok(bytes) => bytes,
                Err(error) => return Some((Err(error), (data, rest, charge))),
            };
        }
        let part = Bytes::copy_from_slice(&rest.split_to(rest.len().min(SMALL_BYTES)));
        Some((Ok(part), (data, rest, charge)))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str) -> Client {
        Client::Owner(name.to_owned())
    }

    #[test]
    fn a_client_may_take_as_much_as_it_leaves_for_others() {
        let budget = AnswerBudget::default();
        let (greedy, other) = (client("greedy"), client("other"));
        let half = budget.charge(greedy.clone(), TOTAL_BYTES / 2);
        assert!(!budget.has_room(&greedy, 1));
        assert!(budget.has_room(&other, TOTAL_BYTES / 2));
        let quarter = budget.charge(other.clone(), TOTAL_BYTES / 4);
        assert!(!budget.has_room(&other, 1));
        drop(half);
        assert!(budget.has_room(&other, TOTAL_BYTES / 2));
        drop(quarter);
        assert_eq!(budget.in_flight.lock().unwrap().by_client.len(), 0);
    }

    #[test]
    fn a_client_that_is_sent_nothing_else_gets_any_answer() {
        let budget = AnswerBudget::default();
        let _all = budget.charge(client("greedy"), TOTAL_BYTES);
        assert!(budget.has_room(&client("other"), 2 * TOTAL_BYTES));
    }

    async fn large() -> Vec<u8> {
        vec![7; 2 * SMALL_BYTES]
    }

    #[tokio::test]
    async fn a_client_with_too_many_unread_answers_is_refused_and_others_are_not() {
        let budget = AnswerBudget::default();
        let layer = axum::middleware::from_fn_with_state(budget.clone(), charge);
        let router: axum::Router =
            axum::Router::new().route("/", axum::routing::get(large).post(large)).layer(layer);
        let status = async |method: &str| {
            let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
            let answer = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
            answer.status().as_u16()
        };
        let others = budget.charge(client("other"), TOTAL_BYTES);
        assert_eq!((status("GET").await, status("POST").await), (200, 200));
        let own = budget.client(&Request::new(Body::empty()));
        let own = budget.charge(own, 1);
        assert_eq!((status("GET").await, status("POST").await), (503, 503));
        drop(others);
        assert_eq!((status("GET").await, status("POST").await), (200, 200));
        drop(own);
    }

    #[tokio::test]
    async fn an_answer_is_charged_until_its_last_part_is_taken() {
        let budget = AnswerBudget::default();
        let charge = budget.charge(client("slow"), 3 * SMALL_BYTES);
        let mut parts = in_parts(Body::from(vec![7; 3 * SMALL_BYTES]), charge).into_data_stream();
        for _ in 0..3 {
            assert_eq!(parts.next().await.unwrap().unwrap(), vec![7; SMALL_BYTES]);
            assert_eq!(budget.in_flight.lock().unwrap().total, 3 * SMALL_BYTES);
        }
        assert!(parts.next().await.is_none());
        drop(parts);
        assert_eq!(budget.in_flight.lock().unwrap().total, 0);
    }
}

//! Claims and ends on their way to the store, grouped as they come in flight, tried again until answered: an
//! outage delays what is recorded and loses none of it.

use std::sync::Arc;
use std::time::Duration;

use store::batcher::{Driver, Group, group};
use store::{ClaimAnswer, ClaimRequest, Claims, Finish, Finished, StoreError};

use crate::{Life, Service};

/// How many requests one call carries.
const REQUESTS: usize = 64;
/// How many jobs one claim call may move: a script blocks Redis.
const CLAIMS: u32 = 128;

/// Between two tries.
const AGAIN: Duration = Duration::from_millis(200);

/// The answer to one claim request; `None` when the lease is lost.
pub(crate) type ClaimReply = Option<Vec<ClaimAnswer>>;

/// Where claims and ends are put in. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) claims: Group<ClaimRequest, ClaimReply>,
    pub(crate) ends: Group<Finish, Option<Finished>>,
}

/// The other ends, to be driven by the intake's tasks.
pub(crate) struct Drivers {
    claims: Driver<ClaimRequest, ClaimReply>,
    ends: Driver<Finish, Option<Finished>>,
}

impl Recorder {
    pub(crate) fn new() -> (Recorder, Drivers) {
        let (claims, claims_driver) = group(REQUESTS);
        let (ends, ends_driver) = group(REQUESTS);
        (Recorder { claims, ends }, Drivers { claims: claims_driver, ends: ends_driver })
    }
}

impl Drivers {
    /// Two futures that serve claims and ends until every [`Recorder`] is dropped.
    pub(crate) fn serve(
        self,
        service: Arc<Service>,
        life: Life,
    ) -> (impl Future<Output = ()> + Send, impl Future<Output = ()> + Send) {
        let (other_service, other_life) = (Arc::clone(&service), life.clone());
        let claims = self.claims.run(move |requests| {
            let (service, life) = (Arc::clone(&service), life.clone());
            async move { claim(&service, &life, requests).await }
        });
        let ends = self.ends.run(move |ends| {
            let (service, life) = (Arc::clone(&other_service), other_life.clone());
            async move { finish(&service, &life, ends).await }
        });
        (claims, ends)
    }
}

/// Serves a group of claim requests.
async fn claim(service: &Service, life: &Life, requests: Vec<ClaimRequest>) -> Vec<ClaimReply> {
    let mut replies = Vec::with_capacity(requests.len());
    while replies.len() < requests.len() {
        let rest = &requests[replies.len()..];
        let mut jobs = 0;
        let fit = rest.iter().take_while(|request| {
            jobs += request.max;
            jobs <= CLAIMS
        });
        let some = &rest[..fit.count().max(1)];
        let answered = until_answered(life, || service.store.claim(&life.id, some)).await;
        match answered {
            Some(Claims::Answered(answers)) => replies.extend(answers.into_iter().map(Some)),
            Some(Claims::LeaseLost) => life.lost.cancel(),
            Some(Claims::Overtaken) => {}
            // The heart is about to renew it, or to hear that it is too late.
            Some(Claims::LeaseLate) => tokio::time::sleep(AGAIN).await,
            None => {}
        }
        if life.lost.is_cancelled() {
            replies.resize(requests.len(), None);
        }
    }
    replies
}

/// Serves a group of ends.
async fn finish(service: &Service, life: &Life, ends: Vec<Finish>) -> Vec<Option<Finished>> {
    match until_answered(life, || service.store.finish(&ends)).await {
        Some(answers) => answers.into_iter().map(Some).collect(),
        None => vec![None; ends.len()],
    }
}

/// Calls until the store answers; `None` when the lease is lost meanwhile, so that it does not matter any more.
pub(crate) async fn until_answered<T, Calling>(
    life: &Life,
    mut call: impl FnMut() -> Calling,
) -> Option<T>
where
    Calling: Future<Output = Result<T, StoreError>>,
{
    let mut failing = false;
    loop {
        match call().await {
            Ok(answer) => return Some(answer),
            Err(error) if !error.is_unavailable() => {
                // What it has done is unknown, and asking again would not tell: the lease decides.
                tracing::error!(%error, "the store's answer cannot be read, beginning anew");
                life.lost.cancel();
                return None;
            }
            Err(error) if !std::mem::replace(&mut failing, true) => {
                tracing::warn!(%error, "the store does not answer, trying until it does");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = life.lost.cancelled() => return None,
            () = tokio::time::sleep(AGAIN) => {}
        }
    }
}

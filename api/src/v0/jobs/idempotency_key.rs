//! The header `Idempotency-Key`, with which a client can safely repeat a submission.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use domain::job::JobId;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::app::App;
use crate::auth::Caller;
use crate::deadline::in_time;
use crate::error::Error;
use crate::submit::IdempotencyKey;
use crate::v0::wire::body;
use crate::v0::wire::refusal::Refusal;

const HEADER: &str = "Idempotency-Key";
const MAX_CHARACTERS: usize = 255;

/// The text of the idempotency key of a request, if it has one.
pub(in crate::v0) struct IdempotencyHeader(Option<String>);

impl<S: Sync> FromRequestParts<S> for IdempotencyHeader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(IdempotencyHeader(None)) };
        if values.next().is_some() {
            return Err(Error::invalid(HEADER, "it must not be given twice").into());
        }
        // Besides printable ASCII, a header value may contain a tab.
        let text = value.to_str().ok().filter(|text| !text.contains('\t'));
        let text = text.filter(|text| (1..=MAX_CHARACTERS).contains(&text.len()));
        let why = format!("it must be 1 to {MAX_CHARACTERS} printable ASCII characters");
        let text = text.ok_or_else(|| Error::invalid(HEADER, why))?;
        Ok(IdempotencyHeader(Some(text.to_owned())))
    }
}

impl IdempotencyHeader {
    /// Reads the body of the request, and derives the key from it. `first` returns the id of the
    /// first job.
    pub(super) async fn read<T: DeserializeOwned + Send + 'static>(
        self,
        app: &Arc<App>,
        caller: &Caller,
        (request, limit_bytes): (Request, usize),
        first: fn(&IdempotencyKey) -> Result<JobId, Error>,
    ) -> Result<(T, Option<IdempotencyKey>), Error> {
        let Some(text) = self.0 else {
            return Ok((body::read(request, limit_bytes).await?, None));
        };
        let (document, hash) = body::read_hashed(request, limit_bytes).await?;
        if let Some(key) = former_key(app, caller, (&text, hash), first).await? {
            return Ok((document, Some(key)));
        }
        let key = IdempotencyKey::new(&app.namespace, caller.owner(), &text, hash);
        Ok((document, Some(key)))
    }
}

/// Returns the key as it was derived before keys belonged to their callers, if this caller has used
/// it: a repeat may come after an update of the API.
async fn former_key(
    app: &Arc<App>,
    caller: &Caller,
    (text, hash): (&str, Uuid),
    first: fn(&IdempotencyKey) -> Result<JobId, Error>,
) -> Result<Option<IdempotencyKey>, Error> {
    if caller.owner().is_none() {
        return Ok(None);
    }
    let key = IdempotencyKey::new(&app.namespace, None, text, hash);
    let id = first(&key)?;
    let job = in_time(async { Ok::<_, Error>(app.store.job(id).await?) }).await?;
    let is_own = job.is_some_and(|job| job.spec.scheduled_by.as_deref() == Some(caller.name()));
    Ok(is_own.then_some(key))
}

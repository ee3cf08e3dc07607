//! The header `Idempotency-Key`, with which a client can safely repeat a submission.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::app::App;
use crate::error::Error;
use crate::submit::IdempotencyKey;
use crate::v0::wire::refusal::Refusal;

const HEADER: &str = "Idempotency-Key";
const MAX_CHARACTERS: usize = 255;

/// The idempotency key of a request, if it has one.
pub(in crate::v0) struct IdempotencyHeader(pub(in crate::v0) Option<IdempotencyKey>);

impl FromRequestParts<Arc<App>> for IdempotencyHeader {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
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
        Ok(IdempotencyHeader(Some(IdempotencyKey::new(&app.namespace, text))))
    }
}

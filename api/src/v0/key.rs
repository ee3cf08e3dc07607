//! The header `Idempotency-Key`: a client that does not know whether its submission was taken sends
//! it again with the same key.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Refusal;
use crate::app::App;
use crate::error::Error;
use crate::submit::Key;

const HEADER: &str = "Idempotency-Key";
const MOST_CHARACTERS: usize = 255;

/// The key that a request carries, if it does.
pub(super) struct OfKey(pub(super) Option<Key>);

impl FromRequestParts<Arc<App>> for OfKey {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let mut values = parts.headers.get_all(HEADER).iter();
        let Some(value) = values.next() else { return Ok(OfKey(None)) };
        if values.next().is_some() {
            return Err(Error::invalid(HEADER, "the header is given twice").into());
        }
        // The only text that a header may hold beyond printable ASCII is a tab.
        let text = value.to_str().ok().filter(|text| !text.contains('\t'));
        let text = text.filter(|text| (1..=MOST_CHARACTERS).contains(&text.len()));
        let why = format!("it must be 1 to {MOST_CHARACTERS} printable ASCII characters");
        let text = text.ok_or_else(|| Error::invalid(HEADER, why))?;
        Ok(OfKey(Some(Key::new(&app.namespace, text))))
    }
}

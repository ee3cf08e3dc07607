//! Links that send signals without a token. A link is valid for one signal to one attempt of a job,
//! can be used once, names the token that created it, and is signed with a key of the namespace.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::access_tokens::{Owner, Role};
use domain::job::JobId;
use domain::signal::SignalName;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use store::UNKNOWN_USER;

/// Separates the parts; no part has this character.
const SEPARATOR: char = '~';

/// What a link stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignalLink {
    /// The job. Its follow-ups have other links, so a link can be used once.
    pub(crate) job: JobId,
    /// The signal.
    pub(crate) name: SignalName,
    /// The role of the token that created it.
    pub(crate) role: Role,
    /// The name of that token.
    pub(crate) by: String,
}

impl SignalLink {
    /// Returns the text of the link. `None` if the key is unusable.
    pub(crate) fn sign(&self, key: &[u8]) -> Option<String> {
        let SignalLink { job, name, role, by } = self;
        let text = format!("{job}{SEPARATOR}{name}{SEPARATOR}{role}{SEPARATOR}{by}");
        let signature = mac(key, &text)?.finalize().into_bytes();
        Some(format!("{text}{SEPARATOR}{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Reads a link; `None` if the key has not signed it.
    pub(crate) fn verify(text: &str, key: &[u8]) -> Option<SignalLink> {
        let (signed, signature) = text.rsplit_once(SEPARATOR)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        mac(key, signed)?.verify_slice(&signature).ok()?;
        let mut parts = signed.split(SEPARATOR);
        let link = SignalLink {
            job: parts.next()?.parse().ok()?,
            name: parts.next()?.parse().ok()?,
            role: parts.next()?.parse().ok()?,
            by: parts.next()?.to_owned(),
        };
        let is_known = link.by == UNKNOWN_USER || link.by.parse::<Owner>().is_ok();
        (is_known && parts.next().is_none()).then_some(link)
    }
}

fn mac(key: &[u8], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_that_the_key_has_signed_is_read() {
        let link = SignalLink {
            job: JobId::random(),
            name: SignalName::example(),
            role: Role::Operator,
            by: "ann@example.org".to_owned(),
        };
        let text = link.sign(b"key").unwrap();
        assert_eq!(SignalLink::verify(&text, b"key"), Some(link));
        assert_eq!(SignalLink::verify(&text, b"other"), None);
        assert_eq!(SignalLink::verify(&text.replace("operator", "admin"), b"key"), None);
        for wrong in ["", "~", "a~b", &text[1..], &text[..text.len() - 2], &format!("{text}0")] {
            assert_eq!(SignalLink::verify(wrong, b"key"), None, "{wrong}");
        }
    }
}

//! The key that signs the messages of a subscription, in the format of
//! <https://www.standardwebhooks.com>.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A signing key of 24 to 64 bytes, written as `whsec_` and their Base64. `Debug` hides it; only
/// `reveal` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

/// The text is not a signing secret. The error does not repeat it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be whsec_ followed by the Base64 of 24 to 64 bytes")]
pub struct InvalidSigningSecret;

impl SigningSecret {
    const PREFIX: &str = "whsec_";
    const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

    /// Returns a new secret of 32 random bytes from the operating system.
    pub fn random() -> std::io::Result<SigningSecret> {
        let mut bytes = vec![0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
        Ok(SigningSecret(bytes))
    }

    /// The key for HMAC.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// The text form, as clients configure it and the store keeps it.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{}{}", SigningSecret::PREFIX, BASE64_STANDARD.encode(&self.0))
    }
}

impl FromStr for SigningSecret {
    type Err = InvalidSigningSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSigningSecret> {
        let encoded = text.strip_prefix(SigningSecret::PREFIX).ok_or(InvalidSigningSecret)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| InvalidSigningSecret)?;
        let right = SigningSecret::BYTES.contains(&bytes.len());
        right.then_some(SigningSecret(bytes)).ok_or(InvalidSigningSecret)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_24_to_64_bytes_and_debug_hides_it() {
        let of = |bytes: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![7; bytes]));
        for (text, right) in [
            (of(24), true),
            (of(64), true),
            (of(23), false),
            (of(65), false),
            (of(32).replace("whsec_", ""), false),
            ("whsec_#".to_owned(), false),
            (String::new(), false),
        ] {
            let read: Result<SigningSecret, _> = text.parse();
            assert_eq!(read.is_ok(), right, "{text}");
            if let Ok(secret) = read {
                assert_eq!(
                    (secret.reveal(), format!("{secret:?}")),
                    (text, "SigningSecret(…)".to_owned())
                );
            }
        }
        assert_ne!(SigningSecret::random().unwrap(), SigningSecret::random().unwrap());
    }
}

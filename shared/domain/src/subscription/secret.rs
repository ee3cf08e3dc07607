//! What messages of a subscription are signed with, in the form of <https://www.standardwebhooks.com>.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// What messages are signed with: 24 to 64 bytes, written as `whsec_` and their Base64. Nothing prints it but what says so.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// The text is no secret. It is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be whsec_ and the Base64 of 24 to 64 bytes")]
pub struct BadSecret;

impl Secret {
    const MARK: &str = "whsec_";
    const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

    /// A new one, of 32 bytes from the system's source of randomness.
    pub fn random() -> std::io::Result<Secret> {
        let mut bytes = vec![0; 32];
        getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
        Ok(Secret(bytes))
    }

    /// The bytes to sign with.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// As people write it down, and the store keeps it.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{}{}", Secret::MARK, BASE64_STANDARD.encode(&self.0))
    }
}

impl FromStr for Secret {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Self, BadSecret> {
        let encoded = text.strip_prefix(Secret::MARK).ok_or(BadSecret)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| BadSecret)?;
        let right = Secret::BYTES.contains(&bytes.len());
        right.then_some(Secret(bytes)).ok_or(BadSecret)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_24_to_64_bytes_and_is_never_printed() {
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
            let read: Result<Secret, _> = text.parse();
            assert_eq!(read.is_ok(), right, "{text}");
            if let Ok(secret) = read {
                assert_eq!(
                    (secret.reveal(), format!("{secret:?}")),
                    (text, "Secret(…)".to_owned())
                );
            }
        }
        assert_ne!(Secret::random().unwrap(), Secret::random().unwrap());
    }
}

//! How a message is signed, after <https://www.standardwebhooks.com>: HMAC-SHA256 over id, time and body.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The key that a secret's text stands for: what follows `whsec_` is Base64, any other text is the key itself.
pub(super) fn key(text: &str) -> Vec<u8> {
    let encoded = text.strip_prefix("whsec_").and_then(|rest| BASE64_STANDARD.decode(rest).ok());
    encoded.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// The value of `webhook-signature`; none when the key is of no use.
pub(super) fn sign(key: &[u8], id: &str, seconds: i64, body: &[u8]) -> Option<String> {
    let mut signing = Hmac::<Sha256>::new_from_slice(key).ok()?;
    signing.update(format!("{id}.{seconds}.").as_bytes());
    signing.update(body);
    Some(format!("v1,{}", BASE64_STANDARD.encode(signing.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries.
    #[test]
    fn the_published_example_is_signed_as_published() {
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed =
            sign(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed.unwrap(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(super::key("any text"), b"any text");
    }
}

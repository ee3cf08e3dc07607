//! Failures: which of them count as the same.

mod mask;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::job::{Exception, Status};
use crate::names::ActionName;

pub use mask::mask;

/// The statuses of jobs that have failed, and so have a fingerprint.
pub const FAILED: [Status; 2] = [Status::Error, Status::WorkerDead];

/// The most characters that are kept of an exception's type.
const MAX_TYPE_CHARACTERS: usize = 64;

/// Which failures count as the same: those of one action with the same type of exception and the
/// same message, except for numbers and ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(u64);

/// What all failures with one fingerprint have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailureKind {
    /// The action of the jobs.
    pub action: ActionName,
    /// The type of their exceptions; empty if they have none.
    pub exception: String,
    /// Their message with its numbers and ids masked.
    pub message: String,
}

/// The text is not a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is not a valid fingerprint: it must be 16 hexadecimal digits")]
pub struct InvalidFingerprint;

impl FailureKind {
    /// The kind of a failure.
    #[must_use]
    pub fn of(action: &ActionName, exception: Option<&Exception>) -> FailureKind {
        let kind = exception.map_or("", |exception| &exception.kind);
        FailureKind {
            action: action.clone(),
            exception: kind.chars().take(MAX_TYPE_CHARACTERS).collect(),
            message: exception.map(|exception| mask(&exception.message)).unwrap_or_default(),
        }
    }

    /// The fingerprint of these failures.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Sha256::new();
        for part in [self.action.as_str(), &self.exception, &self.message] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let hash: [u8; 32] = hash.finalize().into();
        let first = hash.into_iter().take(8).fold(0, |number, byte| number << 8 | u64::from(byte));
        Fingerprint(first)
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Fingerprint, InvalidFingerprint> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_valid = text.len() == 16 && text.bytes().all(is_digit);
        let number = u64::from_str_radix(text, 16).ok().filter(|_| is_valid);
        number.map(Fingerprint).ok_or(InvalidFingerprint)
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = InvalidFingerprint;

    fn try_from(text: String) -> Result<Fingerprint, InvalidFingerprint> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(action: &str, kind: &str, message: &str) -> Fingerprint {
        let exception = Exception::new(kind, message);
        FailureKind::of(&action.parse().unwrap(), Some(&exception)).fingerprint()
    }

    #[test]
    fn failures_that_differ_only_in_numbers_and_ids_have_one_fingerprint() {
        let one = fingerprint(
            "gc",
            "ExitCode",
            "exit code 7 of job 1fcf4c0f-ff3b-471a-8839-5dcb631b2f7b",
        );
        let other = fingerprint(
            "gc",
            "ExitCode",
            "exit code 12 of job a261713a-9514-43f9-a7e5-50e7a9fa1d48",
        );
        assert_eq!(one, other);
        // A changed hash would split the groups of a store that is already in use.
        assert_eq!(one.to_string(), "8633d6eb278ae0a9");
        for (action, kind, message) in [
            ("scan", "ExitCode", "exit code 7 of job 1"),
            ("gc", "Signal", "exit code 7 of job 1"),
            ("gc", "ExitCode", "exit code 7 of a job"),
        ] {
            assert_ne!(fingerprint(action, kind, message), one, "{action} {kind} {message}");
        }
    }

    #[test]
    fn text_does_not_move_between_the_parts_of_a_fingerprint() {
        assert_ne!(fingerprint("gc", "ab", "c"), fingerprint("gc", "a", "bc"));
    }

    #[test]
    fn a_fingerprint_is_sixteen_hexadecimal_digits() {
        let text = "00ff00ff00ff00ab";
        assert_eq!(text.parse::<Fingerprint>().unwrap().to_string(), text);
        for text in ["", "1", "00FF00FF00FF00AB", "+0ff00ff00ff00ab", "00ff00ff00ff00abc", "x"] {
            assert_eq!(text.parse::<Fingerprint>(), Err(InvalidFingerprint), "{text}");
        }
    }
}

//! Signals: messages to a job that waits for one of them after its run, such as an approval.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::access_tokens::Role;
use crate::time::{GoDuration, Timestamp};

pub use crate::names::SignalName;

/// The largest body of a signal, in bytes of JSON.
pub const SIGNAL_BYTES: usize = 64 * 1024;
/// The most signals that are kept for a job until it waits for them.
pub const MAX_KEPT_SIGNALS: usize = 16;

/// What a job waits for after its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalWait {
    /// The signal.
    pub signal: SignalName,
    /// How long the job waits at most. Without one, it waits until it is cancelled.
    #[serde(default, skip_serializing_if = "GoDuration::is_none")]
    pub timeout: GoDuration,
    /// The roles that may send the signal. If there are none, any that may send signals.
    #[serde(default, deserialize_with = "senders", skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
}

/// Reads roles that may send signals.
fn senders<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Role>, D::Error> {
    let roles = Vec::<Role>::deserialize(deserializer)?;
    if roles.contains(&Role::Viewer) {
        return Err(D::Error::custom("a viewer cannot send signals"));
    }
    Ok(roles)
}

/// A signal as it was sent to a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Signal {
    /// Its name.
    pub name: SignalName,
    /// When it was sent, or when the job stopped waiting for it.
    pub at: Timestamp,
    /// Who sent it; empty after a time-out.
    pub by: String,
    /// What was sent.
    pub body: Value,
    /// Whether it was not sent in time.
    pub timed_out: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_names_a_signal_and_may_have_a_timeout_and_roles() {
        let read = |text: &str| serde_json::from_str::<SignalWait>(text);
        let wait = read(r#"{"signal":"approved","timeout":"24h","roles":["operator"]}"#).unwrap();
        assert_eq!(wait.signal.as_str(), "approved");
        assert_eq!(wait.timeout.to_string(), "24h");
        assert_eq!(wait.roles, [Role::Operator]);
        assert!(read(r#"{"signal":"approved"}"#).unwrap().roles.is_empty());
        let invalid = [
            (r#"{}"#, "missing field `signal`"),
            (r#"{"signal":"a b"}"#, "is not a valid signal name"),
            (r#"{"signal":"a","timeout":"soon"}"#, "is not a valid duration"),
            (r#"{"signal":"a","timeout":"9000h"}"#, "up to 8760h"),
            (r#"{"signal":"a","roles":["boss"]}"#, "unknown variant `boss`"),
            (r#"{"signal":"a","roles":["viewer"]}"#, "a viewer cannot send signals"),
            (r#"{"signal":"a","after":"1h"}"#, "unknown field `after`"),
        ];
        for (text, why) in invalid {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}

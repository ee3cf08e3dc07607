//! Names of rate limits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::LimitError;
use crate::lock::LockName;

/// What a limit applies to: the key that jobs name, or the first part of such keys and a star.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LimitName(String);

impl LimitName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The lock for whose permits jobs wait; `None` for a name with a star, which has many.
    #[must_use]
    pub fn lock(&self) -> Option<LockName> {
        LockName::of_rate(&self.0).ok()
    }

    /// Returns true if the limit applies to a key.
    pub(super) fn matches(&self, key: &str) -> bool {
        self.0.strip_suffix('*').map_or(self.0 == key, |prefix| key.starts_with(prefix))
    }
}

impl TryFrom<String> for LimitName {
    type Error = LimitError;

    fn try_from(text: String) -> Result<Self, LimitError> {
        // A star alone limits every key that has no other limit.
        let key = text.strip_suffix('*').unwrap_or(&text);
        let is_valid = text == "*" || LockName::of_rate(key).is_ok();
        if is_valid { Ok(LimitName(text)) } else { Err(LimitError::Name) }
    }
}

impl FromStr for LimitName {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        text.to_owned().try_into()
    }
}

impl From<LimitName> for String {
    fn from(name: LimitName) -> String {
        name.0
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! Names that users choose. They are parts of Redis keys, queue names and URL paths, so all kinds
//! share one small character set.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{NameError, excerpt};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $error:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                if is_valid(&text) { Ok($name(text)) } else { Err($error(excerpt(&text))) }
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// The name of an action.
    ActionName, NameError::Action
}

name! {
    /// The name of a cron.
    CronName, NameError::Cron
}

name! {
    /// The name of a signal.
    SignalName, NameError::Signal
}

name! {
    /// The name of a subscription.
    SubscriptionName, NameError::Subscription
}

impl SignalName {
    /// The signal in the examples of the documentation.
    #[must_use]
    pub fn example() -> SignalName {
        SignalName("approved".to_owned())
    }
}

impl ActionName {
    /// The action that delivers events to subscriptions. Its jobs generate no events for
    /// subscriptions; otherwise each delivery would cause another.
    pub const DELIVER: &str = "deliver";

    /// The action that sends a POST request to the URL in its parameters. The values of its
    /// parameter `headers` may be credentials, so the API does not show them.
    pub const WEBHOOK: &str = "webhook";

    /// Returns [`ActionName::DELIVER`] as a name.
    #[must_use]
    pub fn deliver() -> ActionName {
        ActionName(ActionName::DELIVER.to_owned())
    }

    /// Returns true for [`ActionName::DELIVER`].
    #[must_use]
    pub fn is_deliver(&self) -> bool {
        self.0 == ActionName::DELIVER
    }
}

impl From<ActionName> for CronName {
    /// A cron without a name takes that of its action.
    fn from(name: ActionName) -> CronName {
        CronName(name.0)
    }
}

fn is_valid(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    !text.is_empty() && text.len() <= 64 && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_not_fit_into_a_key_or_a_queue_name_is_refused() {
        for name in ["", "a b", "ä", "a/b", "{a}", &"a".repeat(65)] {
            assert!(name.parse::<ActionName>().is_err(), "{name}");
        }
        assert!("a".repeat(64).parse::<ActionName>().is_ok());
        let error = "a b".parse::<CronName>().unwrap_err().to_string();
        assert!(error.starts_with("\"a b\" is not a valid cron name"), "{error}");
    }
}

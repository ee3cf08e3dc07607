//! Locks: what they are called, and how many permits of each a job needs. Pure: values in, values out.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::capacity::Class;
use crate::job::ActionName;

/// How many locks a job may name.
pub const MAX_LOCKS: usize = 16;
/// The most permits that a lock may have, or a job need.
pub const MAX_PERMITS: u32 = 1_000_000;

const MAX_LENGTH: usize = 128;
/// What begins so is made by Capstan: the limits of actions and classes.
const RESERVED: [&str; 2] = ["action:", "class:"];

/// Why a lock was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// It has other characters than a name may have, or too many.
    #[error("lock {0:?} must be 1 to {MAX_LENGTH} characters of A-Z a-z 0-9 _ . - : / @")]
    Name(String),
    /// It is a name of ours.
    #[error("lock {0:?} must not begin with action: or class:, which are limits of Capstan's own")]
    Reserved(String),
    /// Not a number of permits.
    #[error("permits of lock {0:?} must be a whole number from 1 to {MAX_PERMITS}")]
    Permits(String),
    /// More than a job may have.
    #[error("a job names at most {MAX_LOCKS} locks")]
    TooMany,
    /// The name has a placeholder that is not closed.
    #[error("lock {0:?} has a {{{{ without its }}}}")]
    Open(String),
    /// The name asks for a parameter that is not there, or is no text, number or truth value.
    #[error(
        "lock {0:?} names parameter {1:?}, which is missing or is no text, number, true or false"
    )]
    Parameter(String, String),
}

/// The name of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LockName(String);

impl LockName {
    /// The limit of an action: so many of its jobs run at once.
    #[must_use]
    pub fn of_action(action: &ActionName) -> LockName {
        LockName(format!("action:{action}"))
    }

    /// The limits of an action's keys, all of them at once: so many of its jobs with one key.
    #[must_use]
    pub fn of_keys(action: &ActionName) -> LockName {
        LockName(format!("action:{action}:*"))
    }

    /// The limit of one key of an action.
    pub fn of_key(action: &ActionName, key: &str) -> Result<LockName, LockError> {
        checked(key)?;
        format!("action:{action}:{key}").try_into()
    }

    /// The limit of a class.
    #[must_use]
    pub fn of_class(class: &Class) -> LockName {
        LockName(format!("class:{class}"))
    }

    /// True for limits of actions and classes, which no job may name.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        RESERVED.iter().any(|prefix| self.0.starts_with(prefix))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn checked(text: &str) -> Result<(), LockError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-:/@".contains(c);
    // What is only dots cannot stand in the path of a URL.
    let dots = text.chars().all(|c| c == '.');
    let good = !dots && text.len() <= MAX_LENGTH && text.chars().all(plain);
    if good { Ok(()) } else { Err(LockError::Name(short(text))) }
}

fn short(text: &str) -> String {
    text.chars().take(MAX_LENGTH).collect()
}

impl TryFrom<String> for LockName {
    type Error = LockError;

    fn try_from(text: String) -> Result<Self, LockError> {
        // A class has a form of its own, and an action's keys end in a star.
        if let Some(class) = text.strip_prefix("class:") {
            let class = Class::try_from(class.to_owned());
            return class
                .map(|class| LockName::of_class(&class))
                .map_err(|_| LockError::Name(short(&text)));
        }
        let plain = text.strip_prefix("action:").and_then(|rest| rest.strip_suffix(":*"));
        checked(plain.unwrap_or(&text))?;
        Ok(LockName(text))
    }
}

impl FromStr for LockName {
    type Err = LockError;

    fn from_str(text: &str) -> Result<Self, LockError> {
        text.to_owned().try_into()
    }
}

impl From<LockName> for String {
    fn from(name: LockName) -> String {
        name.0
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How many permits of which locks a job takes, all together or none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Locks(BTreeMap<LockName, u32>);

impl Locks {
    /// The locks and their permits, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&LockName, u32)> {
        self.0.iter().map(|(name, permits)| (name, *permits))
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more.
    pub fn add(&mut self, name: LockName, permits: u32) {
        self.0.insert(name, permits);
    }
}

impl FromStr for Locks {
    type Err = LockError;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, LockError> {
        let one = |entry: &str| {
            let (name, permits) = entry.rsplit_once('=').unwrap_or((entry, "1"));
            let permits = permits.parse().map_err(|_| LockError::Permits(short(name)))?;
            Ok((name.parse()?, permits))
        };
        text.split_whitespace().map(one).collect::<Result<_, _>>().map(Locks)
    }
}

impl fmt::Display for Locks {
    /// `devices=1 licence=2`, as the scripts read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, permits)) in self.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{name}={permits}")?;
        }
        Ok(())
    }
}

/// Locks as a client names them: `["devices"]` or `{"licence": 2}`; a name may hold parameters, `device-{{hostname}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "it must be a list of names, or an object of names and permits")]
pub enum LockPatterns {
    /// No locks.
    #[default]
    None,
    /// One permit of each.
    Names(Vec<String>),
    /// So many permits of each.
    Permits(BTreeMap<String, i64>),
}

impl LockPatterns {
    /// The locks that a job with these parameters takes.
    pub fn render(self, parameters: Option<&Map<String, Value>>) -> Result<Locks, LockError> {
        let patterns: Vec<(String, i64)> = match self {
            LockPatterns::None => Vec::new(),
            LockPatterns::Names(names) => names.into_iter().map(|name| (name, 1)).collect(),
            LockPatterns::Permits(permits) => permits.into_iter().collect(),
        };
        let mut locks = Locks::default();
        for (pattern, permits) in patterns {
            let name: LockName = render(&pattern, parameters)?.parse()?;
            if name.is_reserved() {
                return Err(LockError::Reserved(name.into()));
            }
            let permits = u32::try_from(permits).ok().filter(|n| (1..=MAX_PERMITS).contains(n));
            let permits = permits.ok_or_else(|| LockError::Permits(name.to_string()))?;
            locks.add(name, permits);
        }
        if locks.0.len() > MAX_LOCKS {
            return Err(LockError::TooMany);
        }
        Ok(locks)
    }
}

/// A text whose `{{parameter}}`s are filled in; refused as soon as it is longer than a name may be.
pub fn render(pattern: &str, parameters: Option<&Map<String, Value>>) -> Result<String, LockError> {
    let (mut text, mut rest) = (String::new(), pattern);
    while let Some((before, after)) = rest.split_once("{{") {
        let end = after.split_once("}}").ok_or_else(|| LockError::Open(short(pattern)))?;
        let name = end.0.trim();
        text.push_str(before);
        match parameters.and_then(|parameters| parameters.get(name)) {
            Some(Value::String(value)) => text.push_str(value),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => text.push_str(&value.to_string()),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) | None => {
                return Err(LockError::Parameter(short(pattern), short(name)));
            }
        }
        rest = end.1;
        // A few letters that name a large parameter again and again would become gigabytes.
        if text.len() > MAX_LENGTH {
            return Err(LockError::Name(short(&text)));
        }
    }
    text.push_str(rest);
    if text.len() > MAX_LENGTH { Err(LockError::Name(short(&text))) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn locks_are_named_in_a_list_or_with_permits_and_parameters() {
        let parameters = json!({"hostname": "eosdist1", "vlan": 7, "up": true, "list": []});
        let cases = [
            json!(["devices"]),
            json!({"licence": 2, "devices": 1}),
            json!(["device-{{hostname}}", "vlan/{{ vlan }}:{{up}}"]),
            json!(["device-{{list}}"]),
            json!(["device-{{host"]),
            json!(["action:scan"]),
            json!(["class:cpu=1"]),
            json!(["two words"]),
            json!([""]),
            json!({"a": 0}),
            json!({"a": 1_000_001}),
            json!((0..17).map(|n| format!("l{n}")).collect::<Vec<_>>()),
        ];
        let mut told = String::new();
        for case in cases {
            let patterns: LockPatterns = serde_json::from_value(case).unwrap();
            match patterns.render(parameters.as_object()) {
                Ok(locks) => {
                    assert_eq!(locks.to_string().parse(), Ok(locks.clone()));
                    told.push_str(&format!("{locks}\n"));
                }
                Err(error) => told.push_str(&format!("! {error}\n")),
            }
        }
        expect![[r#"
            devices=1
            devices=1 licence=2
            device-eosdist1=1 vlan/7:true=1
            ! lock "device-{{list}}" names parameter "list", which is missing or is no text, number, true or false
            ! lock "device-{{host" has a {{ without its }}
            ! lock "action:scan" must not begin with action: or class:, which are limits of Capstan's own
            ! lock "class:cpu=1" must not begin with action: or class:, which are limits of Capstan's own
            ! lock "two words" must be 1 to 128 characters of A-Z a-z 0-9 _ . - : / @
            ! lock "" must be 1 to 128 characters of A-Z a-z 0-9 _ . - : / @
            ! permits of lock "a" must be a whole number from 1 to 1000000
            ! permits of lock "a" must be a whole number from 1 to 1000000
            ! a job names at most 16 locks
        "#]].assert_eq(&told);
    }

    #[test]
    fn limits_have_names_of_their_own() {
        let action: ActionName = "scan".parse().unwrap();
        let names = [
            LockName::of_action(&action),
            LockName::of_keys(&action),
            LockName::of_key(&action, "tenant-1").unwrap(),
            LockName::of_class(&Class::try_from("cpu=1+scan=2".to_owned()).unwrap()),
        ];
        for name in names {
            assert!(name.is_reserved());
            assert_eq!(name.as_str().parse(), Ok(name));
        }
        assert!(LockName::of_key(&action, "a b").is_err());
        assert!("class:what".parse::<LockName>().is_err());
    }
}

//! The class of a job: what it needs, in a canonical form.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{CapacityError, MAX_CLASS_LENGTH, excerpt};
use super::map::{CapacityMap, DEFAULT_TYPE, parse};

/// The canonical form of the capacity that a job needs: `scan=1`, `cpu=2+scan=1`, `default=1`. Each
/// class has its own queues.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Class(String);

impl Default for Class {
    /// The class of a job that names no capacity: `default=1`.
    fn default() -> Class {
        Class(format!("{DEFAULT_TYPE}=1"))
    }
}

impl Class {
    /// Returns the class of a job with this need. Without a need, or without units, it is
    /// `default=1`.
    pub fn of(need: Option<&CapacityMap>) -> Result<Class, CapacityError> {
        let need = need.map(|map| map.iter().filter(|(_, units)| *units > 0));
        let need: Vec<_> = need.into_iter().flatten().map(|(n, u)| format!("{n}={u}")).collect();
        if need.is_empty() {
            return Ok(Class::default());
        }
        let text = need.join("+");
        if text.len() > MAX_CLASS_LENGTH { Err(CapacityError::TooLong) } else { Ok(Class(text)) }
    }

    /// The canonical text, which is part of the names of its queues.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The capacity that a job of this class takes.
    #[must_use]
    pub fn need(&self) -> CapacityMap {
        // A `Class` is only made from a valid map.
        parse(&self.0, '+').unwrap_or_default()
    }
}

impl TryFrom<String> for Class {
    type Error = CapacityError;

    fn try_from(text: String) -> Result<Self, CapacityError> {
        let class = Class::of(Some(&parse(&text, '+')?))?;
        if class.0 == text { Ok(class) } else { Err(CapacityError::Entry(excerpt(&text))) }
    }
}

impl From<Class> for String {
    fn from(class: Class) -> Self {
        class.0
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn map(text: &str) -> CapacityMap {
        text.parse().unwrap()
    }

    #[test]
    fn a_class_is_sorted_and_omits_types_without_units() {
        let cases = [
            ("", "default=1"),
            ("scan=0", "default=1"),
            ("scan=1,cpu=2", "cpu=2+scan=1"),
            (" scan = 1 , other=0", "scan=1"),
            ("default=3", "default=3"),
        ];
        for (text, class) in cases {
            assert_eq!(Class::of(Some(&map(text))).unwrap().as_str(), class, "{text}");
        }
        assert_eq!(Class::of(None).unwrap().as_str(), "default=1");
    }

    #[test]
    fn a_class_in_another_than_the_canonical_form_is_refused() {
        for text in ["scan=1+cpu=2", "scan=01", "scan=0", "", "scan"] {
            assert!(Class::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_class_parses_back(
            need in prop::collection::btree_map("[a-zA-Z0-9_.-]{1,8}", 0i64..1_000_000, 0..6),
        ) {
            let class = Class::of(Some(&CapacityMap::try_from(need).unwrap())).unwrap();
            prop_assert_eq!(&Class::try_from(class.as_str().to_owned()).unwrap(), &class);
            prop_assert_eq!(Class::of(Some(&class.need())).unwrap(), class);
        }
    }
}

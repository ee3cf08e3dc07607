//! Labels: names and texts by which people find jobs.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most labels of a job.
pub const MAX_LABELS: usize = 16;
/// The longest name, and the longest text, of a label.
pub const LABEL_CHARACTERS: usize = 63;
/// The part of an invalid name that an error repeats.
const REPEATED_CHARACTERS: usize = 80;

/// The labels of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

/// A label that a filter looks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Why labels are not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// There are too many.
    #[error("{0} labels are more than the maximum of {MAX_LABELS}")]
    TooMany(usize),
    /// A name has other characters, none, or too many.
    #[error(
        "{0:?} is not a valid name of a label: it must be 1 to {LABEL_CHARACTERS} characters of \
         A-Z a-z 0-9 _ . - /"
    )]
    Name(String),
    /// The text of the label with this name is too long.
    #[error("it is longer than {LABEL_CHARACTERS} characters")]
    Text(String),
    /// A filter has no separator.
    #[error("it must be NAME:TEXT, like team:payments")]
    NoSeparator,
}

impl Labels {
    /// Checks labels.
    pub fn new(labels: BTreeMap<String, String>) -> Result<Labels, LabelError> {
        if labels.len() > MAX_LABELS {
            return Err(LabelError::TooMany(labels.len()));
        }
        labels.iter().try_for_each(|(name, text)| check(name, text))?;
        Ok(Labels(labels))
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if this label is one of them.
    #[must_use]
    pub fn has(&self, label: &Label) -> bool {
        self.0.get(&label.name) == Some(&label.text)
    }

    /// The labels by name.
    #[must_use]
    pub fn by_name(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl LabelError {
    /// The field with the error, of a job whose labels are the field `labels`.
    #[must_use]
    pub fn field(&self) -> String {
        match self {
            LabelError::Text(name) => format!("labels.{name}"),
            LabelError::TooMany(_) | LabelError::Name(_) | LabelError::NoSeparator => {
                "labels".to_owned()
            }
        }
    }
}

/// `name:text`. A name has no colon, so the first one separates the two.
impl FromStr for Label {
    type Err = LabelError;

    fn from_str(label: &str) -> Result<Label, LabelError> {
        let (name, text) = label.split_once(':').ok_or(LabelError::NoSeparator)?;
        check(name, text)?;
        Ok(Label { name: name.to_owned(), text: text.to_owned() })
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.text)
    }
}

fn check(name: &str, text: &str) -> Result<(), LabelError> {
    let is_allowed = |one: char| one.is_ascii_alphanumeric() || "_.-/".contains(one);
    if name.is_empty() || name.len() > LABEL_CHARACTERS || !name.chars().all(is_allowed) {
        return Err(LabelError::Name(name.chars().take(REPEATED_CHARACTERS).collect()));
    }
    if text.chars().count() > LABEL_CHARACTERS {
        return Err(LabelError::Text(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Result<Labels, LabelError> {
        let pairs = pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Labels::new(pairs.collect())
    }

    #[test]
    fn an_error_names_the_label() {
        let (long_name, long_text) = ("n".repeat(64), "ä".repeat(64));
        let cases = [
            (labels(&[("a b", "")]), "labels"),
            (labels(&[("", "x")]), "labels"),
            (labels(&[("a:b", "x")]), "labels"),
            (labels(&[(&long_name, "x")]), "labels"),
            (labels(&[("team", &long_text)]), "labels.team"),
        ];
        for (found, field) in cases {
            assert_eq!(found.unwrap_err().field(), field);
        }
        assert!(labels(&[("team", &"ä".repeat(63)), ("a/b.c_d-E9", "")]).is_ok());
        let many: Vec<String> = (0..17).map(|index| index.to_string()).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "")).collect();
        assert_eq!(labels(&many).unwrap_err(), LabelError::TooMany(17));
        assert!(labels(&many[..16]).is_ok());
    }

    #[test]
    fn a_filter_names_a_label_and_its_text() {
        let found = labels(&[("team", "a:b"), ("empty", "")]).unwrap();
        for label in ["team:a:b", "empty:"] {
            let label: Label = label.parse().unwrap();
            assert!(found.has(&label) && label.to_string().parse() == Ok(label), "{found:?}");
        }
        for label in ["team:a", "team:", "other:x"] {
            assert!(!found.has(&label.parse().unwrap()), "{label}");
        }
        for label in ["team", "", ":x", "a b:c"] {
            assert!(label.parse::<Label>().is_err(), "{label}");
        }
    }
}

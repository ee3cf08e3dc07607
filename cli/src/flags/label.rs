//! Labels on the command line, for new jobs and in filters.

use std::collections::BTreeMap;
use std::str::FromStr;

use domain::job::Label;
use serde::ser::Error;
use serde::{Serialize, Serializer};

/// `NAME=TEXT`. The API separates the two with a colon in queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LabelFlag(pub(crate) Label);

impl FromStr for LabelFlag {
    type Err = String;

    fn from_str(text: &str) -> Result<LabelFlag, String> {
        let (name, value) =
            text.split_once('=').ok_or("it must be NAME=TEXT, like team=payments")?;
        let label =
            format!("{name}:{value}").parse::<Label>().map_err(|error| error.to_string())?;
        if label.name != name {
            return Err(format!("{name:?} is not a valid name of a label: it has a colon"));
        }
        Ok(LabelFlag(label))
    }
}

/// Serializes labels as an object; as null when there are none.
pub(crate) fn as_object<S: Serializer>(
    labels: &[LabelFlag],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut object = BTreeMap::new();
    for LabelFlag(Label { name, text }) in labels {
        if object.insert(name, text).is_some() {
            return Err(S::Error::custom(format!("label {name:?} is given twice")));
        }
    }
    Some(object).filter(|object| !object.is_empty()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_a_name_and_a_text() {
        let label =
            |text: &str| text.parse::<LabelFlag>().map(|LabelFlag(label)| label.to_string());
        assert_eq!(label("team=network"), Ok("team:network".to_owned()));
        assert_eq!(label("a/b=c=d:e"), Ok("a/b:c=d:e".to_owned()));
        assert_eq!(label("empty="), Ok("empty:".to_owned()));
        for text in ["team", "=x", "a b=c", "a:b=c", "team:network"] {
            assert!(label(text).is_err(), "{text}");
        }
    }
}

//! Parameters of a job, one by one or all at once.

use std::str::FromStr;

use clap::Args;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The flags `-p` and `--parameters`. Serialized as one object; as null when neither is given.
#[derive(Debug, Args)]
pub(crate) struct ParameterFlags {
    /// Set a parameter: KEY=VALUE sets a string, KEY:=JSON any JSON value. Repeatable
    #[arg(short = 'p', long = "parameter", value_name = "KEY=VALUE")]
    single: Vec<Parameter>,

    /// Set all parameters at once, as a JSON object
    #[arg(long = "parameters", value_name = "JSON")]
    all: Option<Parameters>,
}

impl ParameterFlags {
    fn joined(&self) -> Result<Option<Map<String, Value>>, String> {
        if self.all.is_none() && self.single.is_empty() {
            return Ok(None);
        }
        let mut map = self.all.clone().map(|all| all.0).unwrap_or_default();
        for Parameter { name, value } in &self.single {
            if map.insert(name.clone(), value.clone()).is_some() {
                return Err(format!("parameter {name:?} is given twice"));
            }
        }
        Ok(Some(map))
    }
}

impl Serialize for ParameterFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.joined().map_err(S::Error::custom)?.serialize(serializer)
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Parameter {
    name: String,
    value: Value,
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Parameter, String> {
        let Some((before, after)) = text.split_once('=') else {
            return Err("it must be KEY=VALUE or KEY:=JSON".to_owned());
        };
        let (name, value) = match before.strip_suffix(':') {
            Some(name) => {
                let value = serde_json::from_str(after);
                (name, value.map_err(|error| format!("{after:?} is not valid JSON: {error}"))?)
            }
            None => (before, Value::String(after.to_owned())),
        };
        if name.is_empty() {
            return Err("the key is empty".to_owned());
        }
        Ok(Parameter { name: name.to_owned(), value })
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Parameters(Map<String, Value>);

impl FromStr for Parameters {
    type Err = String;

    fn from_str(text: &str) -> Result<Parameters, String> {
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(Parameters(map)),
            Ok(_) => Err("it must be a JSON object".to_owned()),
            Err(error) => Err(format!("it is not valid JSON: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_parser::arguments;
    use serde_json::json;

    #[test]
    fn a_value_is_a_string_unless_a_colon_says_json() {
        let cases = [
            ("a=1", "a", json!("1")),
            ("a:=1", "a", json!(1)),
            ("a=", "a", json!("")),
            ("a=b=c", "a", json!("b=c")),
            ("a=b:=1", "a", json!("b:=1")),
            ("a.b-c={}", "a.b-c", json!("{}")),
            (r#"a:={"b": [true]}"#, "a", json!({"b": [true]})),
            (r#"a:="1""#, "a", json!("1")),
            ("http://x:=null", "http://x", json!(null)),
        ];
        for (text, name, value) in cases {
            assert_eq!(text.parse(), Ok(Parameter { name: name.into(), value }), "{text}");
        }
        for text in ["", "a", "=1", ":=1", "a:=", "a:=b", "a:={"] {
            assert!(text.parse::<Parameter>().is_err(), "{text}");
        }
    }

    #[test]
    fn all_parameters_at_once_must_be_an_object() {
        assert_eq!("{}".parse(), Ok(Parameters(Map::new())));
        for text in ["", "1", "[]", "null", "{"] {
            assert!(text.parse::<Parameters>().is_err(), "{text}");
        }
    }

    #[test]
    fn both_flags_join_and_a_repeated_name_is_an_error() {
        let joined = |words: &[&str]| {
            serde_json::to_value(arguments::<ParameterFlags>(words).unwrap())
                .map_err(|error| error.to_string())
        };
        assert_eq!(joined(&[]), Ok(json!(null)));
        assert_eq!(joined(&["--parameters={}"]), Ok(json!({})));
        let both = joined(&[r#"--parameters={"a": 1}"#, "-p", "b=2"]);
        assert_eq!(both, Ok(json!({"a": 1, "b": "2"})));
        let twice = Err("parameter \"a\" is given twice".to_owned());
        assert_eq!(joined(&[r#"--parameters={"a": 1}"#, "-p", "a=2"]), twice);
        assert_eq!(joined(&["-p", "a=1", "-p", "a:=1"]), twice);
    }
}

//! Parameters of a job as the command line gives them. Pure.

use std::str::FromStr;

use serde_json::{Map, Value};

/// One `key=value`, a text, or `key:=json`, any JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    name: String,
    value: Value,
}

impl FromStr for Parameter {
    type Err = String;

    fn from_str(text: &str) -> Result<Parameter, String> {
        let Some((before, after)) = text.split_once('=') else {
            return Err("it must be key=value, or key:=json".to_owned());
        };
        let (name, value) = match before.strip_suffix(':') {
            Some(name) => {
                let value = serde_json::from_str(after);
                (name, value.map_err(|error| format!("{after:?} is no JSON: {error}"))?)
            }
            None => (before, Value::String(after.to_owned())),
        };
        if name.is_empty() {
            return Err("the key is empty".to_owned());
        }
        Ok(Parameter { name: name.to_owned(), value })
    }
}

/// All parameters at once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameters(Map<String, Value>);

impl FromStr for Parameters {
    type Err = String;

    fn from_str(text: &str) -> Result<Parameters, String> {
        match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Ok(Parameters(map)),
            Ok(_) => Err("it must be a JSON object".to_owned()),
            Err(error) => Err(format!("it is no JSON: {error}")),
        }
    }
}

/// Both together; `None` when neither was given. A name that is given twice is a mistake.
pub(crate) fn joined(
    all: Option<Parameters>,
    one_by_one: &[Parameter],
) -> Result<Option<Map<String, Value>>, String> {
    if all.is_none() && one_by_one.is_empty() {
        return Ok(None);
    }
    let mut map = all.map(|all| all.0).unwrap_or_default();
    for Parameter { name, value } in one_by_one {
        if map.insert(name.clone(), value.clone()).is_some() {
            return Err(format!("parameter {name:?} is given twice"));
        }
    }
    Ok(Some(map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(text: &str) -> Parameter {
        text.parse().unwrap()
    }

    #[test]
    fn a_parameter_is_a_text_unless_the_colon_says_json() {
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
            assert_eq!(one(text), Parameter { name: name.into(), value }, "{text}");
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
    fn both_ways_join_and_a_name_given_twice_is_refused() {
        let all: Parameters = r#"{"a": 1}"#.parse().unwrap();
        assert_eq!(joined(None, &[]), Ok(None));
        assert_eq!(joined(Some("{}".parse().unwrap()), &[]), Ok(Some(Map::new())));
        let both = joined(Some(all.clone()), &[one("b=2")]).unwrap().unwrap();
        assert_eq!(Value::Object(both), json!({"a": 1, "b": "2"}));
        let twice = Err("parameter \"a\" is given twice".to_owned());
        assert_eq!(joined(Some(all), &[one("a=2")]), twice);
        assert_eq!(joined(None, &[one("a=1"), one("a:=1")]), twice);
    }
}

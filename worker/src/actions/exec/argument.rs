//! One argument of a command: a text, or the place of a parameter, which becomes one whole argument whatever is in it.

use serde_json::{Map, Value};
use shared::job::Exception;

#[derive(Debug)]
pub(super) enum Argument {
    /// As it stands.
    Literal(String),
    /// The value of the parameter with this name.
    Parameter(String),
}

impl Argument {
    pub(super) fn parse(text: &str) -> Result<Argument, String> {
        let name = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        match name.map(str::trim) {
            Some(name) if !name.is_empty() && !name.contains(['{', '}']) => {
                Ok(Argument::Parameter(name.to_owned()))
            }
            None if !text.contains("{{") => Ok(Argument::Literal(text.to_owned())),
            Some(_) | None => Err(format!(
                "argument {text:?} mixes a parameter with other text; a parameter is a whole argument"
            )),
        }
    }

    pub(super) fn filled(
        &self,
        parameters: Option<&Map<String, Value>>,
    ) -> Result<String, Exception> {
        let name = match self {
            Argument::Literal(text) => return Ok(text.clone()),
            Argument::Parameter(name) => name,
        };
        let value = parameters.and_then(|parameters| parameters.get(name)).ok_or_else(|| {
            Exception::new("MissingParameter", format!("parameter {name} is missing"))
        })?;
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                value.to_string()
            }
        };
        if text.contains('\0') {
            let message = format!("parameter {name} has a NUL character, which no argument can");
            return Err(Exception::new("BadParameter", message));
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parameter_is_one_argument_whatever_is_in_it() {
        let parameters =
            json!({"a": "x; rm -rf \"$HOME\"\n", "n": 1.5, "o": {"k": [1]}, "z": null});
        let filled = |text: &str| Argument::parse(text).unwrap().filled(parameters.as_object());
        assert_eq!(filled("{{a}}").unwrap(), "x; rm -rf \"$HOME\"\n");
        assert_eq!(filled("{{ n }}").unwrap(), "1.5");
        assert_eq!(filled("{{o}}").unwrap(), r#"{"k":[1]}"#);
        assert_eq!(filled("{{z}}").unwrap(), "");
        assert_eq!(filled("plain {text}").unwrap(), "plain {text}");
        assert_eq!(filled("{{none}}").unwrap_err().kind, "MissingParameter");
        let nul = json!({"a": "x\0y"});
        let argument = Argument::parse("{{a}}").unwrap();
        assert_eq!(argument.filled(nul.as_object()).unwrap_err().kind, "BadParameter");
    }
}

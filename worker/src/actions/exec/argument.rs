//! What is given to a command: a text, the place of a parameter, which becomes one whole argument whatever is in it, or
//! the place of all parameters, as JSON. For what is no argument, also the content of a file that holds a secret.

use std::io::Read;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};
use domain::job::Exception;

/// How large a secret may be.
const SECRET_BYTES: u64 = 64 * 1024;

#[derive(Debug)]
pub(in crate::actions) enum Argument {
    /// As it stands.
    Literal(String),
    /// The value of the parameter with this name.
    Parameter(String),
    /// All parameters, one JSON object.
    All,
}

impl Argument {
    pub(in crate::actions) fn parse(text: &str) -> Result<Argument, String> {
        let name = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        match name.map(str::trim) {
            Some("*") => Ok(Argument::All),
            Some(name) if !name.is_empty() && !name.contains(['{', '}']) => {
                Ok(Argument::Parameter(name.to_owned()))
            }
            None if !text.contains("{{") => Ok(Argument::Literal(text.to_owned())),
            Some(_) | None => Err(format!(
                "argument {text:?} mixes a parameter with other text; a parameter is a whole argument"
            )),
        }
    }

    pub(in crate::actions) fn filled(
        &self,
        parameters: Option<&Map<String, Value>>,
    ) -> Result<String, Exception> {
        let name = match self {
            Argument::Literal(text) => return Ok(text.clone()),
            Argument::Parameter(name) => name,
            Argument::All => {
                return Ok(serde_json::json!(parameters.unwrap_or(&Map::new())).to_string());
            }
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

/// How a file of actions gives what is no argument.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a text, or { secret = \"/path\" }")]
pub(in crate::actions) enum Given {
    Text(String),
    Secret(SecretFile),
}

/// Where a secret is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::actions) struct SecretFile {
    pub(in crate::actions) secret: PathBuf,
}

/// What is given otherwise than as an argument, which anybody on the machine can read.
#[derive(Debug)]
pub(in crate::actions) enum Source {
    Argument(Argument),
    /// What this file holds when the job starts, less the end of its last line.
    Secret(PathBuf),
}

impl Source {
    pub(in crate::actions) fn parse(given: &Given) -> Result<Source, String> {
        match given {
            Given::Text(text) => Argument::parse(text).map(Source::Argument),
            Given::Secret(SecretFile { secret }) if secret.is_absolute() => {
                Ok(Source::Secret(secret.clone()))
            }
            Given::Secret(SecretFile { secret }) => {
                Err(format!("secret {} is no absolute path", secret.display()))
            }
        }
    }

    pub(in crate::actions) fn filled(
        &self,
        parameters: Option<&Map<String, Value>>,
    ) -> Result<String, Exception> {
        let file = match self {
            Source::Argument(argument) => return argument.filled(parameters),
            Source::Secret(file) => file,
        };
        let mut text = String::new();
        let reading = std::fs::File::open(file)
            .and_then(|opened| opened.take(SECRET_BYTES + 1).read_to_string(&mut text));
        let refused = |why: &str| {
            let message = format!("the secret {}: {why}", file.display());
            Exception::new("NoSecret", message)
        };
        reading.map_err(|error| refused(&error.to_string()))?;
        if text.len() as u64 > SECRET_BYTES {
            return Err(refused("it is too large"));
        }
        let end = text.strip_suffix('\n').map_or(text.len(), str::len);
        text.truncate(end);
        if text.contains('\0') {
            return Err(refused("it has a NUL character"));
        }
        Ok(text)
    }

    pub(in crate::actions) fn is_secret(&self) -> bool {
        matches!(self, Source::Secret(_))
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
        assert_eq!(filled("{{*}}").unwrap(), parameters.to_string());
        assert_eq!(filled("plain {text}").unwrap(), "plain {text}");
        assert_eq!(filled("{{none}}").unwrap_err().kind, "MissingParameter");
        assert_eq!(Argument::All.filled(None).unwrap(), "{}");
        let nul = json!({"a": "x\0y"});
        let argument = Argument::parse("{{a}}").unwrap();
        assert_eq!(argument.filled(nul.as_object()).unwrap_err().kind, "BadParameter");
    }

    #[test]
    fn a_secret_is_a_file_that_is_read_when_it_is_needed() {
        let file = std::env::temp_dir().join(domain::job::JobId::random().to_string());
        let given = Given::Secret(SecretFile { secret: file.clone() });
        let secret = Source::parse(&given).unwrap();
        let missing = secret.filled(None).unwrap_err();
        assert_eq!(missing.kind, "NoSecret");
        assert!(missing.message.contains(&*file.to_string_lossy()), "{}", missing.message);
        std::fs::write(&file, "pass\nword\n").unwrap();
        assert_eq!(secret.filled(None).unwrap(), "pass\nword");
        std::fs::write(&file, "x".repeat(70_000)).unwrap();
        assert!(secret.filled(None).unwrap_err().message.ends_with("it is too large"));
        std::fs::remove_file(&file).unwrap();
        let relative = Given::Secret(SecretFile { secret: "here".into() });
        assert!(Source::parse(&relative).unwrap_err().contains("no absolute path"));
    }
}

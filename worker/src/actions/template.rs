//! Text in the declaration of an action: a literal, a placeholder for one parameter, which becomes
//! exactly one argument whatever it contains, or a placeholder for all parameters, as JSON. Except
//! for arguments, the text may also be read from a file that contains a secret.

use std::io::Read;
use std::path::PathBuf;

use domain::job::Exception;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The largest secret.
const SECRET_BYTES: u64 = 64 * 1024;

/// A literal text or a placeholder.
#[derive(Debug)]
pub(super) enum Template {
    /// The text itself.
    Literal(String),
    /// The value of the parameter with this name: `{{name}}`.
    Parameter(String),
    /// All parameters, as one JSON object: `{{*}}`.
    AllParameters,
}

impl Template {
    pub(super) fn parse(text: &str) -> Result<Template, String> {
        let name = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
        match name.map(str::trim) {
            Some("*") => Ok(Template::AllParameters),
            Some(name) if !name.is_empty() && !name.contains(['{', '}']) => {
                Ok(Template::Parameter(name.to_owned()))
            }
            None if !text.contains("{{") => Ok(Template::Literal(text.to_owned())),
            Some(_) | None => Err(format!(
                "{text:?} mixes a placeholder with other text; a placeholder must stand alone"
            )),
        }
    }

    /// Returns the text for a job with these parameters. A value that is not a string is written as
    /// JSON, and `null` as the empty text.
    pub(super) fn render(
        &self,
        parameters: Option<&Map<String, Value>>,
    ) -> Result<String, Exception> {
        let name = match self {
            Template::Literal(text) => return Ok(text.clone()),
            Template::Parameter(name) => name,
            Template::AllParameters => {
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
            let message = format!("parameter {name} contains a NUL character");
            return Err(Exception::new("BadParameter", message));
        }
        Ok(text)
    }
}

/// A text in the actions file that is not an argument.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a string or { secret = \"/path\" }")]
pub(super) enum TextOrSecret {
    Text(String),
    Secret(SecretFile),
}

/// The file of a secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretFile {
    pub(super) secret: PathBuf,
}

/// The source of a text that is not an argument. Every user of the machine can read arguments, so
/// they must not contain secrets.
#[derive(Debug)]
pub(super) enum TextSource {
    Template(Template),
    /// The content of this file when the job starts, without its final newline.
    Secret(PathBuf),
}

impl TextSource {
    pub(super) fn parse(given: &TextOrSecret) -> Result<TextSource, String> {
        match given {
            TextOrSecret::Text(text) => Template::parse(text).map(TextSource::Template),
            TextOrSecret::Secret(SecretFile { secret }) => TextSource::secret(secret.clone()),
        }
    }

    pub(super) fn secret(file: PathBuf) -> Result<TextSource, String> {
        if file.is_absolute() {
            Ok(TextSource::Secret(file))
        } else {
            Err(format!("secret {} must be an absolute path", file.display()))
        }
    }

    /// Returns the text for a job with these parameters.
    pub(super) fn render(
        &self,
        parameters: Option<&Map<String, Value>>,
    ) -> Result<String, Exception> {
        let file = match self {
            TextSource::Template(template) => return template.render(parameters),
            TextSource::Secret(file) => file,
        };
        let no_secret = |why: &str| {
            Exception::new("NoSecret", format!("cannot use secret {}: {why}", file.display()))
        };
        let mut text = String::new();
        let reading = std::fs::File::open(file)
            .and_then(|opened| opened.take(SECRET_BYTES + 1).read_to_string(&mut text));
        reading.map_err(|error| no_secret(&error.to_string()))?;
        if text.len() as u64 > SECRET_BYTES {
            return Err(no_secret(&format!("more than {SECRET_BYTES} bytes")));
        }
        let end = text.strip_suffix('\n').map_or(text.len(), str::len);
        text.truncate(end);
        if text.contains('\0') {
            return Err(no_secret("it contains a NUL character"));
        }
        Ok(text)
    }

    pub(super) fn is_secret(&self) -> bool {
        matches!(self, TextSource::Secret(_))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parameter_becomes_one_argument_whatever_it_contains() {
        let parameters =
            json!({"a": "x; rm -rf \"$HOME\"\n", "n": 1.5, "o": {"k": [1]}, "z": null});
        let render = |text: &str| Template::parse(text).unwrap().render(parameters.as_object());
        assert_eq!(render("{{a}}").unwrap(), "x; rm -rf \"$HOME\"\n");
        assert_eq!(render("{{ n }}").unwrap(), "1.5");
        assert_eq!(render("{{o}}").unwrap(), r#"{"k":[1]}"#);
        assert_eq!(render("{{z}}").unwrap(), "");
        assert_eq!(render("{{*}}").unwrap(), parameters.to_string());
        assert_eq!(render("plain {text}").unwrap(), "plain {text}");
        assert_eq!(render("{{none}}").unwrap_err().kind, "MissingParameter");
        assert_eq!(Template::AllParameters.render(None).unwrap(), "{}");
        let nul = json!({"a": "x\0y"});
        let template = Template::parse("{{a}}").unwrap();
        assert_eq!(template.render(nul.as_object()).unwrap_err().kind, "BadParameter");
    }

    #[test]
    fn a_secret_is_read_from_its_file_when_it_is_needed() {
        let file = std::env::temp_dir().join(domain::job::JobId::random().to_string());
        let secret = TextSource::secret(file.clone()).unwrap();
        let missing = secret.render(None).unwrap_err();
        assert_eq!(missing.kind, "NoSecret");
        assert!(missing.message.contains(&*file.to_string_lossy()), "{}", missing.message);
        std::fs::write(&file, "pass\nword\n").unwrap();
        assert_eq!(secret.render(None).unwrap(), "pass\nword");
        std::fs::write(&file, "x".repeat(70_000)).unwrap();
        assert!(secret.render(None).unwrap_err().message.ends_with("more than 65536 bytes"));
        std::fs::remove_file(&file).unwrap();
        assert!(TextSource::secret("here".into()).unwrap_err().contains("absolute path"));
    }
}

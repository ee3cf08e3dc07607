//! The TOML file that declares actions: commands and webhooks. It is read once, at startup; an
//! invalid file aborts the startup.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::capacity::CapacityMap;
use domain::job::{ActionName, GoDuration};
use serde::Deserialize;
use store::ActionDefaults;

use super::exec::{CommandDeclaration, Limits};
use super::template::TextOrSecret;
use super::webhook::WebhookDeclaration;

/// Why the file was refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("cannot read the actions file {path}: {source}")]
    Read {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The file is not valid TOML, or not of the expected form.
    #[error("invalid actions file {path}: {why}")]
    Form {
        /// The path of the file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFormat {
    #[serde(default)]
    actions: BTreeMap<String, RawAction>,
}

/// One action: a command if it has `argv`, a webhook if it has `webhook`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAction {
    argv: Option<Vec<String>>,
    webhook: Option<WebhookDeclaration>,
    #[serde(default)]
    environment: BTreeMap<String, TextOrSecret>,
    stdin: Option<TextOrSecret>,
    directory: Option<PathBuf>,
    user: Option<String>,
    #[serde(default)]
    limits: Limits,
    capacity: Option<CapacityMap>,
    retries: Option<u32>,
    #[serde(default)]
    deadline: GoDuration,
    #[serde(default)]
    stop_timeout: GoDuration,
}

/// An action as the file declares it.
pub(crate) struct ActionDeclaration {
    pub(super) kind: ActionKind,
    pub(super) defaults: ActionDefaults,
}

/// What the action does.
pub(super) enum ActionKind {
    Command(CommandDeclaration),
    Webhook(WebhookDeclaration),
}

/// Reads the actions that a file declares.
pub(super) fn read(path: &Path) -> Result<BTreeMap<ActionName, ActionDeclaration>, FileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    parse(&text).map_err(|why| FileError::Form { path: path.to_owned(), why })
}

/// Parses the content of a file.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<ActionName, ActionDeclaration>, String> {
    let file: FileFormat = toml::from_str(text).map_err(|error| error.to_string())?;
    let actions = file.actions.into_iter().map(|(name, action)| {
        let parsed: ActionName = name.parse().map_err(|error| format!("{error}"))?;
        Ok((parsed, action.declaration().map_err(|why| format!("action {name}: {why}"))?))
    });
    actions.collect()
}

impl RawAction {
    fn declaration(self) -> Result<ActionDeclaration, String> {
        let only_commands = self.has_command_settings();
        let defaults = ActionDefaults {
            capacity_map: self.capacity,
            retries: self.retries,
            deadline: self.deadline,
            stop_timeout: self.stop_timeout,
            ..ActionDefaults::default()
        };
        let kind = match (self.argv, self.webhook) {
            (Some(argv), None) => ActionKind::Command(CommandDeclaration {
                argv,
                environment: self.environment,
                stdin: self.stdin,
                directory: self.directory,
                user: self.user,
                limits: self.limits,
            }),
            (None, Some(_)) if only_commands => {
                let why = "environment, stdin, directory, user and limits apply only to commands";
                return Err(why.to_owned());
            }
            (None, Some(webhook)) => ActionKind::Webhook(webhook),
            (Some(_), Some(_)) => return Err("argv and webhook are mutually exclusive".to_owned()),
            (None, None) => return Err("argv or webhook is required".to_owned()),
        };
        Ok(ActionDeclaration { kind, defaults })
    }

    fn has_command_settings(&self) -> bool {
        !self.environment.is_empty()
            || self.limits != Limits::default()
            || self.stdin.is_some()
            || self.directory.is_some()
            || self.user.is_some()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_command_with_every_setting_is_parsed() {
        let text = r#"
            [actions.sha256]
            argv = ["sha256sum", "--", "{{file}}"]
            environment = { LC_ALL = "C", KEY = { secret = "/run/secrets/key" } }
            stdin = "{{*}}"
            directory = "/tmp"
            user = "nobody"
            limits = { address_space = "1GiB", open_files = 64, nice = 5 }
            capacity = { cpu = 2 }
            retries = 2
            deadline = "15m"
            stop_timeout = "5s"
        "#;
        let actions = parse(text).unwrap();
        let [declaration] = &actions.values().collect::<Vec<_>>()[..] else { panic!() };
        assert!(matches!(declaration.kind, ActionKind::Command(_)));
        assert_eq!(declaration.defaults.retries, Some(2));
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn an_error_names_the_invalid_action() {
        let refused = |text: &str| parse(text).err().unwrap_or_default();
        let webhook = "[actions.a]\nwebhook = { url = 'https://example.org' }\n";
        expect!["action a: argv or webhook is required"].assert_eq(&refused("[actions.a]"));
        expect!["action a: argv and webhook are mutually exclusive"]
            .assert_eq(&refused(&format!("{webhook}argv = ['c']")));
        expect!["action a: environment, stdin, directory, user and limits apply only to commands"]
            .assert_eq(&refused(&format!("{webhook}user = 'nobody'")));
        let invalid = [
            ("shell = true", "unknown field `shell`"),
            ("deadline = '5'", "duration"),
            ("environment = { A = { secrets = '/x' } }", "expected a string or { secret"),
            ("limits = { memory = 'much' }", "is not a size"),
            ("limits = { files = 1 }", "unknown field `files`"),
        ];
        for (line, why) in invalid {
            let message = refused(&format!("[actions.a]\nargv = ['c']\n{line}"));
            assert!(message.contains(why), "{line}: {message}");
        }
        assert!(refused("[actions.'a b']\nargv = ['c']").contains("action name"));
    }
}

//! The TOML file that declares actions: commands and webhooks. Read once, at the start; a wrong file stops it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use domain::capacity::CapacityMap;
use domain::job::{ActionName, Span};
use store::ActionDefaults;

use super::exec::argument::Given;
use super::exec::{self, limits::Limits};
use super::webhook::Endpoint;

/// The file was refused.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read the actions file {path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not TOML, or not of this form.
    #[error("the actions file {path} is wrong: {why}")]
    Form {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// It declares an action that the worker has without it.
    #[error("the actions file declares {0}, which this worker has already")]
    Known(ActionName),
    /// What it declares cannot be done here.
    #[error("action {name}: {why}")]
    Action {
        /// The action.
        name: ActionName,
        /// What is wrong with it.
        why: String,
    },
    /// Commands need a directory for their rooms.
    #[error("cannot make a temporary directory in {path}: {source}")]
    Temporary {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    actions: BTreeMap<String, Entry>,
}

/// One action: a command when it has `argv`, an endpoint when it has `webhook`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    argv: Option<Vec<String>>,
    webhook: Option<Endpoint>,
    #[serde(default)]
    environment: BTreeMap<String, Given>,
    stdin: Option<Given>,
    directory: Option<PathBuf>,
    user: Option<String>,
    #[serde(default)]
    limits: Limits,
    capacity: Option<CapacityMap>,
    retries: Option<u32>,
    #[serde(default)]
    deadline: Span,
    #[serde(default)]
    stop_timeout: Span,
}

/// What is done by an action of the file.
pub(super) enum Declaration {
    Command(exec::Declared),
    Webhook(Endpoint, ActionDefaults),
}

/// The actions that a file declares.
pub(super) fn read(path: &Path) -> Result<BTreeMap<ActionName, Declaration>, FileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    parse(&text).map_err(|why| FileError::Form { path: path.to_owned(), why })
}

/// Reads what stands in it.
pub(super) fn parse(text: &str) -> Result<BTreeMap<ActionName, Declaration>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let actions = file.actions.into_iter().map(|(name, entry)| {
        let action: ActionName = name.parse().map_err(|error| format!("{error}"))?;
        Ok((action, entry.declaration().map_err(|why| format!("action {name}: {why}"))?))
    });
    actions.collect()
}

impl Entry {
    fn declaration(self) -> Result<Declaration, String> {
        let defaults = ActionDefaults {
            capacity_map: self.capacity,
            retries: self.retries,
            deadline: self.deadline,
            stop_timeout: self.stop_timeout,
            ..ActionDefaults::default()
        };
        let (environment, stdin) = (self.environment, self.stdin);
        let (directory, user, limits) = (self.directory, self.user, self.limits);
        match (self.argv, self.webhook) {
            (Some(argv), None) => Ok(Declaration::Command(exec::Declared {
                argv,
                environment,
                stdin,
                directory,
                user,
                limits,
                defaults,
            })),
            (None, Some(endpoint)) => {
                let of_commands = !environment.is_empty()
                    || limits != Limits::default()
                    || stdin.is_some()
                    || directory.is_some()
                    || user.is_some();
                if of_commands {
                    let why = "environment, stdin, directory, user and limits are for commands";
                    return Err(why.to_owned());
                }
                Ok(Declaration::Webhook(endpoint, defaults))
            }
            (Some(_), Some(_)) => Err("it has both argv and webhook".to_owned()),
            (None, None) => Err("it has neither argv nor webhook".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_whole_entry_is_read() {
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
        assert_eq!(actions.len(), 1);
        assert!(matches!(&actions.values().next(), Some(Declaration::Command(_))));
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn a_wrong_entry_is_named() {
        let refused = |text: &str| parse(text).err().unwrap_or_default();
        let webhook = "[actions.a]\nwebhook = { url = 'https://example.org' }\n";
        expect!["action a: it has neither argv nor webhook"].assert_eq(&refused("[actions.a]"));
        expect!["action a: it has both argv and webhook"]
            .assert_eq(&refused(&format!("{webhook}argv = ['c']")));
        expect!["action a: environment, stdin, directory, user and limits are for commands"]
            .assert_eq(&refused(&format!("{webhook}user = 'nobody'")));
        let wrong = [
            ("shell = true", "unknown field `shell`"),
            ("deadline = '5'", "is no duration"),
            ("environment = { A = { secrets = '/x' } }", "expected a text, or { secret"),
            ("limits = { memory = 'much' }", "is no number of bytes"),
            ("limits = { files = 1 }", "unknown field `files`"),
        ];
        for (line, why) in wrong {
            let text = refused(&format!("[actions.a]\nargv = ['c']\n{line}"));
            assert!(text.contains(why), "{line}: {text}");
        }
        assert!(refused("[actions.'a b']\nargv = ['c']").contains("no action name"));
    }
}

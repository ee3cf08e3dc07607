//! The TOML file that declares actions which run commands. Read once, at the start; a wrong file stops it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use shared::capacity::CapacityMap;
use shared::job::{ActionName, Span};
use shared::store::ActionDefaults;

use super::exec::Exec;

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
    /// It declares an action that every worker has.
    #[error("the actions file declares {0}, which is built in")]
    BuiltIn(ActionName),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    actions: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    argv: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    capacity: Option<CapacityMap>,
    retries: Option<u32>,
    #[serde(default)]
    deadline: Span,
    #[serde(default)]
    stop_timeout: Span,
}

pub(super) fn read(path: &Path) -> Result<Vec<(ActionName, Exec)>, FileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| FileError::Read { path: path.to_owned(), source })?;
    parse(&text).map_err(|why| FileError::Form { path: path.to_owned(), why })
}

fn parse(text: &str) -> Result<Vec<(ActionName, Exec)>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let actions = file.actions.into_iter().map(|(name, entry)| {
        let action: ActionName = name.parse().map_err(|error| format!("{error}"))?;
        let defaults = ActionDefaults {
            capacity_map: entry.capacity,
            retries: entry.retries,
            deadline: entry.deadline,
            stop_timeout: entry.stop_timeout,
        };
        let exec = Exec::new(&entry.argv, entry.environment, entry.directory, defaults);
        Ok((action, exec.map_err(|why| format!("action {name}: {why}"))?))
    });
    actions.collect()
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
            environment = { LC_ALL = "C" }
            directory = "/tmp"
            capacity = { cpu = 2 }
            retries = 2
            deadline = "15m"
            stop_timeout = "5s"
        "#;
        let actions = parse(text).unwrap();
        assert_eq!(actions.len(), 1);
        assert_eq!(actions[0].0.as_str(), "sha256");
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn a_wrong_entry_is_named() {
        let refused = |text: &str| parse(text).err().unwrap_or_default();
        expect!["action a: argv is empty"].assert_eq(&refused("[actions.a]\nargv = []"));
        expect![[r#"action a: argument "x{{b}}" mixes a parameter with other text; a parameter is a whole argument"#]]
            .assert_eq(&refused("[actions.a]\nargv = ['c', 'x{{b}}']"));
        expect!["action a: the command itself cannot be a parameter"]
            .assert_eq(&refused("[actions.a]\nargv = ['{{b}}']"));
        assert!(
            refused("[actions.a]\nargv = ['c']\nshell = true").contains("unknown field `shell`")
        );
        assert!(refused("[actions.a]\nargv = ['c']\ndeadline = '5'").contains("is no duration"));
        assert!(refused("[actions.'a b']\nargv = ['c']").contains("no action name"));
    }
}

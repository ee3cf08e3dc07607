//! The actions of the workers, from several files as one.

use std::path::Path;

use anyhow::Context;
use toml::{Table, Value};

/// Reads files of actions and returns the text of one file with the actions of all. Workers check
/// the actions themselves.
pub(super) fn merged(files: &[impl AsRef<Path>]) -> anyhow::Result<String> {
    let mut texts = Vec::new();
    for file in files {
        let file = file.as_ref();
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the actions file {}", file.display()))?;
        texts.push((file.display().to_string(), text));
    }
    merge(&texts)
}

/// Merges the texts of files, each with its name.
fn merge(files: &[(String, String)]) -> anyhow::Result<String> {
    let mut actions = Table::new();
    let mut origins: Vec<(String, &str)> = Vec::new();
    for (file, text) in files {
        for (name, action) in actions_of(text).with_context(|| invalid(file))? {
            if let Some((_, first)) = origins.iter().find(|(known, _)| *known == name) {
                anyhow::bail!("action {name} is in {first} and in {file}; rename one of them");
            }
            origins.push((name.clone(), file));
            actions.insert(name, action);
        }
    }
    let merged = Table::from_iter([("actions".to_owned(), Value::Table(actions))]);
    Ok(toml::to_string(&merged)?)
}

fn actions_of(text: &str) -> anyhow::Result<Table> {
    let mut file: Table = text.parse()?;
    let actions = file.remove("actions");
    if let Some(name) = file.keys().next() {
        anyhow::bail!("unknown field `{name}`, expected `actions`");
    }
    match actions {
        Some(Value::Table(actions)) => Ok(actions),
        Some(_) => anyhow::bail!("`actions` must be a table"),
        None => Ok(Table::new()),
    }
}

fn invalid(file: &str) -> String {
    format!("invalid actions file {file}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(texts: &[&str], expected: &Expect) {
        let named =
            texts.iter().zip('a'..).map(|(text, name)| (name.to_string(), text.to_string()));
        let merged = merge(&named.collect::<Vec<_>>()).unwrap_or_else(|error| format!("{error:#}"));
        expected.assert_eq(&merged);
    }

    #[test]
    fn the_actions_of_all_files_are_in_one() {
        let inline = "actions = { b = { argv = ['b'], stdin = { secret = '/x' } } }";
        check(
            &["[actions.a]\nargv = ['a']\n", "", inline],
            &expect![[r#"
                [actions.a]
                argv = ["a"]

                [actions.b]
                argv = ["b"]

                [actions.b.stdin]
                secret = "/x"
            "#]],
        );
    }

    #[test]
    fn an_error_names_the_file() {
        let a = "[actions.x]\nargv = ['a']\n";
        check(&[a, a], &expect!["action x is in a and in b; rename one of them"]);
        check(
            &[a, "[action.y]\n"],
            &expect!["invalid actions file b: unknown field `action`, expected `actions`"],
        );
        check(&["actions = 1"], &expect!["invalid actions file a: `actions` must be a table"]);
    }
}

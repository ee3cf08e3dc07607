//! Whether the commands of a page can be pasted: every variable that a block uses is assigned in the
//! block itself or in the first block of commands of its page.

use std::collections::BTreeSet;

use super::block::Kind;
use super::markdown::{Block, Document};

/// Variables that every reader has.
const GIVEN: [&str; 3] = ["HOME", "PATH", "PWD"];

/// The variables that blocks of the page use without an assignment, each with the line of its block.
pub(super) fn unassigned(page: &Document) -> Vec<String> {
    let blocks = page.blocks().into_iter().filter(has_commands);
    let commands: Vec<_> = blocks.map(|block| (block.line, commands(&block))).collect();
    let first = commands.first().map(|(_, text)| assigned(text)).unwrap_or_default();
    let mut found = Vec::new();
    for (line, text) in &commands {
        let own = assigned(text);
        let unknown = used(text).into_iter().filter(|name| {
            !GIVEN.contains(&name.as_str()) && !own.contains(name) && !first.contains(name)
        });
        found.extend(unknown.map(|name| format!("{}:{line}: {name}", page.path.display())));
    }
    found
}

fn has_commands(block: &Block) -> bool {
    matches!(Kind::of(block), Ok(Kind::Shell | Kind::NoRun | Kind::Console))
}

/// The commands of a block, without the output of a console.
fn commands(block: &Block) -> String {
    if block.info != "console" {
        return block.text.clone();
    }
    block.text.lines().filter_map(|line| Some(format!("{}\n", line.strip_prefix("$ ")?))).collect()
}

/// The names that are assigned: before a `=`, or by `for`.
fn assigned(text: &str) -> BTreeSet<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let by_equals = words.iter().filter_map(|word| Some(word.split_once('=')?.0));
    let by_for = words.windows(2).filter(|pair| pair[0] == "for").map(|pair| pair[1]);
    by_equals.chain(by_for).filter(|name| is_name(name)).map(str::to_owned).collect()
}

/// The names that follow a `$` or `${`, except those that have a default value.
fn used(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for part in text.split('$').skip(1) {
        let (part, braces) = part.strip_prefix('{').map_or((part, false), |part| (part, true));
        let is_end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let (name, rest) = part.split_at(part.find(is_end).unwrap_or(part.len()));
        let has_default = braces && rest.starts_with([':', '-', '+']);
        if is_name(name) && !has_default {
            names.insert(name.to_owned());
        }
    }
    names
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[test]
fn a_variable_must_be_assigned_in_its_block_or_in_the_first_one() {
    let text = "```sh\nA=1\n```\n```sh\nB=2\necho $A ${B} $HOME ${C:-c} '$3'\n```\n\
                ```console\n$ for d in 1; do echo $d $B; done\nD=$E\n```\n";
    let page = Document::new("x.md", text.to_owned());
    assert_eq!(unassigned(&page), ["x.md:8: B"]);
}

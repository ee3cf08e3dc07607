//! Lua scripts, joined with what they include. Knows no script's meaning.

mod includes;

use std::sync::OnceLock;

use includes::INCLUDES;

/// One script.
pub(crate) struct Script {
    name: &'static str,
    source: &'static str,
    assembled: OnceLock<redis::Script>,
}

impl Script {
    /// A script from its verb and its source.
    pub(crate) const fn new(name: &'static str, source: &'static str) -> Script {
        Script { name, source, assembled: OnceLock::new() }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The script as Redis runs it.
    pub(crate) fn assembled(&self) -> &redis::Script {
        self.assembled.get_or_init(|| redis::Script::new(&assemble(self.source)))
    }
}

/// Joins a script with what it includes, each once and after what it includes itself.
///
/// A script that ends or renews work carries `-- flags: allow-oom`: Redis runs it even when it is
/// full, because it is how space becomes free and how running jobs keep their leases. Scripts that
/// add work do not carry it, and Redis refuses them before they write anything.
fn assemble(source: &str) -> String {
    let mut assembled = "#!lua".to_owned();
    for flag in directive(source, "flags") {
        assembled.push_str(" flags=");
        assembled.push_str(flag);
    }
    assembled.push('\n');
    let mut included = Vec::new();
    include("root", &mut included, &mut assembled);
    for name in directive(source, "include") {
        include(name, &mut included, &mut assembled);
    }
    assembled + source
}

/// An unknown name adds nothing here; a test finds it.
fn include(name: &str, included: &mut Vec<String>, assembled: &mut String) {
    let Some((_, source)) = INCLUDES.iter().find(|(one, _)| *one == name) else { return };
    if included.iter().any(|one| one == name) {
        return;
    }
    included.push(name.to_owned());
    for name in directive(source, "include") {
        include(name, included, assembled);
    }
    assembled.push_str(source);
}

/// The values of the header lines `-- <name>: value, value`.
fn directive<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let comments = source.lines().filter_map(|line| line.strip_prefix("-- "));
    let lists = comments.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    lists.flat_map(|list| list.split(',').map(str::trim)).collect()
}

#[cfg(test)]
mod tests;

//! Lua scripts, joined with what they include. Knows no script's meaning.

mod includes;
mod levels;

use std::sync::OnceLock;

use includes::INCLUDES;
use levels::levels;

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
    let mut parts = includes_of(source);
    parts.push(source);
    let levels = levels(&parts);
    for (position, part) in parts.into_iter().enumerate() {
        if levels.contains(&position) {
            assembled.push_str("return (function()\n");
        }
        assembled.push_str(part);
    }
    assembled + &"end)()\n".repeat(levels.len())
}

/// The sources of what a script includes, in order.
fn includes_of(source: &str) -> Vec<&str> {
    let (mut names, mut sources) = (Vec::new(), Vec::new());
    include("root", &mut names, &mut sources);
    for name in directive(source, "include") {
        include(name, &mut names, &mut sources);
    }
    sources
}

/// An unknown name adds nothing here; a test finds it.
fn include(name: &str, names: &mut Vec<String>, sources: &mut Vec<&'static str>) {
    let Some((_, source)) = INCLUDES.iter().find(|(one, _)| *one == name) else { return };
    if names.iter().any(|one| one == name) {
        return;
    }
    names.push(name.to_owned());
    for name in directive(source, "include") {
        include(name, names, sources);
    }
    sources.push(source);
}

/// The values of the header lines `-- <name>: value, value`.
fn directive<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let comments = source.lines().filter_map(|line| line.strip_prefix("-- "));
    let lists = comments.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    lists.flat_map(|list| list.split(',').map(str::trim)).collect()
}

#[cfg(test)]
mod tests;

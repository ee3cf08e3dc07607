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

/// How many locals a level declares before the next one begins. A function can capture 60 locals of
/// those around it, as a test checks, and a level has 200 at most.
const LEVEL_LOCALS: usize = 50;

/// Joins a script with what it includes, each once and after what it includes itself.
///
/// The includes are nested: a function holds some of them, and the next function. When Lua creates a
/// closure, it searches, for each local that the closure captures, all captured locals of the
/// enclosing function. With more than a hundred closures in one function, this took most of the time
/// of a short call.
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
    let (mut levels, mut locals) = (0, 0);
    for include in includes_of(source) {
        let own = count_locals(include);
        if locals > 0 && locals + own > LEVEL_LOCALS {
            assembled.push_str("return (function()\n");
            (levels, locals) = (levels + 1, 0);
        }
        locals += own;
        assembled.push_str(include);
    }
    assembled + source + &"end)()\n".repeat(levels)
}

/// The sources of what a script includes, in order.
fn includes_of(source: &str) -> Vec<&'static str> {
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

/// How many locals the top level of a source declares.
fn count_locals(source: &str) -> usize {
    let lines = source.lines().filter_map(|line| line.strip_prefix("local "));
    lines.map(|line| line.split('=').next().unwrap_or_default().split(',').count()).sum()
}

/// The values of the header lines `-- <name>: value, value`.
fn directive<'a>(source: &'a str, name: &str) -> Vec<&'a str> {
    let comments = source.lines().filter_map(|line| line.strip_prefix("-- "));
    let lists = comments.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    lists.flat_map(|list| list.split(',').map(str::trim)).collect()
}

#[cfg(test)]
mod tests;

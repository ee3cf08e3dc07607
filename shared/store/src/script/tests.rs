//! Holds the scripts to their includes and their headers: what is wrong fails here, not in Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::levels::{declared, identifiers};
use super::*;

/// What Lua and Redis provide.
const BUILT_IN: [&str; 17] = [
    "ARGV", "KEYS", "cjson", "error", "ipairs", "math", "next", "pairs", "pcall", "redis",
    "select", "string", "table", "tonumber", "tostring", "type", "unpack",
];
const KEYWORDS: [&str; 21] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local",
    "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// The names and sources of all scripts: the Lua files outside of `includes`.
fn scripts() -> BTreeMap<String, String> {
    sources("lua").into_iter().collect()
}

/// The names and sources of the files with this extension, except those in `includes`.
fn sources(extension: &str) -> Vec<(String, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![source.clone()];
    while let Some(folder) = folders.pop() {
        let files = std::fs::read_dir(&folder).unwrap();
        for path in files.map(|file| file.unwrap().path()) {
            if path.is_dir() && path != source.join("includes") {
                folders.push(path);
            } else if path.extension().is_some_and(|own| own == extension) {
                found.push((name(&path), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The names that a source uses without declaring them anywhere: globals, which Redis refuses.
fn undeclared(assembled: &str) -> BTreeSet<String> {
    let assembled = assembled.split_once('\n').unwrap_or_default().1;
    let words = identifiers(assembled);
    let mut known: BTreeSet<&str> = KEYWORDS.into_iter().chain(BUILT_IN).collect();
    let code: Vec<&str> =
        assembled.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let text = code.join("\n");
    for (start, _) in text.match_indices("local ") {
        let names = &text[start + 6..];
        let names = names.split(['=', '\n']).next().unwrap_or_default();
        let names = names.strip_prefix("function ").unwrap_or(names);
        known.extend(names.split([',', '(', ')', ' ']).map(str::trim));
    }
    for (start, _) in text.match_indices("function") {
        let parameters = text[start..].split(['(', ')']).nth(1).unwrap_or_default();
        known.extend(parameters.split(',').map(str::trim));
    }
    for (start, _) in text.match_indices("for ") {
        let names = text[start + 4..].split(['=', '\n']).next().unwrap_or_default();
        let names = names.split(" in ").next().unwrap_or_default();
        known.extend(names.split(',').map(str::trim));
    }
    // A name before `=` is a field of a table: an assignment to a global would be read somewhere,
    // too.
    let fields = text.match_indices(" = ").map(|(at, _)| {
        let name = text[..at].rsplit(|c: char| !c.is_alphanumeric() && c != '_').next();
        name.unwrap_or_default()
    });
    known.extend(fields);
    words.filter(|word| !known.contains(word)).map(str::to_owned).collect()
}

#[test]
fn every_file_includes_what_it_uses_and_uses_what_it_includes() {
    let exports: BTreeMap<&str, BTreeSet<&str>> =
        INCLUDES.iter().map(|(name, source)| (*name, declared(source).collect())).collect();
    let scripts = scripts();
    let files = scripts.iter().map(|(name, source)| (name.as_str(), source.as_str()));
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<&str> = exports.keys().copied().collect();
    for (file, source) in files.chain(INCLUDES.iter().copied()) {
        let words: BTreeSet<&str> = identifiers(source).collect();
        let own: BTreeSet<&str> = declared(source).collect();
        let included: BTreeSet<&str> = directive(source, "include").into_iter().collect();
        for name in &included {
            unused.remove(name);
            match exports.get(name) {
                None => wrong.push(format!("{file} includes {name}, which does not exist")),
                Some(names) if names.is_disjoint(&words) => {
                    wrong.push(format!("{file} includes {name} and does not use it"));
                }
                Some(_) => {}
            }
        }
        for (name, names) in exports.iter().filter(|(name, _)| **name != "root" && **name != file) {
            let used: Vec<_> = names.intersection(&words).collect();
            let shadowed = own.intersection(names).next();
            if shadowed.is_some() {
                wrong.push(format!("{file} declares {shadowed:?}, which {name} exports"));
            } else if !used.is_empty() && !included.contains(name) {
                wrong.push(format!("{file} uses {used:?} and does not include {name}"));
            }
        }
    }
    unused.remove("root");
    wrong.extend(unused.iter().map(|name| format!("{name} is included by no file")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_include_is_listed_and_no_two_export_the_same_name() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/includes");
    let files = std::fs::read_dir(folder).unwrap().map(|file| name(&file.unwrap().path()));
    let listed: BTreeSet<String> = INCLUDES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files.collect::<BTreeSet<_>>(), listed);
    let exports = INCLUDES.iter().flat_map(|(_, source)| declared(source));
    let mut exports: Vec<&str> = exports.collect();
    exports.sort();
    let twice: Vec<_> = exports.windows(2).filter(|pair| pair[0] == pair[1]).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn no_script_uses_a_name_that_is_not_declared() {
    let mut checked = 0;
    for (name, source) in scripts() {
        let undeclared = undeclared(&assemble(&source));
        assert!(undeclared.is_empty(), "{name} uses {undeclared:?}");
        checked += 1;
    }
    assert!(checked > 30, "only {checked} scripts were found");
}

/// What a script changes in counts and sorted sets is written when it calls `write_changes`.
#[test]
fn every_script_that_puts_off_writes_carries_them_out() {
    // They only use a constant and a read of the files that they include.
    let exceptions = ["clamp_retries", "clamp_times", "keep_batch"];
    let buffer = ["add_member", "add_to_count", "count_waiting", "emit_job", "add_to_outbox"];
    for (name, source) in scripts() {
        let assembled = assemble(&source);
        let puts_off = buffer
            .iter()
            .any(|function| assembled.contains(&format!("local function {function}(")));
        let after = source.rsplit_once("\nwrite_changes()").map_or("", |(_, after)| after);
        let late = identifiers(after).find(|word| buffer.contains(word));
        assert_eq!(late, None, "{name} calls it after write_changes");
        let writes = source.contains("\nwrite_changes()") || source.contains("then_write_changes(");
        let excepted = exceptions.contains(&name.as_str());
        assert_eq!(puts_off && !excepted, writes, "{name}");
    }
}

/// Lua refuses a function that captures more than 60 locals of the functions around it.
#[test]
fn no_level_of_a_script_captures_too_many_locals() {
    for (name, source) in scripts() {
        let assembled = assemble(&source);
        let levels: Vec<&str> = assembled.split("return (function()\n").collect();
        for level in 1..levels.len() {
            let (outer, inner) = (levels[..level].concat(), levels[level..].concat());
            let declared: BTreeSet<&str> = declared(&outer).collect();
            let used: BTreeSet<&str> = identifiers(&inner).collect();
            let captured = declared.intersection(&used).count();
            assert!(captured <= 60, "{name} captures {captured} locals in level {level}");
        }
    }
}

#[test]
fn every_script_is_called_by_its_own_name() {
    let rust: String = sources("rs").into_iter().map(|(_, source)| source).collect();
    let rust = rust.split_whitespace().collect::<String>();
    for name in scripts().keys() {
        let call = format!(r#"Script::new("{name}",include_str!("{name}.lua")"#);
        assert_eq!(rust.matches(&call).count(), 1, "{name}");
    }
}

#[test]
fn a_missing_include_is_found() {
    let source = scripts()["cancel"].replace("stop_job, ", "");
    assert_eq!(undeclared(&assemble(&source)), BTreeSet::from(["stop_job".to_owned()]));
}

#[test]
fn every_script_has_a_header_that_names_it_and_lists_its_keys_and_answers() {
    for (name, source) in scripts() {
        let header: Vec<&str> = source.lines().take_while(|line| line.starts_with("--")).collect();
        assert!(header[0].starts_with(&format!("-- {name}: ")), "{name}: {}", header[0]);
        for part in ["One script, ", "KEYS[1]  root ", "Answers  "] {
            let found = header.iter().any(|line| line.starts_with(&format!("-- {part}")));
            assert!(found, "{name} has no {part:?}");
        }
    }
}

#[test]
fn what_is_included_twice_is_joined_once_and_before_its_use() {
    let assembled = assemble("-- flags: allow-oom\n-- include: move_job, job_keys\nreturn 1\n");
    assert!(assembled.starts_with("#!lua flags=allow-oom\n"));
    let at = |text: &str| {
        let found: Vec<usize> = assembled.match_indices(text).map(|(at, _)| at).collect();
        assert_eq!(found.len(), 1, "{text}");
        found[0]
    };
    assert!(at("local root =") < at("local function key_job("));
    assert!(at("local function key_job(") < at("local function move_job("));
    assert!(at("local function emit_job(") < at("local function move_job("));
    assert!(at("local function move_job(") < at("return 1"));
}

//! Compares words on the page about operations with the sources that they come from.

use std::path::Path;

use super::ROOT;
use super::markdown::Document;

/// The folders in which a metric with this prefix is registered, and what its name begins with there.
const METRICS: [(&str, &str, &str); 4] = [
    ("capstan_scheduler_", "scheduler/src", ""),
    ("capstan_worker_", "worker/src", ""),
    ("capstan_api_", "api/src", "api_"),
    ("capstan_", "api/src", ""),
];

/// The folders that name the types of exceptions.
const EXCEPTIONS: [&str; 2] = ["worker/src", "shared/store/src"];

/// The metrics on a page that no service registers.
pub(super) fn unknown_metrics(page: &Document) -> Vec<String> {
    let spans = page.code_spans().into_iter().map(|span| span.text);
    let unknown = spans.filter(|text| {
        let found = METRICS
            .iter()
            .find_map(|(prefix, folder, begin)| Some((folder, begin, text.strip_prefix(prefix)?)));
        found.is_some_and(|(folder, begin, name)| {
            let units = ["_total", "_seconds", "_bytes"];
            let name = units.iter().fold(name, |name, unit| name.trim_end_matches(unit));
            !is_quoted_in(folder, &format!("{begin}{name}"))
        })
    });
    unknown.collect()
}

/// The types of exceptions in the first column of a page's tables that no source names.
pub(super) fn unknown_exceptions(page: &Document) -> Vec<String> {
    let rows = page.table_rows();
    let names = rows.iter().filter_map(|row| row.first()).flat_map(|cell| cell.split('`'));
    let is_exception = |name: &&str| {
        name.starts_with(char::is_uppercase) && name.chars().all(|c| c.is_ascii_alphabetic())
    };
    let known = |name: &str| EXCEPTIONS.iter().any(|folder| is_quoted_in(folder, name));
    names.filter(is_exception).filter(|name| !known(name)).map(str::to_owned).collect()
}

/// Whether a source in a folder has the word in quotes.
fn is_quoted_in(folder: impl AsRef<Path>, word: &str) -> bool {
    let entries = std::fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return is_quoted_in(&path, word);
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.contains(&format!("\"{word}\""))
    })
}

//! Compares the page of settings with what the programs say in their help.

use std::collections::BTreeMap;
use std::process::Command;

use super::page::program;

/// The programs whose settings the page has.
const PROGRAMS: [&str; 4] = ["capstan-scheduler", "capstan-worker", "capstan-api", "capstan"];

/// Settings with their defaults; empty where there is none.
type Settings = BTreeMap<String, String>;

/// Describes each setting that the page lacks, has in excess, or gives another default.
pub(super) fn differences(page: &str) -> Vec<String> {
    let (listed, real) = (listed(page), PROGRAMS.iter().flat_map(|name| of_program(name)));
    let real: Settings = real.collect();
    let mut differences = Vec::new();
    for (name, default) in &real {
        match listed.get(name) {
            None => differences.push(format!("{name} is missing")),
            // A default in words, like "the system's", stands for none.
            Some(given) if default.is_empty() && !given.starts_with('`') => {}
            Some(given) if *given == format!("`{default}`") => {}
            Some(given) => differences.push(format!("{name}: default {default:?}, not {given}")),
        }
    }
    let extra = listed.keys().filter(|name| !real.contains_key(*name));
    differences.extend(extra.map(|name| format!("{name} is no setting of any program")));
    differences
}

/// The first two columns of the page's tables.
fn listed(page: &str) -> Settings {
    let mut settings = Settings::new();
    for line in page.lines().filter(|line| line.starts_with("| `CAPSTAN_")) {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        let (names, default) = (cells.next().unwrap(), cells.next().unwrap());
        for name in names.split(", ") {
            settings.insert(name.trim_matches('`').to_owned(), default.to_owned());
        }
    }
    settings
}

fn of_program(name: &str) -> Settings {
    let output = Command::new(program(name)).env_clear().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let settings = help.split("[env: ").skip(1).map(|text| {
        let (variable, rest) = text.split_once(']').unwrap();
        let name = variable.split('=').next().unwrap_or_default();
        let default = rest.trim_start().strip_prefix("[default: ");
        let default = default.and_then(|text| text.split_once(']')).map_or("", |(text, _)| text);
        (name.to_owned(), default.trim_matches('"').to_owned())
    });
    settings.collect()
}

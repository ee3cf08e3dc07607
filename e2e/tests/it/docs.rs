//! The documents are true: every command on every page works, every link resolves, and what a page
//! says about paths and settings is so.
//!
//! A new page under `docs/` needs no code here. How its blocks are checked follows from their info
//! strings: see `docs/block.rs`.

mod block;
mod markdown;
mod page;
mod script;
mod settings;
mod variables;
mod words;

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use block::{Kind, NO_RUN};
use markdown::Document;
pub(crate) use page::program;
use page::run;

/// The longest README and ARCHITECTURE.
const README_LINES: usize = 160;
const ARCHITECTURE_LINES: usize = 300;

/// The top folder of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// In how many tests the pages are run, so that each stays below the runner's limit.
const PARTS: usize = 4;

#[tokio::test]
async fn every_command_in_the_documents_works_part_1() {
    run_part(0).await;
}

#[tokio::test]
async fn every_command_in_the_documents_works_part_2() {
    run_part(1).await;
}

#[tokio::test]
async fn every_command_in_the_documents_works_part_3() {
    run_part(2).await;
}

#[tokio::test]
async fn every_command_in_the_documents_works_part_4() {
    run_part(3).await;
}

/// Runs every fourth page, each against a separate fleet.
async fn run_part(part: usize) {
    let documents = documents();
    let pages = documents.iter().filter(|document| page::is_runnable(document));
    let mut failures = Vec::new();
    for document in pages.skip(part).step_by(PARTS) {
        failures.extend(run(document).await);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn every_block_has_an_info_string_that_says_how_it_is_checked() {
    let mut failures = Vec::new();
    for document in documents() {
        for block in document.blocks() {
            let checked = Kind::of(&block).and_then(|kind| kind.check(&block, &document.path));
            if let Err(why) = checked {
                failures.push(format!("{}:{}: {why}", document.path.display(), block.line));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_command_that_is_not_run_is_on_a_page() {
    let documents = documents();
    let blocks = documents.iter().flat_map(Document::blocks);
    let skipped = blocks.filter(|block| Kind::of(block) == Ok(Kind::NoRun));
    let skipped: BTreeSet<String> = skipped.flat_map(|block| block.commands()).collect();
    let unused: Vec<_> = NO_RUN.iter().filter(|command| !skipped.contains(**command)).collect();
    assert!(unused.is_empty(), "on no page any more: {unused:?}");
}

#[test]
fn every_variable_is_assigned_where_it_is_used() {
    let documents = documents();
    let unassigned: Vec<_> = documents.iter().flat_map(variables::unassigned).collect();
    assert!(unassigned.is_empty(), "{}", unassigned.join("\n"));
}

#[test]
fn every_link_between_documents_resolves() {
    let mut failures = Vec::new();
    for document in documents() {
        for link in document.links() {
            if let Err(why) = resolve(&document, &link.target) {
                let (path, line) = (document.path.display(), link.line);
                failures.push(format!("{path}:{line}: {}: {why}", link.target));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_page_can_be_reached_from_the_index() {
    let documents = documents();
    let mut reached = BTreeSet::from([PathBuf::from("docs/README.md")]);
    let mut next: Vec<PathBuf> = reached.iter().cloned().collect();
    while let Some(path) = next.pop() {
        let Some(document) = documents.iter().find(|document| document.path == path) else {
            continue;
        };
        for link in document.links() {
            let Ok(Some(target)) = resolve(document, &link.target) else { continue };
            if reached.insert(target.clone()) {
                next.push(target);
            }
        }
    }
    let all = documents.iter().map(|document| &document.path);
    let missing: Vec<_> = all.filter(|path| !reached.contains(*path)).collect();
    assert!(missing.is_empty(), "no link leads to {missing:?}");
}

#[test]
fn the_readme_and_the_architecture_are_short_enough_to_be_read() {
    for (path, most) in [("README.md", README_LINES), ("ARCHITECTURE.md", ARCHITECTURE_LINES)] {
        let lines = read(path).lines().count();
        assert!(lines <= most, "{path} has {lines} lines, more than {most}");
    }
}

#[test]
fn the_readme_says_how_to_start_and_to_test() {
    let readme = read("README.md");
    for command in ["./dev up", "./dev test", "docker compose up"] {
        assert!(readme.contains(command), "{command}");
    }
}

#[test]
fn every_path_in_the_architecture_exists() {
    let architecture = Document::new("ARCHITECTURE.md", read("ARCHITECTURE.md"));
    let mut missing = Vec::new();
    for span in architecture.code_spans() {
        let is_path = span.text.contains('/')
            && !span.text.starts_with(['/', '.'])
            && !span.text.contains(char::is_whitespace);
        for path in markdown::expanded(&span.text) {
            if is_path && !Path::new(ROOT).join(&path).exists() {
                missing.push(format!("ARCHITECTURE.md:{}: {path}", span.line));
            }
        }
    }
    assert!(missing.is_empty(), "no such file or folder:\n{}", missing.join("\n"));
}

#[test]
fn every_reason_to_wait_is_explained() {
    let source = read("api/src/wait_reason/reason.rs");
    let (_, codes) = source.split_once("const CODES: ").unwrap();
    let (codes, _) = codes.split_once("];").unwrap();
    let codes: Vec<&str> = codes.split('"').skip(1).step_by(2).collect();
    let page = read("docs/operations.md");
    let missing = codes.iter().filter(|code| !page.contains(&format!("\n| `{code}` |")));
    let missing: Vec<_> = missing.collect();
    assert!(codes.contains(&"due") && missing.is_empty(), "not in operations.md: {missing:?}");
}

#[test]
fn every_metric_and_exception_on_the_page_about_operations_exists() {
    let page = Document::new("docs/operations.md", read("docs/operations.md"));
    assert_eq!(words::unknown_metrics(&page), Vec::<String>::new());
    assert_eq!(words::unknown_exceptions(&page), Vec::<String>::new());
}

#[test]
fn the_settings_page_has_every_setting_with_its_default() {
    let differences = settings::differences(&read("docs/settings.md"));
    assert!(differences.is_empty(), "docs/settings.md:\n{}", differences.join("\n"));
}

/// Every document of the repository: the four at its top, and all under `docs/`.
fn documents() -> Vec<Document> {
    let mut paths: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md"].map(Into::into).into();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(Path::new(ROOT).join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    paths.into_iter().map(|path| Document::new(&path, read(&path))).collect()
}

/// The text of a file, by its path from the top folder.
fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// Returns the file that a link leads to, relative to the top folder; `None` if it leads elsewhere.
fn resolve(document: &Document, target: &str) -> Result<Option<PathBuf>, String> {
    if target.contains("://") {
        return Ok(None);
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let folder = document.path.parent().unwrap_or(Path::new(""));
    let path = match file {
        "" => document.path.clone(),
        file => normalized(&folder.join(file)).ok_or("leads out of the repository")?,
    };
    if !Path::new(ROOT).join(&path).exists() {
        return Err(format!("there is no {}", path.display()));
    }
    if !anchor.is_empty() && !Document::new(&path, read(&path)).has_anchor(anchor) {
        return Err(format!("{} has no heading #{anchor}", path.display()));
    }
    Ok(Some(path))
}

/// The path without `..`; `None` if it leads above its beginning.
fn normalized(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => normal.pop().then_some(())?,
            Component::Normal(name) => normal.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Some(normal)
}

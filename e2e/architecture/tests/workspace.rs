//! The architecture of this workspace: no cycle of imports between files, and every crate depends
//! only on the crates that the table of layers in ARCHITECTURE.md allows.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use architecture::{Import, Modules, cycles, imports};
use serde_json::Value;

/// Libraries that one crate hides from the others.
const HIDDEN: [(&str, &str); 2] = [("redis", "capstan-store"), ("lapin", "capstan-broker")];

/// What the command line must not link, not even through other crates.
const NOT_IN_CLI: [&str; 3] = ["axum", "lapin", "redis"];

#[test]
fn no_file_imports_itself_through_others() {
    let mut report = Vec::new();
    for package in packages() {
        for root in package.roots {
            let read = |file: &Path| std::fs::read_to_string(file).ok();
            match Modules::load(&root, &read) {
                Ok(modules) => report.extend(cycles(&imports(&modules)).iter().map(describe)),
                Err(error) => report.push(format!("{error:?}\n")),
            }
        }
    }
    assert!(report.is_empty(), "files import each other in a cycle:\n{}", report.concat());
}

#[test]
fn crates_depend_on_what_the_table_of_layers_says_and_only_on_rows_above() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows: Vec<Row<'_>> = text.lines().filter_map(row).collect();
    let packages = packages();
    let mut problems = Vec::new();
    for package in &packages {
        let folder = &package.folder;
        let Some(index) = rows.iter().position(|row| row.folder == folder) else {
            problems.push(format!("{folder} has no row"));
            continue;
        };
        let own = packages.iter().filter(|other| package.dependencies.contains(&other.name));
        let real: BTreeSet<&str> = own.map(|other| other.lib_name.as_str()).collect();
        if real != rows[index].imports {
            problems.push(format!("{folder} imports {real:?}, not {:?}", rows[index].imports));
        }
        let above: BTreeSet<&str> = rows[..index].iter().map(|row| row.lib_name).collect();
        for library in real.difference(&above) {
            problems.push(format!("{folder} imports {library}, which is not above it"));
        }
    }
    assert!(problems.is_empty(), "the layers in ARCHITECTURE.md:\n{}", problems.join("\n"));
}

#[test]
fn only_the_store_depends_on_redis_and_only_the_broker_on_lapin() {
    for package in packages() {
        for (library, owner) in HIDDEN {
            let depends = package.dependencies.contains(library)
                || package.test_dependencies.contains(library);
            assert!(!depends || package.name == owner, "{} depends on {library}", package.name);
        }
    }
}

#[test]
fn the_command_line_links_no_server_broker_or_store() {
    let tree = ["tree", "--package", "capstan-cli", "--edges", "normal", "--prefix", "none"];
    let tree = cargo(&[&tree[..], &["--format", "{lib}"]].concat());
    let linked: BTreeSet<&str> = tree.lines().collect();
    assert!(linked.contains("clap"), "{tree}");
    for library in NOT_IN_CLI {
        assert!(!linked.contains(library), "capstan-cli links {library}");
    }
}

/// A row of the table of layers: the folder of a crate, its library, and those that it imports.
struct Row<'a> {
    folder: &'a str,
    lib_name: &'a str,
    imports: BTreeSet<&'a str>,
}

/// Reads a row of the table with these four columns; `None` for any other line.
fn row(line: &str) -> Option<Row<'_>> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').collect();
    let [folder, library, _, imports] = cells[..] else { return None };
    let folder = code_span(folder).filter(|folder| folder.ends_with('/'))?;
    let lib_name = code_span(library).unwrap_or_default();
    Some(Row { folder, lib_name, imports: imports.split(',').filter_map(code_span).collect() })
}

/// The content of the code span that a cell consists of.
fn code_span(cell: &str) -> Option<&str> {
    cell.trim().strip_prefix('`')?.strip_suffix('`')
}

/// A crate of this workspace.
struct Package {
    name: String,
    /// Its path in the workspace, with a slash at the end.
    folder: String,
    /// The name of its library; empty if it has only programs.
    lib_name: String,
    /// The root files of its library and its programs.
    roots: Vec<PathBuf>,
    dependencies: BTreeSet<String>,
    test_dependencies: BTreeSet<String>,
}

fn packages() -> Vec<Package> {
    let metadata = cargo(&["metadata", "--no-deps", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages: Vec<Package> = list(&metadata, "packages").map(package).collect();
    assert!(packages.len() > 10, "all packages of the workspace");
    packages
}

fn package(metadata: &Value) -> Package {
    let dependencies = |is_wanted: fn(&str) -> bool| {
        let all = list(metadata, "dependencies");
        let wanted = all.filter(|one| is_wanted(one["kind"].as_str().unwrap_or_default()));
        wanted.map(|one| text(one, "name")).collect()
    };
    let is = |target: &Value, wanted: &str| list(target, "kind").any(|kind| kind == wanted);
    let targets = || list(metadata, "targets");
    let library = targets().find(|target| is(target, "lib"));
    let roots = targets().filter(|target| is(target, "lib") || is(target, "bin"));
    let manifest = PathBuf::from(text(metadata, "manifest_path"));
    let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap();
    Package {
        name: text(metadata, "name"),
        folder: format!("{}/", folder.display()),
        lib_name: library.map(|target| text(target, "name")).unwrap_or_default(),
        roots: roots.map(|target| text(target, "src_path").into()).collect(),
        dependencies: dependencies(|kind| kind != "dev"),
        test_dependencies: dependencies(|kind| kind == "dev"),
    }
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().unwrap().iter()
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}

fn cargo(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).args(["--offline", "--locked"]).current_dir(root());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn describe(cycle: &Vec<Import>) -> String {
    let root = root();
    let short = |file: &Path| file.strip_prefix(&root).unwrap_or(file).display().to_string();
    let files: BTreeSet<&Path> = cycle.iter().map(|import| import.from.as_path()).collect();
    let mut text = format!("{} files:\n", files.len());
    for Import { from, to, path } in cycle {
        text += &format!("  {} imports {} ({path})\n", short(from), short(to));
    }
    text
}

//! The architecture of this workspace: no cycle of imports between files, and every crate
//! depends only on crates of lower layers.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use architecture::{Import, Modules, cycles, imports};
use serde_json::Value;

/// What each crate may depend on, of this workspace; from the bottom up.
const LAYERS: [(&str, &[&str]); 15] = [
    ("capstan-domain", &[]),
    ("capstan-store", &["capstan-domain"]),
    ("capstan-broker", &["capstan-domain"]),
    ("capstan-service", &["capstan-domain", "capstan-store", "capstan-broker"]),
    ("capstan-scheduler", &SERVICE),
    ("capstan-worker", &SERVICE),
    ("capstan-api", &SERVICE),
    ("capstan-client", &["capstan-domain"]),
    ("capstan-devserver", &[]),
    ("capstan-cli", &["capstan-domain", "capstan-client", "capstan-devserver"]),
    ("capstan-tools", &["capstan-domain", "capstan-client", "capstan-store", "capstan-broker"]),
    ("capstan-example-primes", &["capstan-worker"]),
    (
        "capstan-testkit",
        &[
            "capstan-domain",
            "capstan-store",
            "capstan-broker",
            "capstan-service",
            "capstan-devserver",
        ],
    ),
    ("capstan-architecture", &[]),
    (
        "capstan-e2e",
        &[
            "capstan-domain",
            "capstan-store",
            "capstan-broker",
            "capstan-service",
            "capstan-scheduler",
            "capstan-worker",
            "capstan-client",
            "capstan-devserver",
            "capstan-testkit",
        ],
    ),
];

/// What a service may depend on.
const SERVICE: [&str; 4] = ["capstan-domain", "capstan-store", "capstan-broker", "capstan-service"];

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
fn crates_depend_only_on_lower_layers() {
    let layers = BTreeMap::from(LAYERS);
    for package in packages() {
        let allowed = layers.get(&*package.name).unwrap_or_else(|| {
            panic!("say in {} what {} may depend on", file!(), package.name);
        });
        let above = package.dependencies.iter().filter(|name| name.starts_with("capstan-"));
        let above: Vec<_> = above.filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(above.is_empty(), "{} must not depend on {above:?}", package.name);
    }
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

/// A crate of this workspace.
struct Package {
    name: String,
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
    let roots = list(metadata, "targets").filter(|target| {
        list(target, "kind").any(|kind| ["lib", "bin"].contains(&kind.as_str().unwrap()))
    });
    Package {
        name: text(metadata, "name"),
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

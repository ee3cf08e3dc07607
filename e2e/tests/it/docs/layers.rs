//! Compares the table of layers in ARCHITECTURE.md with the manifests.

use std::collections::{BTreeMap, BTreeSet};

use super::read;

/// A row: the crate's folder, its library, and the libraries that it imports.
struct Row<'a> {
    folder: &'a str,
    library: &'a str,
    imports: BTreeSet<&'a str>,
}

/// Describes each crate whose imports are not those of its manifest.
pub(super) fn differences(architecture: &str) -> Vec<String> {
    let rows: Vec<Row<'_>> = architecture.lines().filter_map(row).collect();
    let known: BTreeMap<&str, &str> = rows.iter().map(|row| (row.library, row.folder)).collect();
    let mut differences = Vec::new();
    for Row { folder, imports, .. } in &rows {
        let manifest = read(format!("{folder}Cargo.toml"));
        let real: BTreeSet<&str> =
            dependencies(&manifest).filter(|name| known.contains_key(name)).collect();
        if real != *imports {
            differences.push(format!("{folder} imports {real:?}, not {imports:?}"));
        }
    }
    assert!(rows.len() > 10, "the table of layers is found");
    differences
}

/// Reads a row of the table with these four columns; `None` for any other line.
fn row(line: &str) -> Option<Row<'_>> {
    let cells: Vec<&str> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').collect();
    let [folder, library, _, imports] = cells[..] else { return None };
    let folder = name(folder).filter(|folder| folder.ends_with('/'))?;
    let library = name(library).unwrap_or_default();
    Some(Row { folder, library, imports: imports.split(',').filter_map(name).collect() })
}

/// The content of the code span that a cell consists of.
fn name(cell: &str) -> Option<&str> {
    cell.trim().strip_prefix('`')?.strip_suffix('`')
}

/// The names in the section `[dependencies]` of a manifest.
fn dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    let lines = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines.filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty())
}

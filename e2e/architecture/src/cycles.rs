//! Cycles of imports: sets of files each of which reaches all others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::imports::Import;

/// Groups the imports that are part of a cycle, one group for each set of files that reach each
/// other. No group means that there is no cycle.
#[must_use]
pub fn cycles(imports: &[Import]) -> Vec<Vec<Import>> {
    let mut targets: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> = BTreeMap::new();
    for import in imports {
        targets.entry(&import.from).or_default().insert(&import.to);
    }
    let reached: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> =
        targets.keys().map(|file| (*file, reached_from(file, &targets))).collect();
    let reaches = |from: &PathBuf, to: &PathBuf| {
        reached.get(from).is_some_and(|reached| reached.contains(to))
    };
    let mut groups: BTreeMap<BTreeSet<&PathBuf>, Vec<Import>> = BTreeMap::new();
    for import in imports.iter().filter(|import| reaches(&import.to, &import.from)) {
        let back = reached[&import.from].iter().copied();
        let files = back.filter(|file| reaches(file, &import.from)).collect();
        groups.entry(files).or_default().push(import.clone());
    }
    groups.into_values().collect()
}

/// The files that a file imports, directly or through others.
fn reached_from<'a>(
    file: &'a PathBuf,
    targets: &BTreeMap<&'a PathBuf, BTreeSet<&'a PathBuf>>,
) -> BTreeSet<&'a PathBuf> {
    let mut reached = BTreeSet::new();
    let mut open = vec![file];
    while let Some(next) = open.pop() {
        let new = targets.get(next).into_iter().flatten().filter(|file| reached.insert(**file));
        open.extend(new.copied().collect::<Vec<_>>());
    }
    reached
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::{Modules, imports};

    /// Compares the cycles of a crate that consists of these files.
    fn check(files: &[(&str, &str)], expected: &Expect) {
        let files: BTreeMap<&Path, &str> =
            files.iter().map(|(file, text)| (Path::new(*file), *text)).collect();
        let read = |file: &Path| files.get(file).map(ToString::to_string);
        let modules = Modules::load(Path::new("lib.rs"), &read).unwrap();
        let mut shown = String::new();
        for cycle in cycles(&imports(&modules)) {
            for Import { from, to, path } in cycle {
                shown += &format!("{} -> {} ({path})\n", from.display(), to.display());
            }
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn two_files_that_import_each_other_are_a_cycle() {
        let lib = ("lib.rs", "mod a; mod b; mod c;");
        let c = ("c.rs", "use crate::{a::A, b::B};");
        check(
            &[lib, ("a.rs", "use crate::b::B; pub struct A;"), ("b.rs", "use super::a::A;"), c],
            &expect![[r#"
                a.rs -> b.rs (crate::b::B)
                b.rs -> a.rs (super::a::A)
            "#]],
        );
        check(&[lib, ("a.rs", "use crate::b::B;"), ("b.rs", "pub struct B;"), c], &expect![""]);
    }

    #[test]
    fn a_cycle_may_be_long_and_made_of_paths_in_expressions_and_macro_calls() {
        check(
            &[
                ("lib.rs", "mod a; mod b; mod c;"),
                ("a.rs", "fn a() { super::b::b() }"),
                ("b.rs", "use crate::c as other; fn b() { vec![other::c()]; }"),
                ("c.rs", "fn c() { println!(\"{}\", crate::a::a()) }"),
            ],
            &expect![[r#"
                a.rs -> b.rs (super::b::b)
                b.rs -> c.rs (crate::c)
                c.rs -> a.rs (crate::a::a)
            "#]],
        );
    }

    #[test]
    fn declaring_and_reexporting_a_child_is_not_an_import_but_using_it_is() {
        let child = ("job/child.rs", "use super::Parent; pub struct Child;");
        let lib = ("lib.rs", "mod job;");
        let parent = "mod child; pub use child::Child; pub struct Parent";
        check(&[lib, ("job.rs", &format!("{parent};")), child], &expect![""]);
        check(
            &[lib, ("job.rs", &format!("{parent}(Child);")), child],
            &expect![[r#"
                job/child.rs -> job.rs (super::Parent)
                job.rs -> job/child.rs (Child)
            "#]],
        );
    }

    #[test]
    fn a_name_counts_for_the_file_that_defines_it_not_for_those_that_reexport_it() {
        check(
            &[
                ("lib.rs", "mod a; mod job; pub use job::*;"),
                ("a.rs", "use crate::{Id, job::Job as Work};"),
                ("job.rs", "mod id; mod record; pub use id::Id; pub use record::Job;"),
                ("job/id.rs", "pub struct Id; fn f() { crate::a::a() }"),
                ("job/record.rs", "use super::Id; pub struct Job;"),
            ],
            &expect![[r#"
                a.rs -> job/id.rs (crate::Id)
                a.rs -> job/record.rs (crate::job::Job)
                job/id.rs -> a.rs (crate::a::a)
                job/record.rs -> job/id.rs (super::Id)
            "#]],
        );
    }

    #[test]
    fn code_for_tests_is_left_out() {
        check(
            &[
                ("lib.rs", "mod a; mod b;"),
                ("a.rs", "use crate::b::B; pub struct A;"),
                ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"),
            ],
            &expect![""],
        );
    }
}

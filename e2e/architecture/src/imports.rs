//! Which file imports which: paths are followed to the file that defines what they name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::modules::Modules;

/// How many re-exports a name may pass through.
const MAX_REEXPORTS: usize = 16;

/// An import of one file by another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The file that imports.
    pub from: PathBuf,
    /// The file that is imported.
    pub to: PathBuf,
    /// One of the paths in the code that import it.
    pub path: String,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy)]
enum Target {
    Module(usize),
    /// An item that the module defines.
    Item(usize),
}

impl Target {
    fn module(self) -> usize {
        match self {
            Target::Module(module) | Target::Item(module) => module,
        }
    }
}

/// The imports between files of a crate, each pair of files once.
#[must_use]
pub fn imports(modules: &Modules) -> Vec<Import> {
    let mut found = BTreeMap::new();
    for (id, module) in modules.all.iter().enumerate() {
        let elsewhere = |target: &Target| !modules.is_inside(target.module(), id);
        let used = module.imports.iter().chain(&module.names).map(|path| (path, true));
        let reexported = module.reexports.iter().map(|path| (path, false));
        for (path, counts_inside) in used.chain(reexported) {
            let target = modules.resolve(id, path, MAX_REEXPORTS);
            let Some(target) = target.filter(|target| counts_inside || elsewhere(target)) else {
                continue;
            };
            let (from, to) = (&module.file, &modules.all[target.module()].file);
            if from != to {
                found.entry((from, to)).or_insert_with(|| path.join("::"));
            }
        }
    }
    let import = |((from, to), path): ((&PathBuf, &PathBuf), String)| Import {
        from: from.clone(),
        to: to.clone(),
        path,
    };
    found.into_iter().map(import).collect()
}

impl Modules {
    /// Whether a module is another one or below it.
    fn is_inside(&self, module: usize, ancestor: usize) -> bool {
        std::iter::successors(Some(module), |id| self.all[*id].parent).any(|id| id == ancestor)
    }

    /// Follows a path from the scope of a module; `None` if it leads out of the crate or is a
    /// local name.
    fn resolve(&self, from: usize, path: &[String], reexports: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.all[from].parent?),
            name => self.find(from, name, reexports)?,
        };
        rest.iter().try_fold(start, |target, name| match target {
            Target::Item(_) => Some(target),
            Target::Module(module) if name == "super" => {
                self.all[module].parent.map(Target::Module)
            }
            Target::Module(module) => {
                Some(self.find(module, name, reexports).unwrap_or(Target::Item(module)))
            }
        })
    }

    /// What a name stands for in a module, unless the module defines it or it comes from outside.
    fn find(&self, id: usize, name: &str, reexports: usize) -> Option<Target> {
        let reexports = reexports.checked_sub(1)?;
        let module = &self.all[id];
        if let Some(child) = module.children.get(name) {
            return Some(Target::Module(*child));
        }
        if let Some(path) = module.aliases.get(name) {
            // `use name::x;` means a crate of this name, unless a child module has it.
            return if path.first().is_some_and(|first| first == name) {
                None
            } else {
                self.resolve(id, path, reexports)
            };
        }
        module.globs.iter().find_map(|path| match self.resolve(id, path, reexports)? {
            Target::Module(module) if module != id => self.find(module, name, reexports),
            Target::Module(_) | Target::Item(_) => None,
        })
    }
}

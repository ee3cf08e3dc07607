//! The modules of a crate, with what each declares, imports and names.

#![expect(clippy::wildcard_enum_match_arm, reason = "new kinds of items are like most others")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path as FilePath, PathBuf};

use quote::ToTokens;
use syn::{Attribute, Item, ItemMod, ItemUse, UseTree, Visibility};

use crate::paths::{Path, paths_in};

/// A source file that cannot be read or parsed.
#[derive(Debug)]
pub struct SourceError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// The module tree of a crate.
#[derive(Debug, Default)]
pub struct Modules {
    pub(crate) all: Vec<Module>,
}

/// One module. Inline modules share the file of their parent.
#[derive(Debug, Default)]
pub(crate) struct Module {
    pub(crate) file: PathBuf,
    pub(crate) parent: Option<usize>,
    pub(crate) children: BTreeMap<String, usize>,
    /// Names that a `use` brings into scope, with the path that each stands for.
    pub(crate) aliases: BTreeMap<String, Path>,
    /// Modules whose names a `use path::*` brings into scope.
    pub(crate) globs: Vec<Path>,
    /// Paths that are imports if they lead to a descendant of this module: private `use`s.
    pub(crate) imports: BTreeSet<Path>,
    /// Paths that are imports only if they lead elsewhere: re-exports.
    pub(crate) reexports: BTreeSet<Path>,
    /// Paths that the code names.
    pub(crate) names: BTreeSet<Path>,
}

impl Modules {
    /// Reads the modules of a crate from its root file on. `read` returns the text of a file,
    /// `None` if there is no such file.
    pub fn load(
        root: &FilePath,
        read: &dyn Fn(&FilePath) -> Option<String>,
    ) -> Result<Modules, SourceError> {
        let mut loader = Loader { modules: Modules::default(), read };
        let folder = root.parent().unwrap_or(FilePath::new("")).to_owned();
        loader.load_file(root, None, &folder)?;
        Ok(loader.modules)
    }
}

struct Loader<'a> {
    modules: Modules,
    read: &'a dyn Fn(&FilePath) -> Option<String>,
}

impl Loader<'_> {
    /// Loads a module that is a file; `folder` is where its child modules are.
    fn load_file(
        &mut self,
        file: &FilePath,
        parent: Option<usize>,
        folder: &FilePath,
    ) -> Result<usize, SourceError> {
        let error = |reason: String| SourceError { file: file.to_owned(), reason };
        let text = (self.read)(file).ok_or_else(|| error("no such file".to_owned()))?;
        let parsed = syn::parse_file(&text).map_err(|reason| error(reason.to_string()))?;
        let id = self.add(file, parent);
        self.load_items(id, &parsed.items, folder)?;
        Ok(id)
    }

    fn add(&mut self, file: &FilePath, parent: Option<usize>) -> usize {
        self.modules.all.push(Module { file: file.to_owned(), parent, ..Module::default() });
        self.modules.all.len() - 1
    }

    fn load_items(
        &mut self,
        id: usize,
        items: &[Item],
        folder: &FilePath,
    ) -> Result<(), SourceError> {
        for item in items {
            match item {
                Item::Mod(item) if is_for_tests(&item.attrs) => {}
                Item::Mod(item) => self.load_module(id, item, folder)?,
                Item::Use(item) if is_for_tests(&item.attrs) => {}
                Item::Use(item) => self.load_use(id, item),
                other if is_for_tests(attributes(other)) => {}
                other => {
                    let mut names = Vec::new();
                    paths_in(other.to_token_stream(), &mut names);
                    self.modules.all[id].names.extend(names);
                }
            }
        }
        Ok(())
    }

    fn load_module(
        &mut self,
        parent: usize,
        item: &ItemMod,
        folder: &FilePath,
    ) -> Result<(), SourceError> {
        let name = item.ident.to_string();
        let inner = folder.join(&name);
        let id = if let Some((_, items)) = &item.content {
            let file = self.modules.all[parent].file.clone();
            let id = self.add(&file, Some(parent));
            self.load_items(id, items, &inner)?;
            id
        } else {
            let candidates = [inner.with_extension("rs"), inner.join("mod.rs")];
            let found = candidates.iter().find(|file| (self.read)(file).is_some());
            self.load_file(found.unwrap_or(&candidates[0]), Some(parent), &inner)?
        };
        self.modules.all[parent].children.insert(name, id);
        Ok(())
    }

    fn load_use(&mut self, id: usize, item: &ItemUse) {
        let module = &mut self.modules.all[id];
        let is_private = matches!(item.vis, Visibility::Inherited);
        for leaf in leaves(&item.tree, &mut Vec::new()) {
            let imports = if is_private { &mut module.imports } else { &mut module.reexports };
            imports.insert(leaf.path.clone());
            match leaf.name {
                Some(name) => {
                    module.aliases.insert(name, leaf.path);
                }
                None => module.globs.push(leaf.path),
            }
        }
    }
}

/// One name that a `use` brings into scope; without a name, all of a module's.
struct Leaf {
    path: Path,
    name: Option<String>,
}

fn leaves(tree: &UseTree, prefix: &mut Path) -> Vec<Leaf> {
    let path = |last: String| {
        let mut path = prefix.clone();
        if last != "self" || path.is_empty() {
            path.push(last);
        }
        path
    };
    match tree {
        UseTree::Path(tree) => {
            prefix.push(tree.ident.to_string());
            let leaves = leaves(&tree.tree, prefix);
            prefix.pop();
            leaves
        }
        UseTree::Name(name) => {
            let path = path(name.ident.to_string());
            vec![Leaf { name: path.last().cloned(), path }]
        }
        UseTree::Rename(tree) => {
            let path = path(tree.ident.to_string());
            vec![Leaf { path, name: Some(tree.rename.to_string()) }]
        }
        UseTree::Glob(_) => vec![Leaf { path: prefix.clone(), name: None }],
        UseTree::Group(group) => group.items.iter().flat_map(|tree| leaves(tree, prefix)).collect(),
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        _ => &[],
    }
}

/// Whether an item has `#[cfg(test)]` or another condition that only tests meet.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = attribute.meta.to_token_stream().to_string();
        let words: Vec<&str> = condition.split(|c: char| !c.is_alphanumeric()).collect();
        attribute.path().is_ident("cfg") && words.contains(&"test") && !words.contains(&"not")
    })
}

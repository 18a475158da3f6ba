//! Reads the sources of the workspace's packages: which modules they have, and what each one names.
//!
//! Code for tests, marked `#[cfg(test)]`, is left out: a test may compare anything with anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{ImplItem, Item, ItemImpl, Type, UseTree, Visibility};

/// The segments of a path, `["crate", "model", "Image"]`.
pub type Segments = Vec<String>;

/// The library of one package: its root first, each module behind its parent.
#[derive(Default)]
pub struct Package {
    pub modules: Vec<Module>,
}

/// One file of a package.
#[derive(Default)]
pub struct Module {
    /// The path in the workspace, `src/http/body.rs`.
    pub file: String,
    pub parent: Option<usize>,
    pub children: BTreeMap<String, usize>,
    /// The names of what it defines.
    pub items: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Every path in its code, names without a path too.
    pub mentions: BTreeSet<Segments>,
    /// The names of all methods that it calls.
    pub calls: BTreeSet<String>,
    pub impls: Vec<Inherent>,
}

/// One name of a `use`.
pub struct Import {
    pub path: Segments,
    /// `*` where it imports everything.
    pub name: String,
    /// Whether other modules can import it from here.
    pub is_public: bool,
}

/// An `impl` block without a trait.
pub struct Inherent {
    pub of: Segments,
    pub functions: BTreeSet<String>,
}

/// The libraries of the workspace, which are read once for all tests.
pub static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(|| {
    let crates = fs::read_dir(workspace().join("crates")).unwrap();
    let crates = crates.map(|entry| entry.unwrap().path());
    let mut roots: Vec<PathBuf> = crates.chain([workspace().to_owned()]).collect();
    roots.sort();
    let libraries = roots.iter().map(|root| {
        let mut package = Package::default();
        let sources = root.join("src");
        package.add(&sources.join("lib.rs"), &sources, None);
        package
    });
    libraries.collect()
});

pub fn path_in_workspace(file: &Path) -> String {
    let below = file.strip_prefix(workspace()).unwrap();
    below.display().to_string()
}

pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Package {
    /// Reads a file, then the modules that it declares, whose files are in `folder`.
    fn add(&mut self, file: &Path, folder: &Path, parent: Option<usize>) -> usize {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let mut module = Module {
            file: path_in_workspace(file),
            parent,
            ..Module::default()
        };
        let declared = module.read(parsed.items);
        let at = self.modules.len();
        self.modules.push(module);
        for name in declared {
            let inside = folder.join(&name);
            let child = self.add(&inside.with_extension("rs"), &inside, Some(at));
            self.modules[at].children.insert(name, child);
        }
        at
    }
}

impl Module {
    /// Takes in the items of its file, and returns the names of the modules that it declares.
    fn read(&mut self, items: Vec<Item>) -> Vec<String> {
        let mut declared = Vec::new();
        for item in items {
            match item {
                item if is_for_tests(&item) => {}
                Item::Use(item) => {
                    let is_public = !matches!(item.vis, Visibility::Inherited);
                    self.import(&item.tree, &[], is_public);
                }
                Item::Mod(item) if item.content.is_none() => declared.push(item.ident.to_string()),
                item => {
                    self.items.extend(name(&item));
                    if let Item::Impl(block) = &item {
                        self.impls.extend(inherent(block));
                    }
                    self.scan(&[], item.into_token_stream());
                }
            }
        }
        declared
    }

    fn import(&mut self, tree: &UseTree, before: &[String], is_public: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        let (path, name) = match tree {
            UseTree::Path(path) => return self.import(&path.tree, &with(&path.ident), is_public),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before, is_public);
                }
                return;
            }
            UseTree::Name(item) if item.ident == "self" => {
                (before.to_vec(), before.last().cloned().unwrap_or_default())
            }
            UseTree::Name(item) => (with(&item.ident), item.ident.to_string()),
            UseTree::Rename(item) => (with(&item.ident), item.rename.to_string()),
            _ => (before.to_vec(), "*".to_owned()),
        };
        self.imports.push(Import {
            path,
            name,
            is_public,
        });
    }

    /// Finds paths and calls by their tokens, so that those in the arguments of macros count too.
    fn scan(&mut self, before: &[String], tokens: TokenStream) {
        let mut path = Segments::new();
        // The punctuation right before the token.
        let mut behind = String::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            if let TokenTree::Punct(punct) = &token {
                behind.push(punct.as_char());
                continue;
            }
            if !behind.ends_with("::") {
                self.mention(before, std::mem::take(&mut path));
            }
            match token {
                TokenTree::Ident(name) if behind.ends_with('.') && !behind.ends_with("..") => {
                    if matches!(tokens.peek(), Some(TokenTree::Group(arguments))
                        if arguments.delimiter() == Delimiter::Parenthesis)
                    {
                        self.calls.insert(name.to_string());
                    }
                }
                TokenTree::Ident(name) => path.push(name.to_string()),
                TokenTree::Group(group) => {
                    let before = [before, &std::mem::take(&mut path)].concat();
                    self.scan(&before, group.stream());
                }
                _ => {}
            }
            behind.clear();
        }
        self.mention(before, path);
    }

    fn mention(&mut self, before: &[String], path: Segments) {
        if !path.is_empty() {
            self.mentions.insert([before, &path].concat());
        }
    }
}

fn inherent(block: &ItemImpl) -> Option<Inherent> {
    let Type::Path(of) = &*block.self_ty else {
        return None;
    };
    let functions = block.items.iter().filter_map(|item| match item {
        ImplItem::Fn(function) => Some(function.sig.ident.to_string()),
        _ => None,
    });
    let segments = of.path.segments.iter();
    block.trait_.is_none().then(|| Inherent {
        of: segments.map(|segment| segment.ident.to_string()).collect(),
        functions: functions.collect(),
    })
}

fn name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Mod(item) => &item.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

/// Whether one of the attributes that it begins with is `#[cfg(test)]`.
fn is_for_tests(item: &Item) -> bool {
    let mut tokens = item.to_token_stream().into_iter();
    while let (Some(TokenTree::Punct(sign)), Some(TokenTree::Group(attribute))) =
        (tokens.next(), tokens.next())
        && sign.as_char() == '#'
    {
        if attribute.stream().to_string() == "cfg (test)" {
            return true;
        }
    }
    false
}

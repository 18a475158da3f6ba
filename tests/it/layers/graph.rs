//! Which module of a package uses what another one defines, and whether that leads in a circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::source::{Import, Module, Package};

/// For each module of a package, those that it uses.
pub type Uses = Vec<BTreeSet<usize>>;

/// For each node, those that it uses.
pub type Graph = BTreeMap<String, BTreeSet<String>>;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    Module(usize),
    /// Something that this module defines.
    Item(usize),
    Crate(String),
}

impl Package {
    /// For each module, those that define what it names, and the methods that it calls of its own types.
    pub fn uses(&self) -> Uses {
        let mut uses = self.own_methods_elsewhere();
        for (at, used) in uses.iter_mut().enumerate() {
            let targets = self.targets(at).into_iter();
            used.extend(targets.filter_map(|target| match target {
                Target::Item(named) => Some(named),
                _ => None,
            }));
            used.remove(&at);
        }
        uses
    }

    /// For each file, those that it uses.
    pub fn files(&self, uses: &Uses) -> Graph {
        let name = |at: usize| self.modules[at].file.clone();
        let used = |at: usize| uses[at].iter().map(|used| name(*used)).collect();
        let modules = 0..self.modules.len();
        modules.map(|at| (name(at), used(at))).collect()
    }

    /// For each module right below `parent`, taken together with all below it, those next to it that it
    /// uses.
    pub fn siblings(&self, uses: &Uses, parent: usize) -> Graph {
        let children = &self.modules[parent].children;
        let child_of = |at: usize| {
            let mut all = children.iter();
            let (name, _) = all.find(|(_, child)| self.is_within(at, **child))?;
            Some(name.clone())
        };
        let mut graph: Graph = children
            .keys()
            .map(|name| (name.clone(), BTreeSet::new()))
            .collect();
        for (at, used) in uses.iter().enumerate() {
            let Some(user) = child_of(at) else { continue };
            let others = used.iter().filter_map(|used| child_of(*used));
            let others: Vec<String> = others.filter(|other| *other != user).collect();
            graph.entry(user).or_default().extend(others);
        }
        graph
    }

    /// The crates outside of the package that a module and all below it name.
    pub fn crates(&self, within: usize) -> BTreeSet<String> {
        let modules = 0..self.modules.len();
        modules
            .filter(|at| self.is_within(*at, within))
            .flat_map(|at| self.targets(at))
            .filter_map(|target| match target {
                Target::Crate(name) => Some(name),
                _ => None,
            })
            .collect()
    }

    fn is_within(&self, mut at: usize, module: usize) -> bool {
        while at != module {
            match self.modules[at].parent {
                Some(parent) => at = parent,
                None => return false,
            }
        }
        true
    }

    fn targets(&self, at: usize) -> Vec<Target> {
        let module = &self.modules[at];
        let imported = module.imports.iter().filter_map(|import| {
            let target = self.resolve(at, &import.path)?;
            match target {
                Target::Module(from) if import.name == "*" => Some(Target::Item(from)),
                other => Some(other),
            }
            .filter(|target| !self.is_reexport(at, import, target))
        });
        let mentioned = module.mentions.iter();
        imported
            .chain(mentioned.filter_map(|path| self.resolve(at, path)))
            .collect()
    }

    /// Whether an import does nothing but hand on what a module below defines.
    fn is_reexport(&self, at: usize, import: &Import, target: &Target) -> bool {
        matches!(target, Target::Item(from) if import.is_public && self.is_within(*from, at))
    }

    /// For each module, the others with methods of its types that it calls.
    fn own_methods_elsewhere(&self) -> Uses {
        let mut uses = vec![BTreeSet::new(); self.modules.len()];
        for (other, module) in self.modules.iter().enumerate() {
            for block in &module.impls {
                if let Some(Target::Item(home)) = self.resolve(other, &block.of)
                    && self.modules[home].calls_one_of(&block.functions)
                {
                    uses[home].insert(other);
                }
            }
        }
        uses
    }

    pub fn resolve(&self, from: usize, path: &[String]) -> Option<Target> {
        self.resolve_within(from, path, 0)
    }

    fn resolve_within(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        let mut target = Target::Module(from);
        for (index, segment) in path.iter().enumerate() {
            let Target::Module(at) = target else { break };
            let module = &self.modules[at];
            let is_last = index + 1 == path.len();
            target = match segment.as_str() {
                "crate" => Target::Module(0),
                "self" => Target::Module(at),
                "super" => Target::Module(module.parent?),
                name if index > 0 => self
                    .lookup(at, name, is_last, depth)
                    .unwrap_or(Target::Item(at)),
                name => self.lookup(at, name, is_last, depth).or_else(|| {
                    name.starts_with("imagebuilder_")
                        .then(|| Target::Crate(name.to_owned()))
                })?,
            };
        }
        Some(target)
    }

    /// What a name means in a module. A name can be that of a module and of a function: at a path's
    /// end it is the function.
    fn lookup(&self, at: usize, name: &str, is_last: bool, depth: usize) -> Option<Target> {
        // A name that is imported from where it is imported from has no end.
        if depth > 20 {
            return None;
        }
        let module = &self.modules[at];
        let child = module
            .children
            .get(name)
            .map(|child| Target::Module(*child));
        if !is_last && child.is_some() {
            return child;
        }
        if module.items.contains(name) {
            return Some(Target::Item(at));
        }
        let imported = |import: &&Import| import.name == name && import.path != [name];
        let mut found = module.imports.iter().filter(imported);
        let found = found.find_map(|import| self.resolve_within(at, &import.path, depth + 1));
        found
            .or(child)
            .or_else(|| self.lookup_globs(module, at, name, is_last, depth))
    }

    fn lookup_globs(
        &self,
        module: &Module,
        at: usize,
        name: &str,
        is_last: bool,
        depth: usize,
    ) -> Option<Target> {
        let globs = module.imports.iter().filter(|import| import.name == "*");
        let mut from =
            globs.filter_map(
                |import| match self.resolve_within(at, &import.path, depth + 1) {
                    Some(Target::Module(from)) => Some(from),
                    _ => None,
                },
            );
        from.find_map(|from| self.lookup(from, name, is_last, depth + 1))
    }
}

impl Module {
    /// Whether it calls one of these functions, and has none of that name itself.
    fn calls_one_of(&self, functions: &BTreeSet<String>) -> bool {
        let is_own = |name| self.impls.iter().any(|own| own.functions.contains(name));
        let by_path = |name: &String| {
            let mut paths = self.mentions.iter();
            paths.any(|path| path.len() == 2 && path[1] == *name)
        };
        let mut others = functions.iter().filter(|name| !is_own(*name));
        others.any(|name| self.calls.contains(name) || by_path(name))
    }
}

/// The nodes that lead back to themselves, each with a shortest way.
pub fn circles(graph: &Graph) -> BTreeMap<String, String> {
    let mut circles = BTreeMap::new();
    for start in graph.keys() {
        let mut ways = VecDeque::from([vec![start]]);
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop_front() {
            let last = way.last().copied().unwrap_or(start);
            for next in graph.get(last).into_iter().flatten() {
                let way = [&way[..], &[next]].concat();
                if next == start {
                    let way: Vec<&str> = way.into_iter().map(String::as_str).collect();
                    circles.insert(start.clone(), way.join(" -> "));
                    ways.clear();
                    break;
                }
                if seen.insert(next) {
                    ways.push_back(way);
                }
            }
        }
    }
    circles
}

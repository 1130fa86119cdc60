//! All parsed files: who needs whom, and what can't work.

use super::conftest;
use super::evaluator::Evaluator;
use super::location::Fault;
use super::protocol::{RegoFile, Request};
use super::syntax::{self, At, Module, Name, is_builtin};
use regorus::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The request with its files parsed; `None` for a file that can't be used.
pub(super) struct World<'r> {
    pub(super) request: &'r Request,
    pub(super) modules: Vec<Option<Module>>,
    /// The input as the evaluator holds it; a copy of it costs nothing.
    pub(super) input: Value,
    /// The same of each source's data.
    data: Vec<Value>,
}

impl<'r> World<'r> {
    /// A request of which nothing is parsed yet.
    ///
    /// # Errors
    /// When its input or data is none to the evaluator.
    pub(super) fn new(request: &'r Request) -> Result<Self, Fault> {
        let data: Result<Vec<Value>, Fault> = request.data.iter().map(value).collect();
        let modules = Vec::with_capacity(request.files.len());
        Ok(Self { request, modules, input: value(&request.input)?, data: data? })
    }

    /// The modules of Gatekeeper templates that may stand for files: one of the repository stands for its own only.
    pub(super) fn templates_for(&self, files: &[usize]) -> impl Iterator<Item = &Module> {
        let is_own = files.iter().all(|at| self.file(*at).of_repository);
        let may = move |file: &RegoFile| file.is_template && (is_own || !file.of_repository);
        let templates = self.request.files.iter().zip(&self.modules).filter(move |(file, _)| may(file));
        templates.filter_map(|(_, module)| module.as_ref())
    }

    /// Whether the data of their source has this key.
    pub(super) fn has_data(&self, files: &[usize], key: &str) -> bool {
        let source = files.first().map_or(0, |at| self.file(*at).source);
        self.request.data.get(source).is_some_and(|data| data.get(key).is_some())
    }

    pub(super) fn file(&self, at: usize) -> &'r RegoFile {
        &self.request.files[at]
    }

    /// A file that parsed.
    pub(super) fn module(&self, at: usize) -> Option<&Module> {
        self.modules.get(at)?.as_ref()
    }

    /// The parsed files among `files`.
    pub(super) fn parsed<'w>(&'w self, files: &'w [usize]) -> impl Iterator<Item = (usize, &'w Module)> {
        files.iter().filter_map(|at| Some((*at, self.module(*at)?)))
    }

    /// The files that may be evaluated, by source and package: those with a rule that decides.
    pub(super) fn packages(&self) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<(usize, &Name), Vec<usize>> = BTreeMap::new();
        for (at, file) in self.request.files.iter().enumerate().filter(|(_, file)| file.is_policy()) {
            if let Some(module) = self.module(at).filter(|module| module.entries().next().is_some()) {
                groups.entry((file.source, &module.package)).or_default().push(at);
            }
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort();
        groups
    }

    /// Files without a rule that decides which no other file imports. Each is a mistake: a policy
    /// whose rule is misspelt would never deny.
    pub(super) fn idle(&self) -> Vec<usize> {
        let all: Vec<usize> = (0..self.request.files.len()).collect();
        self.parsed(&all)
            .filter(|(at, module)| {
                let file = self.file(*at);
                file.is_policy()
                    && module.entries().next().is_none()
                    && !self.parsed(&all).any(|(other, user)| {
                        let used = user.refers_to(&module.package) || user.package == module.package;
                        other != *at && self.file(other).source == file.source && !self.file(other).is_test && used
                    })
            })
            .map(|(at, _)| at)
            .collect()
    }

    /// `roots` and every file of the same source that they need, directly or not.
    pub(super) fn closure(&self, roots: &[usize]) -> Vec<usize> {
        let testing = roots.iter().any(|at| self.file(*at).is_test);
        let mut needed = roots.to_vec();
        let mut next = 0;
        while let Some(user) = needed.get(next).copied() {
            next += 1;
            let Some(module) = self.module(user) else { continue };
            for (at, file) in self.request.files.iter().enumerate() {
                let reachable = file.source == self.file(user).source && (testing || !file.is_test);
                let Some(other) = self.module(at).filter(|_| reachable && !needed.contains(&at)) else { continue };
                if other.package == module.package || module.refers_to(&other.package) {
                    needed.push(at);
                }
            }
        }
        needed.sort_unstable();
        needed
    }

    /// What a look at the text already shows: functions that nobody has, functions that call
    /// themselves (the evaluator would overflow its stack), and names that hide a builtin.
    pub(super) fn faults(&self, closure: &[usize]) -> Vec<Fault> {
        let known: BTreeSet<Name> = self
            .parsed(closure)
            .flat_map(|(_, module)| module.rules.iter().map(|rule| module.absolute(&rule.name)))
            .collect();
        let mut out = Vec::new();
        let mut calls: BTreeMap<Name, Vec<(Name, usize, At)>> = BTreeMap::new();
        for (at, module) in self.parsed(closure) {
            for rule in &module.rules {
                if let ([name], true) = (&rule.name[..], rule.is_function && is_builtin(&rule.name.join("."))) {
                    out.push(self.fault(
                        at,
                        rule.at,
                        format!("`{name}` is the name of a builtin; give the rule another"),
                    ));
                }
                for (call, place) in &rule.calls {
                    let Some(target) = module.resolve(call) else { continue };
                    if !known.contains(&target) {
                        out.push(self.fault(at, *place, conftest::unknown(&call.join("."))));
                    } else if rule.is_function {
                        calls.entry(module.absolute(&rule.name)).or_default().push((target, at, *place));
                    }
                }
            }
        }
        out.extend(self.cycle(&calls));
        out
    }

    /// The first function that calls itself, directly or through others.
    fn cycle(&self, calls: &BTreeMap<Name, Vec<(Name, usize, At)>>) -> Option<Fault> {
        calls.iter().find_map(|(name, targets)| {
            targets.iter().find_map(|(target, at, place)| {
                let mut seen = vec![target];
                let mut next = 0;
                while let Some(here) = seen.get(next).copied() {
                    if here == name {
                        let name = name.last().map_or("", String::as_str);
                        return Some(self.fault(*at, *place, format!("recursion: function `{name}` calls itself")));
                    }
                    next += 1;
                    let further = calls.get(here).into_iter().flatten().map(|(further, _, _)| further);
                    for further in further {
                        if !seen.contains(&further) {
                            seen.push(further);
                        }
                    }
                }
                None
            })
        })
    }

    fn fault(&self, at: usize, place: At, message: String) -> Fault {
        let file = self.file(at);
        Fault::new(message, Some(syntax::location(&file.path, &file.text, place)))
    }

    /// An evaluator that holds `files` and the data of their source. `text` may replace what a file says.
    ///
    /// # Errors
    /// When it refuses a file or the data.
    pub(super) fn evaluator(
        &self,
        files: &[usize],
        text: impl Fn(usize) -> Option<String>,
    ) -> Result<Evaluator, Fault> {
        let mut evaluator = Evaluator::new()?;
        for (at, module) in self.parsed(files) {
            let file = self.file(at);
            evaluator.add(&file.path, text(at).unwrap_or_else(|| file.text.clone()), module.rego_v0)?;
        }
        let source = files.first().map_or(0, |at| self.file(*at).source);
        if let Some(data) = self.data.get(source) {
            evaluator.add_data(data.clone())?;
        }
        evaluator.set_input(&self.input);
        Ok(evaluator)
    }
}

fn value(json: &serde_json::Value) -> Result<Value, Fault> {
    serde_json::from_value(json.clone()).map_err(|error| Fault::new(error.to_string(), None))
}

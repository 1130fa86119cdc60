//! Evaluates the files of one package, and runs one test.

use super::location::Fault;
use super::protocol::{FileVerdicts, TestResult};
use super::syntax::{self, At, Module, rule_path};
use super::world::{World, rule_value};
use crate::model::verdict::{Decision, Location, Verdict};
use crate::text::clip;
use regorus::Engine;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Instant;

/// Verdicts that one rule name may give; more of them are a denial.
const VERDICTS: usize = 200;
/// Bytes of one message; longer ones are a denial.
const MESSAGE: usize = 64 << 10;
/// Characters of a message that are kept.
const SHOWN: usize = 2_000;

/// A rule's place among the files.
type Head = (usize, At);

/// Evaluates every deciding rule of these files, which share a package.
pub(super) fn package(world: &World<'_>, files: &[usize], end: Instant) -> Vec<FileVerdicts> {
    let mut out: BTreeMap<usize, Vec<Verdict>> = files.iter().map(|at| (*at, Vec::new())).collect();
    let closure = world.closure(files);
    let faults = world.faults(&closure);
    let engine = match world.engine(&closure, |_| None) {
        _ if !faults.is_empty() => Err(faults),
        Ok(engine) => Ok(engine),
        Err(fault) => Err(vec![fault]),
    };
    match engine {
        Ok(mut engine) => {
            for entry in entries(world, files) {
                for (at, verdict) in entry.decide(world, files, &mut engine, end) {
                    out.entry(at).or_default().push(verdict);
                }
            }
        }
        Err(faults) => {
            for (at, verdicts) in &mut out {
                verdicts.extend(faults.iter().map(|fault| denial(world, *at, "", fault.clone())));
            }
        }
    }
    out.into_iter().map(|(file, verdicts)| FileVerdicts { file, verdicts }).collect()
}

/// The deciding rules of one name.
struct Entry {
    name: String,
    decision: Decision,
    /// Where its value is found: `data.main.deny`.
    path: String,
    /// Every place where it is written; there is at least one.
    first: Head,
    others: Vec<Head>,
}

impl Entry {
    /// Its verdicts, each with the file that it belongs to.
    fn decide(&self, world: &World<'_>, files: &[usize], engine: &mut Engine, end: Instant) -> Vec<(usize, Verdict)> {
        match rule_value(engine, &self.path, end).and_then(|value| items(&self.name, value)) {
            Ok(found) => {
                let sources = if found.is_empty() { Vec::new() } else { self.sources(world, files, end) };
                let verdict = |item: &Value| {
                    let source = sources.iter().find(|(_, items)| items.contains(item));
                    let (at, place) = source.map_or(self.first, |(head, _)| *head);
                    (at, self.verdict(world, at, item, place))
                };
                found.iter().map(verdict).collect()
            }
            Err(fault) => {
                let at = culprit(world, files, &fault).unwrap_or(self.first.0);
                vec![(at, denial(world, at, &self.name, fault))]
            }
        }
    }

    /// What each place gives when the others are blanked: the evaluator does not say which one a
    /// value came from. It only finds the line to show; what is decided was decided by the whole.
    fn sources(&self, world: &World<'_>, files: &[usize], end: Instant) -> Vec<(Head, Vec<Value>)> {
        if self.others.is_empty() {
            return Vec::new();
        }
        let closure = world.closure(files);
        let alone = |head: Head| -> Option<(Head, Vec<Value>)> {
            let slice =
                |at: usize| {
                    let module = world.module(at).filter(|_| files.contains(&at))?;
                    Some(module.slice(&world.file(at).text, |rule| {
                        rule.name.first() != Some(&self.name) || (at, rule.at) == head
                    }))
                };
            let mut engine = world.engine(&closure, slice).ok()?;
            let value = rule_value(&mut engine, &self.path, end).ok()?;
            Some((head, items(&self.name, value).ok()?))
        };
        std::iter::once(&self.first).chain(&self.others).filter_map(|head| alone(*head)).collect()
    }

    fn verdict(&self, world: &World<'_>, at: usize, item: &Value, place: At) -> Verdict {
        let file = world.file(at);
        Verdict {
            policy: file.name.clone(),
            rule: self.name.clone(),
            decision: self.decision,
            message: clip(&message(&self.name, item), SHOWN),
            object: object(item).map(|object| clip(&object, SHOWN)),
            path: item
                .get("path")
                .and_then(Value::as_str)
                .filter(|path| !path.is_empty())
                .map(|path| clip(path, SHOWN)),
            location: Some(syntax::location(&file.path, &file.text, place)),
        }
    }
}

/// The deciding rules of these files, by name.
fn entries(world: &World<'_>, files: &[usize]) -> Vec<Entry> {
    let mut out: Vec<Entry> = Vec::new();
    for (at, module) in world.parsed(files) {
        for (rule, decision) in module.entries() {
            let Some(name) = rule.name.first() else { continue };
            if let Some(known) = out.iter_mut().find(|entry| entry.name == *name) {
                known.others.push((at, rule.at));
                continue;
            }
            let path = rule_path(&module.absolute(std::slice::from_ref(name)));
            out.push(Entry { name: name.clone(), decision, path, first: (at, rule.at), others: Vec::new() });
        }
    }
    out
}

/// The verdicts in a rule's value. A set or a list holds one each; `false` and undefined are none;
/// anything else is one.
fn items(name: &str, value: Option<Value>) -> Result<Vec<Value>, Fault> {
    let items = match value {
        None | Some(Value::Bool(false)) => Vec::new(),
        Some(Value::Array(items)) => items,
        Some(other) => vec![other],
    };
    if items.len() > VERDICTS {
        return Err(Fault::new(format!("`{name}` gives {} verdicts, more than {VERDICTS}", items.len()), None));
    }
    match items.iter().map(|item| message(name, item).len()).max() {
        Some(longest) if longest > MESSAGE => {
            Err(Fault::new(format!("`{name}` gives a message of {longest} bytes, more than {MESSAGE}"), None))
        }
        _ => Ok(items),
    }
}

/// The sentence in an item: a string, or `message` or `msg` of an object.
fn message(name: &str, item: &Value) -> String {
    let text = item.as_str().or_else(|| item.get("message").or_else(|| item.get("msg")).and_then(Value::as_str));
    match (text, item) {
        (Some(text), _) if !text.trim().is_empty() => text.to_owned(),
        (Some(_), _) | (None, Value::Bool(_)) => format!("`{name}` holds"),
        (None, other) => other.to_string(),
    }
}

/// The object in an item: text, or something with `kind`, `namespace` and `name`.
fn object(item: &Value) -> Option<String> {
    let object = item.get("object")?;
    let part = |key: &str| object.get(key).and_then(Value::as_str).filter(|part| !part.is_empty());
    match (object.as_str(), part("namespace")) {
        (Some(text), _) => Some(text.to_owned()),
        (None, Some(namespace)) => Some(format!("{} {namespace}/{}", part("kind")?, part("name")?)),
        (None, None) => Some(format!("{} {}", part("kind")?, part("name")?)),
    }
}

/// A policy that can't be evaluated denies.
pub(super) fn denial(world: &World<'_>, at: usize, rule: &str, fault: Fault) -> Verdict {
    Verdict {
        policy: world.file(at).name.clone(),
        rule: rule.to_owned(),
        decision: Decision::Deny,
        message: format!("the policy can't be evaluated: {}", clip(&fault.message, SHOWN)),
        object: None,
        path: None,
        location: fault.location,
    }
}

/// The file of the package that the fault lies in.
fn culprit(world: &World<'_>, files: &[usize], fault: &Fault) -> Option<usize> {
    let Location { file, .. } = fault.location.as_ref()?;
    files.iter().copied().find(|at| world.file(*at).path == *file)
}

/// The names and lines of a file's tests.
pub(super) fn tests(module: &Module) -> Vec<(String, At)> {
    let mut out: Vec<(String, At)> = Vec::new();
    for rule in module.rules.iter().filter(|rule| !rule.is_function) {
        if let [name] = &rule.name[..]
            && name.starts_with("test_")
            && !out.iter().any(|(known, _)| known == name)
        {
            out.push((name.clone(), rule.at));
        }
    }
    out
}

/// Runs one test: it passes when its rule is `true`.
pub(super) fn test(world: &World<'_>, at: usize, name: &str, place: At, end: Instant) -> TestResult {
    let file = world.file(at);
    let closure = world.closure(&[at]);
    let value = world.faults(&closure).into_iter().next().map_or(Ok(()), Err).and_then(|()| {
        let mut engine = world.engine(&closure, |_| None)?;
        let module = world.module(at).ok_or_else(|| Fault::new("its file can't be used", None))?;
        let path = rule_path(&module.absolute(&[name.to_owned()]));
        rule_value(&mut engine, &path, end)
    });
    let message = match value {
        Ok(Some(Value::Bool(true))) => String::new(),
        Ok(None) => "is undefined: a condition in it does not hold".to_owned(),
        Ok(Some(other)) => clip(&format!("is {other}, not true"), SHOWN),
        Err(Fault { message, location: Some(location) }) => format!("{message} ({location})"),
        Err(Fault { message, location: None }) => message,
    };
    TestResult { name: name.to_owned(), file: file.path.clone(), line: place.line, passed: message.is_empty(), message }
}

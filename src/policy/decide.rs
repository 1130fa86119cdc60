//! Evaluates the files of one package, and runs one test.

use super::conftest;
use super::coverage::Told;
use super::dialect;
use super::evaluator::Evaluator;
use super::location::Fault;
use super::protocol::{Subject, SubjectVerdicts, TestResult};
use super::rounds::{Asking, Round, qualified};
use super::syntax::{self, At, Module, rule_path};
use super::world::World;
use crate::model::verdict::{Decision, Location, Verdict};
use crate::text::clip;
use regorus::Value as Input;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Verdicts that one rule name may give at once; more of them are a denial.
const VERDICTS: usize = 200;
/// Bytes of one message; longer ones are a denial.
const MESSAGE: usize = 64 << 10;
/// Characters of a message that are kept.
const SHOWN: usize = 2_000;
/// The rules that excuse others, as conftest reads them.
const EXCEPTION: &str = "exception";

/// A rule's place among the files.
type Head = (usize, At);

/// Evaluates every deciding rule of these files, which share a package.
pub(super) fn package(world: &World<'_>, files: &[usize], end: Instant) -> Vec<SubjectVerdicts> {
    let mut out: BTreeMap<usize, Vec<Verdict>> = files.iter().map(|at| (*at, Vec::new())).collect();
    let closure = world.closure(files);
    match prepare(world, files, &closure) {
        Ok((evaluator, asking)) => {
            let mut asker = Asker { world, files, closure: &closure, asking: &asking, evaluator, end };
            let entries = entries(world, files);
            let excused = asker.excused(&entries, &mut out);
            for entry in &entries {
                for (at, verdict) in asker.ask(entry, &excused) {
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
    let of = |(file, verdicts)| SubjectVerdicts { subject: Subject::File(file), verdicts };
    out.into_iter().map(of).collect()
}

fn prepare(world: &World<'_>, files: &[usize], closure: &[usize]) -> Result<(Evaluator, Asking), Vec<Fault>> {
    let faults = world.faults(closure);
    if !faults.is_empty() {
        return Err(faults);
    }
    let one = |fault| vec![fault];
    if let Some(fault) = conftest::fault(world, files, closure) {
        return Err(one(fault));
    }
    let dialect = dialect::of(world, files, closure).map_err(one)?;
    let evaluator = world.evaluator(closure, |_| None).map_err(one)?;
    Ok((evaluator, Asking::of(dialect, &world.request.input, &world.input)))
}

/// The deciding rules of one name.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) decision: Decision,
    /// Where its value is found: `data.main.deny`.
    path: String,
    /// Every place where it is written; there is at least one.
    first: Head,
    others: Vec<Head>,
}

/// Asks the rules of some files.
pub(super) struct Asker<'a, 'r> {
    pub(super) world: &'a World<'r>,
    pub(super) files: &'a [usize],
    pub(super) closure: &'a [usize],
    pub(super) asking: &'a Asking,
    pub(super) evaluator: Evaluator,
    pub(super) end: Instant,
}

/// Names of rules that are excused, for each round.
type Excused = Vec<BTreeSet<String>>;

impl Asker<'_, '_> {
    /// Its verdicts, each with the file that it belongs to.
    pub(super) fn ask(&mut self, entry: &Entry, excused: &Excused) -> Vec<(usize, Verdict)> {
        let mut out = Vec::new();
        let mut alone: Option<Vec<(Head, Evaluator)>> = None;
        let mut unread = None;
        for (nth, round) in self.asking.rounds.iter().enumerate() {
            let found = match self.items(entry, &round.input, &mut unread) {
                Ok(found) => found,
                Err(fault) => {
                    // The next object would fail alike.
                    let at = culprit(self.world, self.files, &fault).unwrap_or(entry.first.0);
                    out.push((at, denial(self.world, at, &entry.name, fault)));
                    break;
                }
            };
            if found.is_empty() {
                continue;
            }
            let before = self.before(entry, round);
            let alone = alone.get_or_insert_with(|| self.alone(entry));
            let sources: Vec<(Head, Vec<Value>)> =
                alone.iter_mut().filter_map(|(head, one)| Some((*head, said(one, entry, round, self)?))).collect();
            let is_excused = excused.get(nth).is_some_and(|names| names.contains(suffix(&entry.name)));
            for item in &found {
                let source = sources.iter().find(|(_, items)| items.contains(item));
                let (at, place) = source.map_or(entry.first, |(head, _)| *head);
                let mut verdict = verdict(self.world, entry, at, item, place);
                verdict.object = verdict.object.or_else(|| round.object.clone());
                if is_excused && entry.decision == Decision::Deny {
                    verdict.decision = Decision::Allow;
                    verdict.message = format!("excused by a rule `{EXCEPTION}`: {}", verdict.message);
                } else if before.contains(&about(&entry.name, item)) {
                    verdict.held_before = true;
                    verdict.decision = verdict.decision.min(Decision::Warn);
                }
                out.push((at, verdict));
            }
        }
        if let Some(fault) = unread {
            let at = culprit(self.world, self.files, &fault).unwrap_or(entry.first.0);
            out.push((at, ignored(self.world, at, &entry.name, fault)));
        }
        out
    }

    fn items(&mut self, entry: &Entry, input: &Input, unread: &mut Option<Fault>) -> Result<Vec<Value>, Fault> {
        self.evaluator.set_input(input);
        let said = self.evaluator.say(&entry.path, self.asking.is_lenient, self.end)?;
        if unread.is_none() {
            *unread = said.unread;
        }
        items(&entry.name, said.value)
    }

    /// What was said of the object before the change. What can't be said did not hold.
    fn before(&mut self, entry: &Entry, round: &Round) -> BTreeSet<String> {
        let Some(before) = &round.before else { return BTreeSet::new() };
        let found = self.items(entry, before, &mut None).unwrap_or_default();
        found.iter().map(|item| about(&entry.name, item)).collect()
    }

    /// An evaluator for each place of a rule that is written at several, the others blanked: it does not say
    /// which one a value came from. They only find the line to show; what is decided was decided by the whole.
    fn alone(&self, entry: &Entry) -> Vec<(Head, Evaluator)> {
        if entry.others.is_empty() {
            return Vec::new();
        }
        let alone = |head: Head| {
            let slice = |at: usize| {
                let module = self.world.module(at).filter(|_| self.files.contains(&at))?;
                Some(module.slice(&self.world.file(at).text, |rule| {
                    rule.name.first() != Some(&entry.name) || (at, rule.at) == head
                }))
            };
            Some((head, self.world.evaluator(self.closure, slice).ok()?))
        };
        std::iter::once(&entry.first).chain(&entry.others).filter_map(|head| alone(*head)).collect()
    }

    /// Which rules the rules `exception` of these files excuse, for each round.
    fn excused(&mut self, entries: &[Entry], out: &mut BTreeMap<usize, Vec<Verdict>>) -> Excused {
        let is_one =
            |module: &Module| module.rules.iter().any(|rule| rule.name.first().is_some_and(|n| n == EXCEPTION));
        let found = self.world.parsed(self.files).find(|(_, module)| is_one(module));
        let Some((at, module)) = found.filter(|_| self.asking.has_exceptions && !entries.is_empty()) else {
            return Vec::new();
        };
        let path = rule_path(&module.absolute(&[EXCEPTION.to_owned()]));
        let mut all = Vec::new();
        for round in &self.asking.rounds {
            self.evaluator.set_input(&round.input);
            match self.evaluator.say(&path, true, self.end) {
                Ok(said) => all.push(names(said.value.as_ref())),
                Err(fault) => {
                    // Nothing is excused.
                    out.entry(at).or_default().push(denial(self.world, at, EXCEPTION, fault));
                    return Vec::new();
                }
            }
        }
        all
    }
}

/// What one place alone says.
fn said(one: &mut Evaluator, entry: &Entry, round: &Round, asker: &Asker<'_, '_>) -> Option<Vec<Value>> {
    one.set_input(&round.input);
    let value = one.say(&entry.path, asker.asking.is_lenient, asker.end).ok()?.value;
    items(&entry.name, value).ok()
}

/// `run_as_root` of `deny_run_as_root`; empty for a bare `deny`.
fn suffix(name: &str) -> &str {
    name.split_once('_').map_or("", |(_, suffix)| suffix)
}

/// Every text in a value of lists.
fn names(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        Some(Value::String(name)) => BTreeSet::from([name.clone()]),
        Some(Value::Array(items)) => items.iter().flat_map(|item| names(Some(item))).collect(),
        _ => BTreeSet::new(),
    }
}

/// What an item says, whatever else it carries.
fn about(name: &str, item: &Value) -> String {
    let part = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default();
    [&message(name, item), &object(item).unwrap_or_default(), part("path")].join("\0")
}

fn verdict(world: &World<'_>, entry: &Entry, at: usize, item: &Value, place: At) -> Verdict {
    let file = world.file(at);
    let path = item.get("path").and_then(Value::as_str).filter(|path| !path.is_empty());
    Verdict {
        policy: file.name.clone(),
        rule: entry.name.clone(),
        decision: entry.decision,
        message: clip(&message(&entry.name, item), SHOWN),
        object: object(item).map(|object| clip(&object, SHOWN)),
        path: path.map(|path| clip(path, SHOWN)),
        location: Some(syntax::location(&file.path, &file.text, place)),
        held_before: false,
    }
}

/// The deciding rules of these files, by name.
pub(super) fn entries(world: &World<'_>, files: &[usize]) -> Vec<Entry> {
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
    object.as_str().map(str::to_owned).or_else(|| qualified(object))
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
        held_before: false,
    }
}

/// What is shown of a builtin that failed where OPA would not say so.
fn ignored(world: &World<'_>, at: usize, rule: &str, fault: Fault) -> Verdict {
    let message =
        format!("a builtin failed, and the rule went on without it as in OPA: {}", clip(&fault.message, SHOWN));
    Verdict { decision: Decision::Warn, message, ..denial(world, at, rule, fault) }
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
pub(super) fn test(world: &World<'_>, at: usize, name: &str, place: At, end: Instant, told: &mut Told) -> TestResult {
    let file = world.file(at);
    let closure = world.closure(&[at]);
    let mut reached = Vec::new();
    let value = world.faults(&closure).into_iter().next().map_or(Ok(()), Err).and_then(|()| {
        let mut evaluator = world.evaluator(&closure, |_| None)?;
        evaluator.watch_coverage();
        let module = world.module(at).ok_or_else(|| Fault::new("its file can't be used", None))?;
        let path = rule_path(&module.absolute(&[name.to_owned()]));
        let value = evaluator.rule(&path, end);
        reached = told.news(&evaluator);
        value
    });
    let message = match value {
        Ok(Some(Value::Bool(true))) => String::new(),
        Ok(None) => "is undefined: a condition in it does not hold".to_owned(),
        Ok(Some(other)) => clip(&format!("is {other}, not true"), SHOWN),
        Err(Fault { message, location: Some(location) }) => format!("{message} ({location})"),
        Err(Fault { message, location: None }) => message,
    };
    let (file, passed) = (file.path.clone(), message.is_empty());
    TestResult { name: name.to_owned(), file, line: place.line, passed, message, reached }
}

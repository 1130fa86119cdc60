//! What a file's rules are, without asking them.

use super::conftest;
use super::dialect::{self, Dialect};
use super::protocol::{Described, DescribedRule};
use super::syntax::{Module, Name};
use super::world::World;
use std::collections::BTreeSet;

/// Lines of a rule that are shown.
const LINES: usize = 40;

/// Describes one file that parsed.
pub(super) fn file(world: &World<'_>, at: usize) -> Described {
    let files = [at];
    let closure = world.closure(&files);
    let reads = match dialect::of(world, &files, &closure) {
        _ if world.file(at).is_template => "review",
        // What can't be asked reads nothing that is given.
        _ if conftest::fault(world, &files, &closure).is_some() => "",
        Ok(Dialect::Changes) => "changes",
        Ok(Dialect::Manifests) => "manifest",
        Ok(Dialect::Either) => "both",
        Ok(Dialect::Template) => "review",
        Err(_) => "",
    };
    let text = &world.file(at).text;
    let rules = world.module(at).map(|module| rules(module, text)).unwrap_or_default();
    Described { file: at, reads: reads.to_owned(), rules }
}

fn rules(module: &Module, text: &str) -> Vec<DescribedRule> {
    let rule = |(nth, rule): (usize, &super::syntax::Rule)| {
        let end = module.rules.get(nth + 1).map_or(text.len(), |next| next.at.byte);
        let fields: BTreeSet<String> = rule.reads.iter().filter_map(field).collect();
        DescribedRule {
            line: rule.at.line,
            source: source(text.get(rule.at.byte..end).unwrap_or_default()),
            fields: fields.into_iter().collect(),
        }
    };
    module.rules.iter().enumerate().map(rule).collect()
}

/// A field of something: a name alone is a variable.
fn field(path: &Name) -> Option<String> {
    let is_data = path.first().is_some_and(|root| root == "data");
    (path.len() > 1 && !is_data).then(|| path.join("."))
}

/// The lines of a rule, without those that lead to the next.
fn source(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().collect();
    let is_lead = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with('#');
    while lines.last().is_some_and(is_lead) {
        lines.pop();
    }
    let more = lines.len().saturating_sub(LINES);
    lines.truncate(LINES);
    let mut out = lines.join("\n");
    if more > 0 {
        out.push_str(&format!("\n({more} more lines)"));
    }
    out
}

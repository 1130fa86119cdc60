//! Jsonnet and CUE: which file holds what makes the object.

use super::Question;
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use crate::redact;
use serde_json::Value;

/// What is not rendered: a program makes the manifests.
const LANGUAGES: [(&str, &[&str]); 2] = [("Jsonnet", &[".jsonnet", ".libsonnet"]), ("CUE", &[".cue"])];

/// Lines that are listed at most.
const LISTED: usize = 5;

/// The files of a program that speak of the object or of the value, nearest first; `None` when none does.
pub(super) fn explain(question: &Question<'_>) -> Option<Refusal> {
    let object = &question.intent.object;
    let values: Vec<String> = question.intent.edits.iter().filter_map(|edit| written(edit.old.as_ref()?)).collect();
    LANGUAGES.iter().find_map(|(language, endings)| {
        let mut found: Vec<Mention<'_>> = files(question.base.tree, endings)
            .filter_map(|(path, text)| mention(path, text, &object.name, &values))
            .collect();
        if !found.iter().any(|mention| mention.names) {
            return None;
        }
        found.sort_by_key(|mention| (mention.lines.is_empty(), mention.path));
        let near = found.first()?;
        let place =
            near.lines.first().map_or_else(|| near.path.to_owned(), |(line, _)| format!("{}:{line}", near.path));
        let details = found.iter().flat_map(Mention::shown).take(LISTED).collect();
        let text = format!("{} seems to be made by {language}, which is not rendered", object.qualified());
        Some(Refusal::new("unknown-renderer", text, format!("change it there by hand: {place}")).with_details(details))
    })
}

/// One file, and where the value may stand in it.
struct Mention<'t> {
    path: &'t str,
    /// Whether it names the object.
    names: bool,
    lines: Vec<(usize, &'t str)>,
}

impl Mention<'_> {
    fn shown(&self) -> Vec<String> {
        if self.lines.is_empty() {
            return vec![format!("`{}` names it", self.path)];
        }
        let line =
            |(number, text): &(usize, &str)| format!("{}:{number}: {}", self.path, redact::text(text.trim()).as_str());
        self.lines.iter().map(line).collect()
    }
}

fn files<'t>(tree: &'t Tree, endings: &[&str]) -> impl Iterator<Item = (&'t str, &'t str)> {
    let named = tree.entries.iter().filter(|(path, _)| endings.iter().any(|ending| path.ends_with(ending)));
    named.filter_map(|(path, entry)| Some((path.as_str(), std::str::from_utf8(entry.bytes()?).ok()?)))
}

fn mention<'t>(path: &'t str, text: &'t str, name: &str, values: &[String]) -> Option<Mention<'t>> {
    let has = |line: &str| values.iter().any(|value| holds(line, value));
    let lines: Vec<(usize, &str)> =
        text.lines().enumerate().filter(|(_, line)| has(line)).map(|(at, line)| (at + 1, line)).collect();
    let names = text.lines().any(|line| holds(line, name));
    (names || !lines.is_empty()).then_some(Mention { path, names, lines })
}

/// Whether `word` stands in a line and is no part of a longer one.
fn holds(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    line.match_indices(word).any(|(at, _)| !line[..at].ends_with(part) && !line[at + word.len()..].starts_with(part))
}

/// A scalar as a program would write it; texts of a single letter and booleans are everywhere.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.len() > 1 => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

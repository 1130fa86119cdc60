//! How two records differ.

use super::{diff, json};
use crate::error::Error;
use crate::model::record::Entry;
use crate::text::{self, Sanitised};
use crate::ui::{Page, Paint};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The parts of a record in the order in which they are compared, and their titles.
const PARTS: [(&str, &str); 8] = [
    ("outcome", "Outcome"),
    ("failure", "Failure"),
    ("context", "Context"),
    ("prompt", "Model"),
    ("refusal", "Refusal"),
    ("proposedFix", "Fix"),
    ("policyReport", "Policies"),
    ("diff", "Diff"),
];

/// Keys that tell which item of a list it is.
const NAMES: [&str; 6] = ["path", "name", "policy", "what", "id", "code"];

/// Two records side by side.
#[derive(Debug)]
pub struct Difference {
    ids: [String; 2],
    /// Part, field, and its value on either side; `Null`: absent.
    fields: Vec<(&'static str, String, Value, Value)>,
    /// The diffs of the files, where they differ.
    diffs: Option<[String; 2]>,
}

/// Compares two records.
///
/// # Errors
/// Only a bug: an entry can't be serialised.
pub fn of(one: &[Entry], other: &[Entry]) -> Result<Difference, Error> {
    let (one, other) = (leaves(one)?, leaves(other)?);
    let mut fields = Vec::new();
    for (part, _) in PARTS {
        let names = one.keys().chain(other.keys()).filter(|(of, _)| *of == part);
        let names: std::collections::BTreeSet<_> = names.collect();
        for name in names {
            let side = |leaves: &Leaves| leaves.get(name).cloned().unwrap_or_default();
            let (a, b) = (side(&one), side(&other));
            if a != b {
                fields.push((part, name.1.clone(), a, b));
            }
        }
    }
    let id = |leaves: &Leaves| text_of(leaves, ("id", ""));
    let diff = |leaves: &Leaves| text_of(leaves, ("diff", ""));
    let diffs = (diff(&one) != diff(&other)).then(|| [diff(&one), diff(&other)]);
    fields.retain(|(part, ..)| *part != "diff");
    Ok(Difference { ids: [id(&one), id(&other)], fields, diffs })
}

type Leaves = BTreeMap<(&'static str, String), Value>;

fn text_of(leaves: &Leaves, (part, name): (&'static str, &str)) -> String {
    leaves.get(&(part, name.to_owned())).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Every value of a record by its place. Items of lists stand by their names: where they stand says nothing.
fn leaves(entries: &[Entry]) -> Result<Leaves, Error> {
    let document = json::aifix(entries)?;
    let mut out = Leaves::new();
    for (part, _) in PARTS {
        if let Some(value) = document["spec"].get(part) {
            flatten(value, part, String::new(), &mut out);
        }
    }
    for name in ["phase", "commit", "pullRequest"] {
        flatten(&document["status"][name], "outcome", name.to_owned(), &mut out);
    }
    let diff = out.remove(&("proposedFix", "diff".to_owned())).unwrap_or_default();
    out.insert(("diff", String::new()), diff);
    // Both say the same as other fields.
    out.retain(|(_, name), _| !name.contains(".steps[") && !name.ends_with(".uid"));
    out.insert(("id", String::new()), document["metadata"]["name"].clone());
    Ok(out)
}

fn flatten(value: &Value, part: &'static str, at: String, out: &mut Leaves) {
    match value {
        Value::Object(map) => {
            for (key, item) in map {
                let below = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                flatten(item, part, below, out);
            }
        }
        Value::Array(items) => {
            let mut seen = BTreeMap::new();
            for (nth, item) in items.iter().enumerate() {
                let name = NAMES.iter().find_map(|key| item.get(*key).filter(|name| !name.is_array()));
                let name =
                    name.map_or_else(|| nth.to_string(), |name| name.as_str().map_or(name.to_string(), str::to_owned));
                let times: &mut u32 = seen.entry(name.clone()).or_default();
                *times += 1;
                let name = if *times > 1 { format!("{name}#{times}") } else { name };
                flatten(item, part, format!("{at}[{name}]"), out);
            }
        }
        Value::Null => {}
        leaf => {
            out.insert((part, at), leaf.clone());
        }
    }
}

impl Difference {
    /// `RecordDiff`.
    ///
    /// # Errors
    /// Only a bug.
    pub fn json(&self) -> Result<String, Error> {
        let rows = self
            .fields
            .iter()
            .map(|(part, field, one, other)| json!({"part": part, "field": field, "one": one, "other": other}));
        let diffs = self.diffs.as_ref().map(|[one, other]| json!({"one": one, "other": other}));
        let [one, other] = &self.ids;
        let whole = json!({"one": one, "other": other, "differences": rows.collect::<Vec<_>>(), "diff": diffs});
        json::document("RecordDiff", &whole)
    }

    /// The same for people: a title for each part, a line for each field.
    pub fn write(&self, page: &mut Page, width: usize) {
        let [one, other] = &self.ids;
        page.put(Paint::Removed, format_args!("- {}", Sanitised::line(one))).end();
        page.put(Paint::Added, format_args!("+ {}", Sanitised::line(other))).end();
        if self.fields.is_empty() && self.diffs.is_none() {
            page.line("They say the same.");
            return;
        }
        for (part, title) in PARTS {
            let mut fields = self.fields.iter().filter(|(of, ..)| *of == part).peekable();
            if fields.peek().is_some() {
                page.end().put(Paint::Bold, title).end();
            }
            for (_, field, one, other) in fields {
                let words = format!("{field}: {} -> {}", shown(one), shown(other));
                page.wrapped(width, "  ", "    ", Sanitised::line(&words).as_str());
            }
        }
        if let Some([one, other]) = &self.diffs {
            page.end().put(Paint::Bold, "Diff of the diffs").end();
            diff::lines(page, one, other);
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        value => text::clip(&value.to_string(), 160),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Phase;

    fn record(id: &str, limit: &str, policies: &[&str]) -> Vec<Entry> {
        let policies: Vec<Value> = policies.iter().map(|name| json!({"name": name, "decision": "allow"})).collect();
        let body = json!({
            "failure": {"code": "oom-killed", "summary": "killed"},
            "context": {"cluster": "prod", "evidence": [{"id": 1, "text": "OOMKilled"}]},
            "proposedFix": {"diff": format!("-a\n+m: {limit}\n"), "intent": {"edits": [
                {"path": "spec.memory", "steps": [{"field": "spec"}], "old": "32Mi", "new": limit}]}},
            "policyReport": {"verdicts": [], "policies": policies},
        });
        let entry = |seq, phase, body| {
            let (record, at) = (id.to_owned(), "2026-11-24T08:00:00Z".to_owned());
            Entry { seq, record, phase, at, body, previous: String::new(), hash: String::new() }
        };
        vec![entry(1, Phase::Proposed, body), entry(2, Phase::Pushed, json!({"commit": id}))]
    }

    fn written(one: &[Entry], other: &[Entry]) -> String {
        let mut page = Page::default();
        of(one, other).unwrap().write(&mut page, 0);
        page.as_str().to_owned()
    }

    #[test]
    fn fields_that_differ_are_named_and_items_are_told_by_their_names() {
        let (one, other) = (record("aa", "64Mi", &["p", "q"]), record("bb", "128Mi", &["q", "new"]));
        insta::assert_snapshot!(written(&one, &other), @r#"
        - aa
        + bb

        Outcome
          commit: "aa" -> "bb"

        Fix
          intent.edits[spec.memory].new: "64Mi" -> "128Mi"

        Policies
          policies[new].decision: absent -> "allow"
          policies[new].name: absent -> "new"
          policies[p].decision: "allow" -> absent
          policies[p].name: "p" -> absent

        Diff of the diffs
         -a
        -+m: 64Mi
        ++m: 128Mi
        "#);
        let document: Value = serde_json::from_str(&of(&one, &other).unwrap().json().unwrap()).unwrap();
        assert_eq!(
            document["differences"][0],
            json!({"part": "outcome", "field": "commit", "one": "aa", "other": "bb"})
        );
    }

    #[test]
    fn a_record_is_like_itself() {
        let one = record("aa", "64Mi", &["p"]);
        assert_eq!(written(&one, &one), "- aa\n+ aa\nThey say the same.\n");
    }
}

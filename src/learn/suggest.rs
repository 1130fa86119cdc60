//! From a pattern to a policy with tests and its record.

use super::past::PastChange;
use super::patterns::{By, Changed, Incident, Pattern, field, incidents, patterns};
use super::{Record, lessons};
use crate::model::record::Phase;
use serde::Serialize;
use serde_json::{Value, json};

/// A change of the past that the policy would have stopped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stop {
    /// Foreign.
    pub what: String,
    /// An incident followed.
    pub rightly: bool,
}

/// A policy that a pattern suggests.
#[derive(Debug, Clone, PartialEq)]
pub struct Suggestion {
    /// `memory_limit_lowered_in_payments`.
    pub name: String,
    pub pattern: Pattern,
    pub policy: String,
    pub test: String,
    pub stops: Vec<Stop>,
}

impl Suggestion {
    /// What a record says of it.
    pub fn body(&self, branch: &str) -> Value {
        json!({"name": self.name, "text": self.pattern.words(), "records": self.pattern.records, "stops": self.stops,
            "policy": self.policy, "test": self.test, "branch": branch})
    }
}

/// A pattern of a change that makes no policy, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Unmade {
    pub pattern: Pattern,
    pub why: String,
    pub stops: Vec<Stop>,
}

/// A policy for each change that most incidents of a failure in a namespace followed, unless it would have stopped
/// more harmless changes of the past than harmful ones.
pub fn suggest(records: &[Record], past: &[PastChange]) -> (Vec<Suggestion>, Vec<Unmade>) {
    let incidents = incidents(records);
    let (mut made, mut unmade) = (Vec::new(), Vec::new());
    for pattern in patterns(records).into_iter().filter(|pattern| pattern.by == By::Change) {
        let Some(namespace) = pattern.namespace.clone() else { continue };
        let behind: Vec<&Incident> =
            incidents.iter().filter(|incident| pattern.records.contains(&incident.record)).collect();
        let is_it = |change: &&Changed| format!("{} was {}", field(&change.path), change.verb()) == pattern.value;
        let Some(sample) = behind.iter().flat_map(|incident| &incident.changes).find(is_it).cloned() else { continue };
        let stops = stops(&sample, &namespace, &incidents, records, past);
        let wrong = stops.iter().filter(|stop| !stop.rightly).count();
        let right = stops.len() - wrong;
        let Some(rule) = Rule::of(&sample, &namespace) else {
            let why = "no rule can be written for such a change".to_owned();
            unmade.push(Unmade { pattern, why, stops });
            continue;
        };
        if wrong > right {
            let why = format!("it would have stopped {wrong} harmless changes, and {right} before an incident");
            unmade.push(Unmade { pattern, why, stops });
            continue;
        }
        let evidence = behind.iter().map(|incident| {
            let since = incident.since.map(|at| at.strftime(", %Y-%m-%d").to_string()).unwrap_or_default();
            format!("{}/{} {}{since} (record {})", incident.kind, incident.name, incident.code, incident.record)
        });
        let evidence: Vec<String> = evidence.collect();
        let (policy, test) = (rule.policy(&pattern, &evidence, right, wrong), rule.test());
        made.push(Suggestion { name: rule.name, pattern, policy, test, stops });
    }
    (made, unmade)
}

/// What the rule would have stopped: changes before incidents rightly, fixes that held and other commits wrongly.
fn stops(
    sample: &Changed,
    namespace: &str,
    incidents: &[Incident],
    records: &[Record],
    past: &[PastChange],
) -> Vec<Stop> {
    let is_such = |change: &Changed| change.path == sample.path && change.verb() == sample.verb();
    let mut out = Vec::new();
    let mut commits = std::collections::BTreeSet::new();
    let own = incidents.iter().filter(|incident| incident.namespace == namespace);
    for incident in own.filter(|incident| incident.changes.iter().any(is_such)) {
        commits.extend(incident.commit.clone());
        let what =
            format!("before {} of {}/{} (record {})", incident.code, incident.kind, incident.name, incident.record);
        out.push(Stop { what, rightly: true });
    }
    for record in records {
        let fixes = lessons(std::slice::from_ref(record));
        let Some(lesson) = fixes.all.first().filter(|lesson| lesson.outcome.weight() > 0) else { continue };
        let body = record.iter().find(|entry| entry.phase == Phase::Proposed).map(|entry| &entry.body);
        let Some(body) = body.filter(|body| super::text(body, "/proposedFix/intent/object/namespace") == namespace)
        else {
            continue;
        };
        let edits = super::items(body, "/proposedFix/intent/edits").iter().filter_map(edit);
        if edits.into_iter().any(|change| is_such(&change)) {
            out.push(Stop { what: format!("a fix that held (record {})", lesson.record), rightly: false });
        }
    }
    let same_place = |change: &&PastChange| change.namespace.as_deref().is_none_or(|name| name == namespace);
    let mut seen = std::collections::BTreeSet::new();
    for change in past.iter().filter(same_place).filter(|change| is_such(&change.changed)) {
        // The same values of the same object: it is the change that the incident tells of.
        let told = incidents.iter().any(|incident| {
            incident.name == change.name
                && incident.changes.iter().any(|own| is_such(own) && own.new == change.changed.new)
        });
        if !told && !commits.contains(&change.commit) && seen.insert((&change.commit, &change.kind, &change.name)) {
            let what = format!("{} of {}/{}", change.shown, change.kind, change.name);
            out.push(Stop { what, rightly: false });
        }
    }
    out
}

fn edit(edit: &Value) -> Option<Changed> {
    let present = |name: &str| edit.get(name).filter(|value| !value.is_null()).cloned();
    let path = crate::model::path::Path::of(edit.get("path")?.as_str()?);
    Some(Changed { path: crate::model::lesson::general(&path), old: present("old"), new: present("new") })
}

/// Containers of every kind of workload; the rule stands alone, so that it can be tested alone.
const CONTAINERS: &str = "
containers(resource) := {container |
\tsome template in [[\"spec\"], [\"spec\", \"template\", \"spec\"], [\"spec\", \"jobTemplate\", \"spec\", \"template\", \"spec\"]]
\tsome list in [\"initContainers\", \"containers\"]
\tsome container in object.get(resource, array.concat(template, [list]), [])
}
";

/// What stands between names of a rule.
struct Rule {
    name: String,
    namespace: String,
    what: String,
    verb: &'static str,
    /// Keys below a container, or below the object.
    keys: Vec<String>,
    in_container: bool,
    old: Value,
    new: Option<Value>,
}

impl Rule {
    /// A rule about a field that is lowered, raised or removed; `None` for any other.
    fn of(change: &Changed, namespace: &str) -> Option<Self> {
        let verb = Some(change.verb()).filter(|verb| ["lowered", "raised", "removed"].contains(verb))?;
        let (in_container, rest) = match change.path.split_once("containers[*].") {
            Some((_, rest)) => (true, rest),
            None => (false, change.path.as_str()),
        };
        let keys: Vec<String> = rest.split('.').map(str::to_owned).collect();
        let plain = |key: &String| key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        let safe = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        // Names of fields are foreign where a kind is custom, and stand in comments and messages of the rule.
        let words = |c: char| c.is_ascii_alphanumeric() || "-_.[*]".contains(c);
        if !keys.iter().all(plain) || !change.path.chars().all(words) || !safe(namespace) {
            return None;
        }
        let what = field(&change.path);
        let short = what.trim_start_matches("the ").replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_lowercase();
        Some(Self {
            name: format!("{short}_{verb}_in_{}", namespace.replace('-', "_")),
            namespace: namespace.to_owned(),
            what,
            verb,
            keys,
            in_container,
            old: change.old.clone()?,
            new: change.new.clone(),
        })
    }

    fn policy(&self, pattern: &Pattern, evidence: &[String], right: usize, wrong: usize) -> String {
        let Self { name, namespace, what, verb, .. } = self;
        let title = format!("In {namespace} {what} is not {verb}");
        let because: String = evidence.iter().map(|line| format!("#   {}\n", comment(line))).collect();
        let keys = Value::from(self.keys.clone()).to_string();
        let compare = match self.verb {
            "lowered" => "quantity(after) < quantity(before)",
            "raised" => "quantity(after) > quantity(before)",
            _ => "after == null",
        };
        let pairs = if self.in_container {
            format!(
                "\tsome old in containers(change.before)\n\tsome new in containers(change.after)\n\told.name == new.name\n\
                 \tbefore := object.get(old, {keys}, null)\n\tafter := object.get(new, {keys}, null)\n"
            )
        } else {
            format!(
                "\tbefore := object.get(change.before, {keys}, null)\n\tafter := object.get(change.after, {keys}, null)\n"
            )
        };
        let there = if self.verb == "removed" { "" } else { "\tafter != null\n" };
        let quantity = if self.verb == "removed" {
            String::new()
        } else {
            "\n# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/\n\
             quantity(value) := units.parse(sprintf(\"%v\", [value]))\n"
                .to_owned()
        };
        let containers = if self.in_container { CONTAINERS } else { "" };
        format!(
            "# METADATA\n# title: {title}\n# description: >-\n#   Suggested by records: {}.\n#   Of the changes that are known it would have stopped {right} before an incident and {wrong} harmless ones.\n\
             # custom:\n#   severity: error\n#   term: {}\npackage aifix.{name}\n\n# Evidence:\n{because}deny contains verdict if {{\n\
             \tsome change in input.changes\n\tchange.object.namespace == \"{namespace}\"\n\tchange.before != null\n\tchange.after != null\n{pairs}\
             \tbefore != null\n{there}\t{compare}\n\tmessage := sprintf(\"{what} was {verb} from %v to %v, as before earlier incidents\", [before, after])\n\
             \tverdict := {{\"message\": message, \"object\": change.object, \"path\": \"{}\"}}\n}}\n{containers}{quantity}",
            comment(&pattern.words()),
            self.keys.join("."),
            self.keys.join("."),
        )
    }

    fn test(&self) -> String {
        let Self { name, namespace, .. } = self;
        let wrapped = |value: &Value| {
            let inner = self.keys.iter().rev().fold(value.clone(), |inner, key| {
                let mut map = serde_json::Map::new();
                map.insert(key.clone(), inner);
                Value::Object(map)
            });
            if !self.in_container {
                return inner.to_string();
            }
            let mut container = inner;
            container["name"] = "app".into();
            serde_json::json!({"spec": {"template": {"spec": {"containers": [container]}}}}).to_string()
        };
        let bare = serde_json::json!({"spec": {"template": {"spec": {"containers": [{"name": "app"}]}}}});
        let nothing = if self.in_container { bare.to_string() } else { "{}".to_owned() };
        let old = wrapped(&self.old);
        let new = self.new.as_ref().map_or(nothing, wrapped);
        format!(
            "package aifix.{name}_test\n\nimport data.aifix.{name}\n\nchange(namespace, before, after) := {{\"mode\": \"change\", \"changes\": [{{\n\
             \t\"object\": {{\"kind\": \"Deployment\", \"namespace\": namespace, \"name\": \"example\"}},\n\t\"before\": before,\n\t\"after\": after,\n\
             \t\"intended\": true,\n\t\"companion\": false,\n}}]}}\n\nold := {old}\n\nnew := {new}\n\n\
             test_what_came_before_the_incidents_is_denied if {{\n\tcount({name}.deny) == 1 with input as change(\"{namespace}\", old, new)\n}}\n\n\
             test_the_way_back_is_not_denied if {{\n\tcount({name}.deny) == 0 with input as change(\"{namespace}\", new, old)\n}}\n\n\
             test_no_change_is_not_denied if {{\n\tcount({name}.deny) == 0 with input as change(\"{namespace}\", old, old)\n}}\n\n\
             test_another_namespace_is_not_denied if {{\n\tcount({name}.deny) == 0 with input as change(\"elsewhere\", old, new)\n}}\n"
        )
    }
}

/// Text that stays in a comment of one line, and gives no order to a forge.
fn comment(text: &str) -> String {
    crate::text::Sanitised::line(text).to_string().replace(['\n', '\r'], " ")
}

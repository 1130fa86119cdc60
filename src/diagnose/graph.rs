//! Which finding is the root of which.

use super::observe::{Draft, Explains, key, named};
use super::workload::Consequence;
use crate::model::code::Code;
use crate::model::finding::{Confidence, Effect, Evidence, Finding, PodCounts, Severity, Source};
use crate::model::object::ObjectRef;
use crate::redact;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Families in the order in which they explain others: what a pod cannot even start with comes first.
const FAMILIES: [&str; 21] = [
    "delivery",
    "node",
    "admission",
    "quota",
    "storage",
    "eviction",
    "scheduling",
    "image",
    "config",
    "start",
    "crash",
    "probe",
    "rbac",
    "service",
    "ingress",
    "autoscaling",
    "namespace",
    "statefulset",
    "daemonset",
    "job",
    "workload",
];

/// Codes whose missing object is the root when several owners name it.
const SHARED: [&str; 8] = [
    "configmap-key-missing",
    "configmap-missing",
    "image-pull-secret-missing",
    "secret-key-missing",
    "secret-missing",
    "volume-configmap-missing",
    "volume-key-missing",
    "volume-secret-missing",
];

/// The rank of a code: lower explains higher. Kills and start errors come before probes,
/// a crash that only its log explains comes after them.
pub(crate) fn rank(finding: &Finding) -> usize {
    let of = |family: &str| FAMILIES.iter().position(|name| *name == family).unwrap_or(FAMILIES.len()) * 2;
    let by_log = finding.code.0.family == "crash" && !finding.code.name().starts_with("oom-");
    if by_log { of("probe") + 1 } else { of(finding.code.0.family) }
}

/// One fault or effect, and what it is linked to by references in the specs.
struct Node {
    /// Objects that it sits on.
    keys: Vec<String>,
    follows: Vec<String>,
    /// Of a draft, where it explains what does not name it.
    explains: Vec<Explains>,
    code: &'static str,
    container: Option<String>,
    /// Whether something may hang below it.
    explaining: bool,
}

impl Node {
    /// Whether it explains another outright.
    fn tells(&self, other: &Self) -> bool {
        let is_its = |key: &String| other.keys.contains(key) || other.follows.contains(key);
        self.explains.iter().any(|e| e.codes.contains(&other.code) && is_its(&e.key))
    }
}

/// Where a node's cause lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    NotLooked,
    /// An effect of nothing that was found.
    Nothing,
    Draft(usize),
}

/// The nodes of a diagnosis: drafts first, then consequences.
struct Graph {
    nodes: Vec<Node>,
    drafts: usize,
    /// Position in the order in which candidates are tried.
    precedence: Vec<usize>,
    /// What was found out about each node.
    roots: Vec<Root>,
    /// Drafts that were met again while their own cause was looked for.
    circles: Vec<bool>,
}

impl Graph {
    fn new(drafts: &[Draft], consequences: &[Consequence]) -> Self {
        let of_draft = |draft: &Draft| Node {
            keys: owners(draft).map(str::to_owned).chain([key(&draft.finding.object)]).collect(),
            follows: draft.follows.iter().cloned().chain(missing(&draft.finding)).collect(),
            explains: draft.explains.clone(),
            code: draft.finding.code.name(),
            container: draft.finding.container.clone(),
            explaining: draft.finding.severity != Severity::Info,
        };
        let of_consequence = |one: &Consequence| Node {
            keys: vec![key(&one.object)],
            follows: one.follows.clone(),
            explains: Vec::new(),
            code: one.code.name,
            container: one.container.clone(),
            explaining: true,
        };
        let nodes: Vec<Node> = drafts.iter().map(of_draft).chain(consequences.iter().map(of_consequence)).collect();
        let mut order: Vec<usize> = (0..nodes.len()).collect();
        order.sort_by_key(|at| {
            let finding = drafts.get(*at).map(|draft| &draft.finding);
            let by_draft =
                finding.map(|f| (rank(f), f.since.is_none(), f.since, f.object.clone(), f.container.clone()));
            (finding.is_none(), by_draft, nodes[*at].code, nodes[*at].keys.clone())
        });
        let mut precedence = vec![0; nodes.len()];
        for (position, at) in order.into_iter().enumerate() {
            precedence[at] = position;
        }
        let (roots, circles) = (vec![Root::NotLooked; nodes.len()], vec![false; nodes.len()]);
        Self { nodes, drafts: drafts.len(), precedence, roots, circles }
    }

    /// What could be the cause of a node, the best first.
    fn candidates(&self, of: usize) -> Vec<usize> {
        let node = &self.nodes[of];
        let is_draft = of < self.drafts;
        let mut found: Vec<usize> = (0..self.nodes.len())
            .filter(|at| {
                let cause = &self.nodes[*at];
                let cause_is_draft = *at < self.drafts;
                let named = cause.keys.iter().any(|key| node.follows.contains(key));
                let explained = is_draft && cause.tells(node);
                // Two effects of one object have the same cause, they are not each other's.
                let apart = cause_is_draft || !cause.keys.iter().any(|key| node.keys.contains(key));
                let same_container =
                    is_draft || !cause_is_draft || node.container.is_none() || node.container == cause.container;
                *at != of && cause.explaining && (explained || named && apart) && same_container
            })
            .collect();
        found.sort_by_key(|at| self.precedence[*at]);
        found
    }

    /// Whether it is only worth knowing as a possible cause, and another finding tells it for certain.
    fn is_told(&self, of: usize) -> bool {
        let node = &self.nodes[of];
        !node.explaining && self.nodes.iter().any(|cause| cause.explaining && cause.tells(node))
    }

    /// The draft that a node follows from in the end: itself for a root, `None` for an effect of nothing.
    fn root(&mut self, of: usize, visiting: &mut Vec<usize>) -> Option<usize> {
        match self.roots[of] {
            Root::NotLooked => {}
            Root::Nothing => return None,
            Root::Draft(draft) => return Some(draft),
        }
        visiting.push(of);
        let mut root = None;
        for cause in self.candidates(of) {
            if visiting.contains(&cause) {
                self.circles[of] |= of < self.drafts;
                continue;
            }
            root = self.root(cause, visiting);
            if root.is_some() {
                break;
            }
        }
        visiting.pop();
        let root = root.or((of < self.drafts).then_some(of));
        self.roots[of] = root.map_or(Root::Nothing, Root::Draft);
        root
    }
}

/// Hangs every effect under the root that it is linked to by references in the specs, however many
/// steps lie between. A consequence of nothing is dropped: alone it says nothing that `not-ready` does not.
pub(crate) fn roots(mut drafts: Vec<Draft>, consequences: Vec<Consequence>) -> Vec<Finding> {
    merge_shared(&mut drafts);
    drafts.sort_by_key(|draft| order(&draft.finding));
    let mut graph = Graph::new(&drafts, &consequences);
    let roots: Vec<Option<usize>> = (0..graph.nodes.len())
        .map(|at| {
            // What is only worth knowing stays where it is.
            if graph.nodes[at].explaining { graph.root(at, &mut Vec::new()) } else { Some(at) }
        })
        .collect();
    let (of_drafts, of_consequences) = roots.split_at(drafts.len());
    for (consequence, root) in consequences.into_iter().zip(of_consequences) {
        let Some(finding) = root.map(|root| &mut drafts[root].finding) else { continue };
        let is_itself = finding.code.name() == consequence.code.name && finding.object == consequence.object;
        if !is_itself {
            finding.effects.push(Effect {
                code: Code(consequence.code),
                object: consequence.object,
                summary: redact::text(&consequence.summary).into_string(),
            });
        }
    }
    let mut findings: Vec<Option<Finding>> = drafts.into_iter().map(|draft| Some(draft.finding)).collect();
    for (at, root) in of_drafts.iter().enumerate() {
        let Some(root) = root.filter(|root| *root != at) else { continue };
        let Some(effect) = findings[at].take() else { continue };
        if let Some(finding) = &mut findings[root] {
            fold(finding, effect);
        }
    }
    let mut findings: Vec<Finding> = findings
        .into_iter()
        .enumerate()
        .filter_map(|(at, finding)| {
            let mut finding = finding?;
            if finding.confidence == Confidence::Hypothesis && graph.is_told(at) {
                return None;
            }
            if graph.circles[at] && !finding.effects.is_empty() {
                finding.summary.push_str("; it waits for what waits for it, so the root is not known");
            }
            Some(finding)
        })
        .collect();
    for finding in &mut findings {
        finding.effects.sort_by(|a, b| (a.code.name(), &a.object).cmp(&(b.code.name(), &b.object)));
        finding.effects.dedup();
        let root = (finding.code, finding.object.clone());
        finding.effects.retain(|effect| effect.code != root.0 || !effect.object.same_object(&root.1));
    }
    suggest(&mut findings);
    findings.sort_by_key(order);
    findings
}

/// A hypothesis alone is only worth knowing: where its object also fails, it is told there as a possible cause.
fn suggest(findings: &mut [Finding]) {
    let is_hypothesis = |f: &&Finding| f.severity == Severity::Info && f.confidence == Confidence::Hypothesis;
    let possible: Vec<Finding> = findings.iter().filter(is_hypothesis).cloned().collect();
    for finding in findings.iter_mut().filter(|finding| finding.severity != Severity::Info) {
        let here = possible.iter().filter(|one| {
            let apart = one.container.is_some() && finding.container.is_some() && one.container != finding.container;
            one.object.same_object(&finding.object) && !apart
        });
        for one in here {
            let id = u32::try_from(finding.evidence.len() + 1).unwrap_or(u32::MAX);
            let source = one.evidence.first().map_or(Source::Status, |first| first.source);
            let text = format!("possible cause: {} ({})", one.summary, one.code);
            finding.evidence.push(Evidence { id, source, at: one.since, text, path: None });
        }
    }
}

/// A root is as bad as the worst that follows from it.
fn fold(root: &mut Finding, effect: Finding) {
    root.severity = root.severity.min(effect.severity);
    let (sum, of) = (&mut root.pods, effect.pods);
    sum.failing += of.failing;
    sum.ready += of.ready;
    sum.desired += of.desired;
    sum.names.extend(of.names);
    sum.names.sort();
    sum.names.dedup();
    sum.names.truncate(3);
    root.effects.push(Effect { code: effect.code, object: effect.object, summary: effect.summary });
    root.effects.extend(effect.effects);
}

/// Key of the object that a finding misses: `object` of its facts, `Secret/db`.
fn missing(finding: &Finding) -> Option<String> {
    let (kind, name) = finding.facts.get("object")?.as_str()?.split_once('/')?;
    Some(named(kind, finding.object.namespace(), name))
}

fn owners(draft: &Draft) -> impl Iterator<Item = &str> {
    let shared = draft.finding.facts.get("owners").and_then(Value::as_array);
    let keys = shared.into_iter().flatten().filter_map(|owner| owner.get("key")?.as_str());
    keys.chain(std::iter::once(draft.workload.as_str()).filter(|key| !key.is_empty()))
}

/// Worst first; then what hits more pods; then by name, so that the order is always the same.
fn order(finding: &Finding) -> impl Ord + use<> {
    (
        finding.severity,
        rank(finding),
        std::cmp::Reverse(finding.effects.len()),
        finding.object.qualified(),
        finding.container.clone(),
        finding.code.name(),
        finding.summary.clone(),
    )
}

/// A missing thing that several owners name, or one external cause that hits several, is one root on it;
/// the owners are its effects. With one owner the finding stays there: that is what an edit changes.
fn merge_shared(drafts: &mut Vec<Draft>) {
    let mut groups: BTreeMap<(&'static str, ObjectRef), Vec<Draft>> = BTreeMap::new();
    let mut rest = Vec::new();
    for draft in drafts.drain(..) {
        match shared_cause(&draft).filter(|_| draft.finding.severity != Severity::Info) {
            Some(cause) => groups.entry((draft.finding.code.name(), cause)).or_default().push(draft),
            None => rest.push(draft),
        }
    }
    for ((_, cause), group) in groups {
        let mut objects: Vec<&ObjectRef> = group.iter().map(|draft| &draft.finding.object).collect();
        objects.sort();
        objects.dedup();
        if objects.len() < 2 {
            rest.extend(group);
        } else {
            let count = objects.len();
            rest.extend(shared(group, cause, count));
        }
    }
    *drafts = rest;
}

/// The object that many owners may have in common.
fn shared_cause(draft: &Draft) -> Option<ObjectRef> {
    if let Some(cause) = &draft.shared {
        return Some(cause.clone());
    }
    let finding = &draft.finding;
    let text = |name: &str| finding.facts.get(name).and_then(Value::as_str);
    let (missing, object) = (text("missing")?, text("object")?);
    let (kind, _) = object.split_once('/')?;
    SHARED.contains(&finding.code.name()).then(|| ObjectRef::new("v1", kind, finding.object.namespace(), missing))
}

fn shared(group: Vec<Draft>, mut cause: ObjectRef, count: usize) -> Option<Draft> {
    let owners: Vec<Value> = group
        .iter()
        .map(|draft| {
            let key = if draft.workload.is_empty() { key(&draft.finding.object) } else { draft.workload.clone() };
            json!({"key": key, "object": draft.finding.object.to_string()})
        })
        .collect();
    let follows = group.iter().flat_map(|draft| draft.follows.clone()).collect();
    let explains = group.iter().flat_map(|draft| draft.explains.clone()).collect();
    let mut all = group.into_iter();
    let mut root = all.next()?;
    // `missing` may be `Secret/key`: the root sits on the object.
    cause.name = cause.name.split('/').next().unwrap_or_default().to_owned();
    let first = root.finding.clone();
    let finding = &mut root.finding;
    let kinds = if root.workload.is_empty() { format!("{}s", finding.object.kind) } else { "workloads".to_owned() };
    finding.summary = match root.shared {
        Some(_) => format!("{}, which hits {count} {kinds}", finding.summary),
        None => format!("{}, which {count} {kinds} need", finding.summary),
    };
    finding.object = cause;
    finding.container = None;
    finding.change = None;
    finding.pods = PodCounts::default();
    finding.effects = Vec::new();
    fold(finding, first);
    for draft in all {
        finding.since = [finding.since, draft.finding.since].into_iter().flatten().min();
        fold(finding, draft.finding);
    }
    if let Some(facts) = finding.facts.as_object_mut() {
        facts.insert("owners".to_owned(), Value::Array(owners));
    }
    Some(Draft { finding: root.finding, workload: String::new(), follows, explains, shared: root.shared })
}

#[cfg(test)]
mod tests {
    use super::super::observe::{Observation, collapse, named};
    use super::super::service::SERVICE_SELECTOR_MISMATCH;
    use super::super::testing::of;
    use super::super::view::View;
    use super::*;

    /// A fault of Service `name` that follows from those of other Services.
    fn fault(name: &str, follows: &[&str]) -> Observation {
        let mut one = Observation::of_object(&SERVICE_SELECTOR_MISMATCH, ObjectRef::new("v1", "Service", "a", name));
        one.follows = follows.iter().map(|other| named("Service", "a", other)).collect();
        one
    }

    fn roots_of(seen: Vec<Observation>) -> Vec<(String, usize, bool)> {
        let snapshot = of(&[]);
        let found = roots(collapse(&View::new(&snapshot), seen), Vec::new());
        found.iter().map(|f| (f.object.name.clone(), f.effects.len(), f.summary.contains("not known"))).collect()
    }

    #[test]
    fn a_chain_has_one_root_with_all_its_effects() {
        let chain = vec![fault("c", &["b"]), fault("b", &["a"]), fault("a", &[]), fault("x", &[])];
        assert_eq!(roots_of(chain), [("a".to_owned(), 2, false), ("x".to_owned(), 0, false)]);
    }

    #[test]
    fn a_circle_is_one_incident_whose_root_is_not_known() {
        let circle = roots_of(vec![fault("a", &["b"]), fault("b", &["a"])]);
        assert_eq!(circle.len(), 1);
        assert_eq!((circle[0].1, circle[0].2), (1, true));
    }
}

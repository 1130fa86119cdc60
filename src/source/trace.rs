//! Which folder of the repository makes the running object.

use super::writers::{Writer, writer};
use super::{Budget, Candidate, Question, Stop, short};
use crate::model::intent::{FieldEdit, Op};
use crate::model::object::ObjectRef;
use crate::model::path::{Path, Step};
use crate::model::proposal::{Signal, Tool, Trust};
use crate::model::refusal::Refusal;
use crate::model::tree::Tree;
use crate::render::compare::{Disagreement, canonical, disagreements, reference, same_value, same_written};
use crate::render::names::without_hash;
use crate::render::{Inputs, Rendered, Root, Workbench, roots};
use futures_util::{StreamExt, stream};
use serde_json::Value;
use std::collections::BTreeSet;

/// A root that makes the object.
#[derive(Debug)]
pub(super) struct Traced<'t> {
    pub(super) root: Root,
    pub(super) bench: Workbench<'t>,
    /// What the base renders.
    pub(super) base: Rendered,
    /// The object in it.
    pub(super) object: Value,
    pub(super) reference: ObjectRef,
    /// The revision whose render is what runs.
    pub(super) revision: String,
    pub(super) trail: Vec<Signal>,
    /// Why a person must look at the folder itself.
    pub(super) review: Vec<String>,
    /// Where the asked fields differ from what runs.
    differs: Vec<Disagreement>,
}

/// Renders that run at the same time in a search.
const PARALLEL: usize = 2;
/// Differing fields that are listed at most.
const LISTED: usize = 5;

/// What one root says about the object.
enum Verdict<'t> {
    Proved(Box<Traced<'t>>),
    /// It makes the object, but not as it runs.
    Differs(Differs),
    Absent,
}

/// A root whose object is not as it runs.
struct Differs {
    root: Root,
    open: Vec<Disagreement>,
    /// It says the object's namespace; it does not leave it open.
    exact: bool,
}

/// Finds the one root that makes the running object.
pub(super) async fn trace<'q>(question: &Question<'q>, budget: &Budget) -> Result<Traced<'q>, Stop> {
    match question.path {
        Some(path) => given(question, path, budget).await,
        None => search(question, budget).await,
    }
}

async fn given<'q>(question: &Question<'q>, path: &str, budget: &Budget) -> Result<Traced<'q>, Stop> {
    let root = Root::at(question.base.tree, path);
    match judge(question, &root, budget).await? {
        Verdict::Proved(mut traced) => {
            let signal = Signal { signal: "--path".to_owned(), value: root.shown().to_owned(), trust: Trust::Given };
            traced.trail.insert(0, signal);
            Ok(*traced)
        }
        Verdict::Differs(differs) => Err(not_explained(question, &differs).into()),
        Verdict::Absent => Err(Refusal::new(
            "not-explained",
            format!("`{}` does not make {}", root.shown(), question.intent.object.qualified()),
            "check --path, or leave it out to search the repository",
        )
        .into()),
    }
}

async fn search<'q>(question: &Question<'q>, budget: &Budget) -> Result<Traced<'q>, Stop> {
    let object = &question.intent.object;
    let tree = question.base.tree;
    let mentioned: Vec<Root> = roots(tree).into_iter().filter(|root| mentions(tree, root, object)).collect();
    let (outer, mut bases) = outer_first(tree, mentioned);
    let mut found = Found::default();
    found.take(outer.iter().zip(judge_all(question, &outer, budget).await))?;
    // A base is rarely deployed by itself: it is asked only when no root above it makes the object,
    // and not below one that could not be asked.
    if found.proved.is_empty() {
        let above: Vec<Inputs> = found.refused.iter().map(|(root, _)| Inputs::reach(tree, root).0).collect();
        bases.retain(|base| !above.iter().any(|inputs| inputs.folders.contains(&base.path)));
        found.take(bases.iter().zip(judge_all(question, &bases, budget).await))?;
    }
    found.choose(question)
}

/// What all roots said.
#[derive(Default)]
struct Found<'t> {
    proved: Vec<Traced<'t>>,
    differing: Vec<Differs>,
    refused: Vec<(Root, Refusal)>,
}

impl<'t> Found<'t> {
    fn take<'r>(&mut self, verdicts: impl Iterator<Item = (&'r Root, Result<Verdict<'t>, Stop>)>) -> Result<(), Stop> {
        for (root, verdict) in verdicts {
            match verdict {
                Ok(Verdict::Proved(traced)) => self.proved.push(*traced),
                Ok(Verdict::Differs(differs)) => self.differing.push(differs),
                Ok(Verdict::Absent) => {}
                Err(Stop::Refused(refusal)) => self.refused.push((root.clone(), refusal)),
                Err(failed) => return Err(failed),
            }
        }
        Ok(())
    }

    fn choose(self, question: &Question<'t>) -> Result<Traced<'t>, Stop> {
        let object = &question.intent.object;
        let proved = outermost(self.proved);
        let wanted = object.namespace.as_deref();
        if let Some(open) = proved.first().filter(|traced| wanted.is_some() && traced.reference.namespace.is_none()) {
            let mut exact: Vec<&Root> = self.differing.iter().filter(|d| d.exact).map(|d| &d.root).collect();
            let says = |root: &Root| says_namespace(question.base.tree, root, wanted.unwrap_or_default());
            exact.extend(self.refused.iter().map(|(root, _)| root).filter(|root| says(root)));
            if !exact.is_empty() {
                return Err(open_namespace(object, &open.root, &exact).into());
            }
        }
        if let Some(picked) = pick(question, proved) {
            let mut traced = picked?;
            if let (Tool::Plain, None, Some(wanted)) = (traced.root.tool, &traced.reference.namespace, wanted) {
                traced.review.push(format!(
                    "`{}` leaves the namespace open: nothing in Git says that it is applied to `{wanted}`",
                    traced.root.shown()
                ));
            }
            return Ok(traced);
        }
        let nearest = self.differing.iter().min_by_key(|differs| (!differs.exact, differs.open.len()));
        let refused = self.refused.into_iter().next().map(|(_, refusal)| refusal);
        Err(match (nearest, refused) {
            (Some(differs), None) => not_explained(question, differs),
            (Some(differs), Some(_)) if differs.exact => not_explained(question, differs),
            (_, Some(refusal)) => refusal,
            (None, None) => Refusal::new(
                "no-owner-in-git",
                format!("nothing in {} makes {}", question.repo, object.qualified()),
                "name the source: aifix propose --repo PATH --path DIR",
            ),
        }
        .into())
    }
}

/// Whether a root that could not be asked speaks of a namespace.
fn says_namespace(tree: &Tree, root: &Root, namespace: &str) -> bool {
    let inputs = Inputs::reach(tree, root).0;
    let below = tree.below(&root.path).map(|(path, _)| path);
    inputs.files.keys().map(String::as_str).chain(below).filter_map(|path| tree.text(path)).any(|text| {
        text.lines().any(|line| {
            line.split_once("namespace").is_some_and(|(_, rest)| {
                rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|word| word == namespace)
            })
        })
    })
}

/// A folder without the namespace is what runs, another one says the namespace and is not.
fn open_namespace(object: &ObjectRef, open: &Root, exact: &[&Root]) -> Refusal {
    let details = exact.iter().map(|root| {
        format!("`{}` says namespace `{}`, and does not make it as it runs", root.shown(), object.namespace())
    });
    Refusal::new(
        "not-explained",
        format!("`{}` makes {} as it runs, but leaves the namespace open", open.shown(), object.qualified()),
        "sync first, or name the folder: --path DIR",
    )
    .with_details(details.collect())
}

async fn judge_all<'q>(question: &Question<'q>, roots: &[Root], budget: &Budget) -> Vec<Result<Verdict<'q>, Stop>> {
    stream::iter(roots).map(|root| judge(question, root, budget)).buffered(PARALLEL).collect().await
}

/// Roots that no other root includes, and the rest.
fn outer_first(tree: &Tree, roots: Vec<Root>) -> (Vec<Root>, Vec<Root>) {
    let inner: BTreeSet<String> = roots
        .iter()
        .map(|root| (root, Inputs::reach(tree, root).0))
        .flat_map(|(root, inputs)| inputs.folders.into_iter().filter(|folder| *folder != root.path))
        .collect();
    roots.into_iter().partition(|root| !inner.contains(&root.path))
}

/// Bases that another of these roots includes are not what is deployed.
fn outermost(mut proved: Vec<Traced<'_>>) -> Vec<Traced<'_>> {
    let is_base = |root: &Root, all: &[Traced<'_>]| {
        all.iter().any(|other| other.root.path != root.path && other.bench.inputs().folders.contains(&root.path))
    };
    let keep: Vec<bool> = proved.iter().map(|traced| !is_base(&traced.root, &proved)).collect();
    let mut keep = keep.into_iter();
    proved.retain(|_| keep.next().unwrap_or(true));
    // A root that says the namespace beats one that leaves it open.
    if proved.iter().any(|traced| traced.reference.namespace.is_some()) {
        proved.retain(|traced| traced.reference.namespace.is_some());
    }
    proved
}

/// The only root, or the chosen one; `None` when there is none.
fn pick<'q>(question: &Question<'q>, mut proved: Vec<Traced<'q>>) -> Option<Result<Traced<'q>, Stop>> {
    if proved.len() < 2 {
        return proved.pop().map(Ok);
    }
    if let Some(at) = question.choose.and_then(|n| n.checked_sub(1)).filter(|at| *at < proved.len()) {
        return Some(Ok(proved.swap_remove(at)));
    }
    let list = proved.iter().enumerate().map(|(n, traced)| format!("{}. {}", n + 1, traced.root.shown())).collect();
    let text = format!("{} folders make {} exactly as it runs", proved.len(), question.intent.object.qualified());
    Some(Err(Refusal::new("ambiguous", text, "choose with --choose N, or --path DIR").with_details(list).into()))
}

/// A cheap look before rendering: some input holds the object's name, or what a prefix, suffix
/// or hash leaves of it. A root whose inputs can't be walked is looked at, so that it is refused by name.
fn mentions(tree: &Tree, root: &Root, object: &ObjectRef) -> bool {
    let name = without_hash(&object.name);
    let (inputs, refused) = Inputs::reach(tree, root);
    let below = || tree.below(&root.path).any(|(path, _)| tree.text(path).is_some_and(|text| text.contains(name)));
    if !refused.is_empty() && below() {
        return true;
    }
    let mut names = vec![name.to_owned()];
    for (_, spec) in &inputs.kustomizations {
        for known in names.clone() {
            let prefix = spec["namePrefix"].as_str().and_then(|prefix| known.strip_prefix(prefix));
            let suffix = spec["nameSuffix"].as_str().and_then(|suffix| known.strip_suffix(suffix));
            let both = prefix.and_then(|rest| rest.strip_suffix(spec["nameSuffix"].as_str()?));
            names.extend([prefix, suffix, both].into_iter().flatten().map(str::to_owned));
        }
        names.truncate(64);
    }
    inputs
        .files
        .keys()
        .filter_map(|path| tree.text(path))
        .any(|text| names.iter().any(|name| text.contains(name.as_str())))
}

/// Renders a root, at the base and then at what may be deployed, until one is what runs.
async fn judge<'q>(question: &Question<'q>, root: &Root, budget: &Budget) -> Result<Verdict<'q>, Stop> {
    let (bench, base, Some(object)) = rendered(question, question.base, root, budget).await? else {
        return Ok(Verdict::Absent);
    };
    let (open, differs, excused) = compare(question, &object);
    let mut proved =
        (open.is_empty() && differs.is_empty()).then(|| (question.base.revision.to_owned(), excused.clone()));
    for candidate in question.deployed.iter().filter(|other| other.revision != question.base.revision) {
        if proved.is_some() {
            break;
        }
        // A revision where the folder does not render is not what runs.
        let Ok((_, _, Some(older))) = rendered(question, *candidate, root, budget).await else { continue };
        let (open, differs, excused) = compare(question, &older);
        if open.is_empty() && differs.is_empty() {
            proved = Some((candidate.revision.to_owned(), excused));
        }
    }
    // Only the field itself differs: `check_targets` says why.
    let (revision, excused) = match proved {
        Some(proved) => proved,
        None if open.is_empty() => (question.base.revision.to_owned(), excused),
        None => {
            let exact = reference(&object).is_some_and(|own| own.namespace == question.intent.object.namespace);
            return Ok(Verdict::Differs(Differs { root: root.clone(), open, exact }));
        }
    };
    let Some(reference) = reference(&object) else { return Ok(Verdict::Absent) };
    let text = format!("`{}` at {} renders the running object", root.shown(), short(&revision));
    let mut trail = vec![Signal { signal: "render".to_owned(), value: text, trust: Trust::Proved }];
    trail.extend(excused.into_iter().map(|value| Signal {
        signal: "other writer".to_owned(),
        value,
        trust: Trust::Proved,
    }));
    let root = root.clone();
    Ok(Verdict::Proved(Box::new(Traced {
        root,
        bench,
        base,
        object,
        reference,
        revision,
        trail,
        review: Vec::new(),
        differs,
    })))
}

async fn rendered<'q>(
    question: &Question<'q>,
    candidate: Candidate<'q>,
    root: &Root,
    budget: &Budget,
) -> Result<(Workbench<'q>, Rendered, Option<Value>), Stop> {
    let bench = Workbench::new(candidate.tree, root, question.tools)?;
    budget.render();
    let objects = bench.render(&Default::default()).await?;
    let found = find(&objects, &question.intent.object).cloned();
    Ok((bench, objects, found))
}

/// The object in a render: by name, else by its name without hash. A render without namespace
/// is applied with `kubectl -n`.
pub(super) fn find<'r>(objects: &'r [Value], wanted: &ObjectRef) -> Option<&'r Value> {
    let fits = |object: &ObjectRef| {
        let namespace = object.namespace.is_none() || object.namespace == wanted.namespace;
        object.group == wanted.group && object.kind == wanted.kind && namespace
    };
    let known: Vec<(ObjectRef, &Value)> = objects
        .iter()
        .filter_map(|value| Some((reference(value)?, value)))
        .filter(|(object, _)| fits(object))
        .collect();
    let stem = without_hash(&wanted.name);
    let by = |name: &dyn Fn(&ObjectRef) -> bool| {
        let mut fitting = known.iter().filter(|(object, _)| name(object));
        fitting
            .clone()
            .find(|(object, _)| object.namespace == wanted.namespace)
            .or_else(|| fitting.next())
            .map(|(_, value)| *value)
    };
    by(&|object| object.name == wanted.name)
        .or_else(|| (stem != wanted.name).then(|| by(&|object| without_hash(&object.name) == stem)).flatten())
}

/// Differences outside and inside the asked fields, and those that another writer explains.
fn compare(question: &Question<'_>, rendered: &Value) -> (Vec<Disagreement>, Vec<Disagreement>, Vec<String>) {
    let targets: Vec<Path> = question.intent.edits.iter().map(|edit| canonical(&edit.path, question.live)).collect();
    let (mut open, mut asked, mut excused) = (Vec::new(), Vec::new(), Vec::new());
    for difference in disagreements(rendered, question.live) {
        let path = canonical(&difference.path, question.live);
        if difference.order {
            open.push(difference);
        } else if targets.iter().any(|target| path.starts_with(target) || target.starts_with(&path)) {
            asked.push(difference);
        } else if let Some(name) = writer(question.live, &path).name() {
            excused.push(format!("{path} was last set by {name}"));
        } else {
            open.push(difference);
        }
    }
    (open, asked, excused)
}

fn not_explained(question: &Question<'_>, differs: &Differs) -> Refusal {
    let Differs { root, open, .. } = differs;
    let templated = |d: &&Disagreement| d.rendered.as_str().is_some_and(|text| text.contains("${"));
    if let Some(template) = open.iter().find(templated) {
        return Refusal::new(
            "templated-line",
            format!("`{}` of `{}` is filled in after rendering", template.path, root.shown()),
            "change the value that feeds it (postBuild.substitute)",
        );
    }
    let fields = crate::text::count(open.len(), "field");
    let verb = if open.len() == 1 { "differs" } else { "differ" };
    let details = open.iter().take(LISTED).map(|difference| {
        let live =
            difference.live.as_ref().map_or_else(|| "absent".to_owned(), |live| shown_at(&difference.path, live));
        format!(
            "{}: {} in Git, {live} in the cluster",
            difference.path,
            shown_at(&difference.path, &difference.rendered)
        )
    });
    Refusal::new(
        "not-explained",
        format!(
            "`{}` at {} does not make {} as it runs ({fields} {verb})",
            root.shown(),
            short(question.base.revision),
            question.intent.object.qualified()
        ),
        "sync first, or name another folder: --path DIR",
    )
    .with_details(details.collect())
}

/// A value on one line, without secrets.
pub(super) fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    crate::text::clip(crate::redact::text(&text).as_str(), 120)
}

/// A value on one line; what stands under the name of a secret is masked.
pub(super) fn shown_at(path: &Path, value: &Value) -> String {
    let secret = path.0.iter().any(|step| match step {
        Step::Field(name) => crate::redact::is_secret_name(name),
        Step::Item { value, .. } => crate::redact::is_secret_name(value),
        Step::Index(_) => false,
    });
    if secret { crate::redact::MASK.to_owned() } else { shown(value) }
}

/// Whether the fields are as Git says, and still need the change.
pub(super) fn check_targets(question: &Question<'_>, traced: &Traced<'_>) -> Result<(), Refusal> {
    let edits = &question.intent.edits;
    let done = |edit: &FieldEdit| {
        let base = edit.path.get(&traced.object);
        match &edit.new {
            Some(new) => base.is_some_and(|base| same_written(&edit.path, base, new)),
            None => base.is_none(),
        }
    };
    if !edits.is_empty() && edits.iter().all(done) {
        return Err(Refusal::new(
            "already-fixed",
            format!(
                "{} already has the wanted value ({}), not deployed yet",
                question.branch,
                short(question.base.revision)
            ),
            "wait for the sync, or sync now",
        ));
    }
    edits.iter().try_for_each(|edit| check_target(question, traced, edit))
}

fn check_target(question: &Question<'_>, traced: &Traced<'_>, edit: &FieldEdit) -> Result<(), Refusal> {
    let path = &edit.path;
    let live = path.get(question.live);
    if edit.op != Op::Add && (live.is_none() || edit.old.as_ref().is_some_and(|old| !same_value(path, old, live))) {
        return Err(Refusal::new(
            "drifted-field",
            format!("{path} no longer has the value that the change starts from"),
            "run it again: the cluster has changed",
        ));
    }
    let by = writer(question.live, &canonical(path, question.live));
    if let Writer::Controller(name) = &by {
        let hint = if *path == Path::of("spec.replicas") {
            "change minReplicas instead"
        } else {
            "change its own object instead"
        };
        return Err(Refusal::new("field-owned-elsewhere", format!("{path} is controlled by {name}, not by Git"), hint));
    }
    let Some(differs) = traced.differs.iter().find(|d| d.path.starts_with(path) || path.starts_with(&d.path)) else {
        return Ok(());
    };
    let message = match by {
        Writer::Hand(name) => format!("{path} was last set by {name}, not by Git"),
        _ => format!("{path} is {} on {}, not what runs", shown_at(path, &differs.rendered), question.branch),
    };
    Err(Refusal::new("drifted-field", message, "sync first, so that Git and the cluster agree"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn config(name: &str, namespace: Option<&str>) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}})
    }

    #[test]
    fn the_object_is_found_by_namespace_name_and_stem() {
        let objects = [
            config("a", Some("dev")),
            config("a", None),
            config("a", Some("prod")),
            config("c-thctc996df", Some("prod")),
        ];
        let at =
            |name| find(&objects, &ObjectRef::new("v1", "ConfigMap", "prod", name)).map(|found| &found["metadata"]);
        assert_eq!(at("a"), Some(&objects[2]["metadata"]));
        assert_eq!(at("c-26b8dfm5tk"), Some(&objects[3]["metadata"]));
        assert_eq!(at("c"), None);
        assert!(find(&objects[..1], &ObjectRef::new("v1", "ConfigMap", "prod", "a")).is_none());
    }
}

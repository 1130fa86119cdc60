//! Whether one folder makes the running object.

use super::locate::candidate::split_image;
use super::locate::choose::{self, Judged};
use super::scaler::sets_replicas;
use super::writers::{Writer, writer};
use super::{Budget, Candidate, Question, Stop, short};
use crate::model::intent::{FieldEdit, Op, unix};
use crate::model::kube::may_be;
use crate::model::object::ObjectRef;
use crate::model::path::{Path, Step};
use crate::model::proposal::{Delta, Signal, Tool, Trust};
use crate::model::refusal::Refusal;
use crate::render::compare::{Disagreement, canonical, disagreements, reference, same_value, same_written};
use crate::render::names::find;
use crate::render::{Rendered, Root, Workbench, fills_in};
use serde_json::Value;

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
    /// Some revision of it is what runs in the asked fields, too.
    pub(super) runs: bool,
}

impl Traced<'_> {
    /// Whether the asked fields are as they run, too.
    pub(super) fn is_as_it_runs(&self) -> bool {
        self.differs.is_empty()
    }

    /// What a difference of renders means. What changes in the objects of the controllers that render the
    /// folder comes with it.
    pub(super) fn judge(&self, edits: &[FieldEdit], all: &[Delta]) -> Judged {
        let controls = || self.root.chain().filter_map(|root| root.control.as_ref());
        let reads = |delta: &&Delta| {
            !delta.object.same_object(&self.reference) && controls().any(|control| control.reads(&delta.object))
        };
        let (said, own): (Vec<&Delta>, Vec<&Delta>) = all.iter().partition(reads);
        let own: Vec<Delta> = own.into_iter().cloned().collect();
        let mut judged = choose::judge(&self.reference, edits, &self.object, &own);
        let reads_too = |other: &&Value| said.iter().any(|delta| fills_in(other, &delta.object));
        let readers = self.base.iter().filter(reads_too).filter_map(reference);
        let others = readers.filter(|other| !controls().any(|control| control.object.same_object(other)));
        judged
            .review
            .extend(others.map(|other| format!("{} fills in the same values and may change too", other.qualified())));
        judged.companions.extend(said.into_iter().cloned());
        judged
    }
}

/// Differing fields that are listed at most.
const LISTED: usize = 5;

/// What one root says about the object.
pub(super) enum Verdict<'t> {
    Proved(Box<Traced<'t>>),
    /// It makes the object, but not as it runs.
    Differs(Box<Differs>),
    Absent,
}

/// How much of the object a root must explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Explains {
    /// Every field: only the render speaks for the root.
    Wholly,
    /// The asked fields, the containers and their images: a controller's object speaks for it, too, and on
    /// real clusters webhooks and restarts change the rest.
    Mostly,
}

/// A root whose object is not as it runs.
pub(super) struct Differs {
    pub(super) root: Root,
    pub(super) open: Vec<Disagreement>,
    /// It says the object's namespace; it does not leave it open.
    pub(super) exact: bool,
}

/// Renders a root, at the base and then at what may be deployed, until one is what runs.
pub(super) async fn judge<'q>(
    question: &Question<'q>,
    root: &Root,
    budget: &Budget,
    explains: Explains,
) -> Result<Verdict<'q>, Stop> {
    let first = rendered(question, question.base, root, budget).await?;
    let (filled, read) = super::filled::fill(question, root, &first.1).await;
    let root = filled.as_ref().unwrap_or(root);
    let first = if filled.is_some() { rendered(question, question.base, root, budget).await? } else { first };
    let (bench, base, Some(object)) = first else { return Ok(Verdict::Absent) };
    let unread = root.control.as_ref().map(|control| control.unread(&base)).unwrap_or_default();
    let (open, differs, excused) = compare(question, &object, &unread);
    let mut proved =
        (open.is_empty() && differs.is_empty()).then(|| (question.base.revision.to_owned(), excused.clone()));
    let mut mostly = None;
    if explains == Explains::Mostly && proved.is_none() && differs.is_empty() && !open.iter().any(is_essential) {
        mostly = Some((question.base.revision.to_owned(), [excused.clone(), drift(&open)].concat()));
    }
    for candidate in question.deployed.iter().filter(|other| other.revision != question.base.revision) {
        if proved.is_some() {
            break;
        }
        // A revision where the folder does not render is not what runs.
        let Ok((_, _, Some(older))) = rendered(question, *candidate, root, budget).await else { continue };
        let (open, differs, excused) = compare(question, &older, &unread);
        if open.is_empty() && differs.is_empty() {
            proved = Some((candidate.revision.to_owned(), excused));
        } else if explains == Explains::Mostly
            && mostly.is_none()
            && differs.is_empty()
            && !open.iter().any(is_essential)
        {
            mostly = Some((candidate.revision.to_owned(), [excused, drift(&open)].concat()));
        }
    }
    let wholly = proved.is_some();
    let runs = wholly || mostly.is_some();
    // Only the field itself differs: `check_targets` says why.
    let (revision, excused) = match proved.or(mostly) {
        Some(proved) => proved,
        None if open.is_empty() => (question.base.revision.to_owned(), excused),
        None => {
            let exact = reference(&object).is_some_and(|own| own.namespace == question.intent.object.namespace);
            return Ok(Verdict::Differs(Box::new(Differs { root: root.clone(), open, exact })));
        }
    };
    let Some(reference) = reference(&object) else { return Ok(Verdict::Absent) };
    let what = if wholly || open.is_empty() { "the running object" } else { "the running object but for what follows" };
    let named = root.control.as_ref().and_then(|_| {
        let found = question.found.lead.as_ref()?.revisions.iter().find(|(id, _)| *id == revision)?;
        Some(format!(" ({})", found.1.words()))
    });
    let text = format!("`{}` at {}{} renders {what}", root.shown(), short(&revision), named.unwrap_or_default());
    let mut trail = vec![Signal { signal: "render".to_owned(), value: text, trust: Trust::Proved }];
    trail.extend(super::releases::signal(root));
    trail.extend(read);
    trail.extend(excused);
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
        runs,
    })))
}

async fn rendered<'q>(
    question: &Question<'q>,
    candidate: Candidate<'q>,
    root: &Root,
    budget: &Budget,
) -> Result<(Workbench<'q>, Rendered, Option<Value>), Stop> {
    budget.time()?;
    let bench = Workbench::new(candidate.tree, root, question.tools)?;
    budget.render();
    let objects = bench.render(&Default::default()).await?;
    let found = find(&objects, &question.intent.object).cloned();
    Ok((bench, objects, found))
}

/// Differences outside and inside the asked fields, and those that another writer explains.
/// `unread`: where values are that a controller fills in and that can't be read.
fn compare(
    question: &Question<'_>,
    rendered: &Value,
    unread: &[String],
) -> (Vec<Disagreement>, Vec<Disagreement>, Vec<Signal>) {
    let targets: Vec<Path> = question.intent.edits.iter().map(|edit| canonical(&edit.path, question.live)).collect();
    let (mut open, mut asked, mut excused) = (Vec::new(), Vec::new(), Vec::new());
    let is_map = question.intent.object.kind == "ConfigMap";
    for difference in disagreements(rendered, question.live) {
        let path = canonical(&difference.path, question.live);
        if is_map && may_be(&path, &difference.rendered, question.live) {
            continue;
        }
        if difference.order {
            open.push(difference);
        } else if targets.iter().any(|target| path.starts_with(target) || target.starts_with(&path)) {
            asked.push(difference);
        } else if !unread.is_empty() && is_open(&difference) {
            excused.push(told("filled in", format!("{path} is filled in from {}", crate::text::and(unread))));
        } else if let Some(name) = writer(question.live, &path).name() {
            excused.push(told("other writer", format!("{path} was last set by {name}")));
        } else {
            open.push(difference);
        }
    }
    (open, asked, excused)
}

/// What holds a place for a value.
fn is_open(difference: &Disagreement) -> bool {
    difference.rendered.as_str().is_some_and(|text| text.contains("${"))
}

/// A container that is not the same one: another name, or an image of another repository.
fn is_essential(difference: &Disagreement) -> bool {
    let mut steps = difference.path.0.iter().rev();
    let (Some(Step::Field(last)), Some(Step::Item { .. }), Some(Step::Field(list))) =
        (steps.next(), steps.next(), steps.next())
    else {
        return difference.order;
    };
    if list != "containers" && list != "initContainers" {
        return difference.order;
    }
    let repository = |value: Option<&Value>| value.and_then(Value::as_str).map(|image| split_image(image).0.to_owned());
    last == "name" || last == "image" && repository(Some(&difference.rendered)) != repository(difference.live.as_ref())
}

/// Differences that are only told.
fn drift(open: &[Disagreement]) -> Vec<Signal> {
    let told =
        |one: &Disagreement| told("drift", format!("{} is {} in Git", one.path, shown_at(&one.path, &one.rendered)));
    open.iter().take(LISTED).map(told).collect()
}

fn told(signal: &str, value: String) -> Signal {
    Signal { signal: signal.to_owned(), value, trust: Trust::Proved }
}

pub(super) fn not_explained(question: &Question<'_>, differs: &Differs) -> Refusal {
    let Differs { root, open, .. } = differs;
    if let Some(template) = open.iter().find(|one| is_open(one)) {
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
        match root.tool {
            Tool::Helm => "sync first, or name the chart and its values: --path CHART --values FILE",
            Tool::Plain | Tool::Kustomize => "sync first, or name another folder: --path DIR",
        },
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
    if secret { crate::redact::masked(value).as_str().unwrap_or_default().to_owned() } else { shown(value) }
}

/// Whether the fields are as Git says, and still need the change.
pub(super) fn check_targets(question: &Question<'_>, traced: &Traced<'_>) -> Result<(), Refusal> {
    let edits = &question.intent.edits;
    let done = |edit: &FieldEdit| {
        let base = edit.path.get(&traced.object);
        match (edit.op, &edit.new) {
            (Op::Lf, _) => base.and_then(Value::as_str).is_some_and(|text| unix(text).is_none()),
            (_, Some(new)) => base.is_some_and(|base| same_written(&edit.path, base, new)),
            (_, None) => base.is_none(),
        }
    };
    if !edits.is_empty() && edits.iter().all(done) {
        let hand = edits.iter().find_map(|edit| match writer(question.live, &canonical(&edit.path, question.live)) {
            Writer::Hand(name) => Some((&edit.path, name)),
            _ => None,
        });
        if let Some((path, name)) = hand {
            let message = format!("{path} was last set by {name}; {} has the wanted value", question.branch);
            return Err(Refusal::new("drifted-field", message, "sync now, so that Git and the cluster agree"));
        }
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
    let refused = |who: &str, hint: String| {
        Err(Refusal::new("field-owned-elsewhere", format!("{path} is controlled by {who}, not by Git"), hint))
    };
    if let Some(scaler) = question.found.scaler.as_ref().filter(|_| *path == Path::of("spec.replicas")) {
        // What Git no longer says is the autoscaler's alone.
        return if sets_replicas(edit) { refused(&scaler.object.qualified(), scaler.hint()) } else { Ok(()) };
    }
    if let Writer::Controller(name) = &by {
        let is_count = *path == Path::of("spec.replicas");
        return refused(name, format!("change {} instead", if is_count { "minReplicas" } else { "its own object" }));
    }
    let Some(differs) = traced.differs.iter().find(|d| d.path.starts_with(path) || path.starts_with(&d.path)) else {
        return Ok(());
    };
    if is_open(differs) {
        let unread = traced.root.control.as_ref().map(|control| control.unread(&traced.base)).unwrap_or_default();
        let (from, hint) = match unread.as_slice() {
            [] => (String::new(), "change the value that feeds it (postBuild)".to_owned()),
            all => {
                let all = crate::text::and(all);
                (format!(" from {all}, which is not in this repository"), format!("change it in {all}"))
            }
        };
        let text = format!("{path} of `{}` is filled in after rendering{from}", traced.root.shown());
        return Err(Refusal::new("templated-line", text, hint));
    }
    let message = match by {
        Writer::Hand(name) => format!("{path} was last set by {name}, not by Git"),
        _ => format!("{path} is {} on {}, not what runs", shown_at(path, &differs.rendered), question.branch),
    };
    Err(Refusal::new("drifted-field", message, "sync first, so that Git and the cluster agree"))
}

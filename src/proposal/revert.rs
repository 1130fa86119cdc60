//! A revert as a proposal.

use super::{Ground, allowed, branch, live, still_open};
use crate::error::Error;
use crate::model::finding::Finding;
use crate::model::intent::{Author, Disposition, FieldEdit, Intent, Op};
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::proposal::{Delta, Proposal};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::model::verdict::Evaluation;
use crate::source::{self, Ask, Candidate, Failing, Question, Reverted, Stop};
use serde_json::Value;

/// Finds and undoes the commit that broke what the finding is about.
pub(super) async fn find(finding: &Finding, ground: &Ground<'_>) -> Result<Result<Proposal, Refusal>, Error> {
    let broken = match Broken::of(finding, ground) {
        Ok(broken) => broken,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let object = broken.object(finding, ground.snapshot);
    let live = match broken {
        Broken::Runs => match live(&object, ground.snapshot) {
            Ok(live) => live,
            Err(refusal) => return Ok(Err(refusal)),
        },
        _ => Value::Null,
    };
    let mut intent = intent(finding, &object);
    let deployed: Vec<Candidate<'_>> =
        ground.deployed.iter().map(|(revision, tree)| Candidate { revision, tree }).collect();
    let found = match broken {
        Broken::Runs => source::lead::find(ground.snapshot, &object).unwrap_or_default(),
        _ => source::lead::of_controller(ground.snapshot, &finding.object).unwrap_or_default(),
    };
    if let Some(lead) = found.lead.as_ref().filter(|_| ground.path.is_none())
        && let Err(refusal) = lead.check(ground.repo_identity, ground.base_branch, ground.based)
    {
        return Ok(Err(refusal));
    }
    let question = Question {
        base: Candidate { revision: ground.base, tree: ground.base_tree },
        deployed: &deployed,
        path: ground.path.or(broken.path()),
        values: ground.values,
        found: &found,
        live: &live,
        intent: &intent,
        fields: ground.fields,
        maps: ground.maps,
        choose: ground.choose.first().copied(),
        allow_shared: true,
        repo: ground.repo,
        branch: ground.base_branch,
        tools: ground.tools,
    };
    let ask = Ask { question, failing: broken.failing(finding), history: ground.history };
    let Reverted { located, commit } = match source::revert(&ask).await {
        Ok(reverted) => reverted,
        Err(Stop::Refused(refusal)) => return Ok(Err(refusal)),
        Err(Stop::Failed(error)) => return Err(error),
    };
    let branch = branch(finding, &intent.object, &located, &commit.id, ground);
    if let Some(refusal) = still_open(&object, ground.branches, ground.reopen.then_some(&*branch)) {
        return Ok(Err(refusal));
    }
    intent.subject = format!("Revert \"{}\"", commit.subject);
    intent.why = format!("Commit {} {}", commit.shown(), broken.blame());
    intent.edits = located.proof.delta.iter().map(edit).collect();
    intent.review.clone_from(&located.review);
    let controller = ground.snapshot.seen(&object);
    let next = match (&broken, controller) {
        (_, None) => Default::default(),
        (Broken::Runs, Some(object)) => source::next(ground.snapshot, &object, &intent.edits, ground.base_branch),
        (_, Some(controller)) => source::next_by(ground.snapshot, &controller, ground.base_branch),
    };
    let proposal = Proposal {
        finding: finding.clone(),
        asked: None,
        lessons: Vec::new(),
        disposition: Disposition::Review,
        branch,
        intent,
        origin: located.origin,
        edits: located.edits,
        files: located.files,
        objects: located.objects,
        proof: located.proof,
        next,
        reverts: Some(commit),
        evaluation: Evaluation::default(),
    };
    Ok(allowed(proposal, ground).await)
}

/// What is broken, and where a controller says it comes from.
enum Broken {
    Runs,
    Builds { path: Option<String> },
    Applies { path: Option<String>, object: ObjectRef, applied: Option<String> },
}

impl Broken {
    fn of(finding: &Finding, ground: &Ground<'_>) -> Result<Self, Refusal> {
        let object = &finding.object;
        let pointer = match (object.kind.as_str(), object.group.as_str()) {
            ("Kustomization", "kustomize.toolkit.fluxcd.io") => "/spec/path",
            ("Application", "argoproj.io") => "/spec/source/path",
            ("HelmRelease", "helm.toolkit.fluxcd.io") if !finding.evidence.iter().any(|item| of_render(&item.text)) => {
                return Err(Refusal::new(
                    "no-commit",
                    format!("Helm does not say of {} that its chart fails to render", object.qualified()),
                    "name the object that fails: aifix scan",
                ));
            }
            // The chart and its values: the folder alone would render with other values.
            ("HelmRelease", "helm.toolkit.fluxcd.io") => return Ok(Self::Builds { path: None }),
            _ => return Ok(Self::Runs),
        };
        let controller = ground.snapshot.resolve(object);
        let path = controller.map(|one| one.text(pointer)).filter(|path| !path.is_empty()).map(str::to_owned);
        if let Some(refused) = refused_object(&finding.facts) {
            return Ok(Self::Applies { path, object: refused, applied: controller.and_then(applied) });
        }
        match finding.code.name() {
            "flux-build-failed" | "flux-path-missing" | "argocd-comparison-error" => Ok(Self::Builds { path }),
            code => Err(Refusal::new(
                "no-commit",
                format!("{code} of {} is not told by what its folder renders to", object.qualified()),
                "name the object that fails: aifix scan",
            )),
        }
    }

    /// What a commit changed: the object that fails, or the ConfigMap that it fails over while its own template is
    /// as it was.
    fn object(&self, finding: &Finding, snapshot: &Snapshot) -> ObjectRef {
        let name = finding.facts.get("configMap").and_then(Value::as_str);
        let own = name.filter(|_| matches!(self, Self::Runs) && finding.change.is_none());
        let map = own.map(|name| ObjectRef::new("v1", "ConfigMap", finding.object.namespace(), name));
        map.filter(|map| snapshot.seen(map).is_some()).unwrap_or_else(|| finding.object.clone())
    }

    fn path(&self) -> Option<&str> {
        match self {
            Self::Runs => None,
            Self::Builds { path } | Self::Applies { path, .. } => path.as_deref(),
        }
    }

    fn failing<'f>(&'f self, finding: &'f Finding) -> Failing<'f> {
        match self {
            Self::Runs => Failing::Runs { change: finding.change.as_ref() },
            Self::Builds { .. } => Failing::Builds,
            Self::Applies { object, applied, .. } => Failing::Applies { object, applied: applied.as_deref() },
        }
    }

    fn blame(&self) -> String {
        match self {
            Self::Runs => "is the one that changed it since it worked".to_owned(),
            Self::Builds { .. } => "is the one since which the folder does not build".to_owned(),
            Self::Applies { object, .. } => {
                format!("is the one that changed {} since it was last applied", object.qualified())
            }
        }
    }
}

/// Whether words of Helm are of a chart that does not render, or of values that it does not take.
fn of_render(said: &str) -> bool {
    const SAID: [&str; 6] = [
        "template:",
        // Of helm-controller: its post renderers read the rendered manifests.
        "error while running post render",
        "parse error",
        "execution error at",
        "error converting YAML",
        "don't meet the specifications of the schema",
    ];
    SAID.iter().any(|words| said.contains(words))
}

/// The object that the API refused, as a controller's message names it: kind, namespace and name.
fn refused_object(facts: &Value) -> Option<ObjectRef> {
    let (kind, name) = facts["object"].as_str()?.split_once('/')?;
    Some(ObjectRef::new("", kind, facts["namespace"].as_str().unwrap_or_default(), name))
}

/// The commit of `main@sha1:3f2a91c...`, or of a finished sync.
fn applied(controller: &Object) -> Option<String> {
    let last = controller.at("/status/history").and_then(Value::as_array).and_then(|all| all.last());
    let synced = last.and_then(|last| last["revision"].as_str());
    let text = Some(controller.text("/status/lastAppliedRevision")).filter(|text| !text.is_empty()).or(synced)?;
    text.rsplit(':').next().map(str::to_owned)
}

fn intent(finding: &Finding, object: &ObjectRef) -> Intent {
    Intent {
        object: object.clone(),
        edits: Vec::new(),
        subject: String::new(),
        why: String::new(),
        evidence: finding.evidence.iter().map(|item| item.id).collect(),
        author: Author::Rule,
        disposition: Disposition::Review,
        review: Vec::new(),
    }
}

fn edit(delta: &Delta) -> FieldEdit {
    let op = match (&delta.old, &delta.new) {
        (None, _) => Op::Add,
        (_, None) => Op::Remove,
        _ => Op::Set,
    };
    FieldEdit { path: delta.path.clone(), op, old: delta.old.clone(), new: delta.new.clone() }
}

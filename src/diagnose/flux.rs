//! Flux: sources, Kustomizations and HelmReleases that fail.

use super::observe::{Observation, key, named};
use super::row::rows;
use super::statefulset::{IMMUTABLE, STS_TEMPLATE_IMMUTABLE};
use super::view::{Settled, View};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Severity, Source};
use crate::model::kube::{Condition, Object};
use crate::model::path::Path;
use crate::text;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

rows! { "delivery";
FLUX_SOURCE_FAILED "flux-source-failed" Rule:
    "Flux can't fetch a source";
    "The repository, bucket or chart index can't be read, so nothing new is delivered from it.";
    "GitRepository, OCIRepository, HelmRepository or Bucket with Ready=False or FetchFailed=True; a source that is \
     not there.";
    "A branch that does not exist, a credential that expired, a URL that changed, a signature that does not verify.";
    "When exactly one branch of the repository differs by a typo, it is set for a person to review. Otherwise the \
     credential or URL is what to change, which is not done by rule.".
FLUX_SOURCE_STALE "flux-source-stale" None:
    "Flux has fetched a revision and not applied it";
    "The source is newer than what runs for more than two intervals, and no error says why.";
    "status.artifact.revision of the source against status.lastAppliedRevision.";
    "A controller that is down, a queue that is long.";
    "Look at the controllers, not at Git: `flux check` and `flux logs --level=error`.".
FLUX_PATH_MISSING "flux-path-missing" Rule:
    "the path of a Kustomization does not exist in its source";
    "Flux fetched the repository and finds no such directory in it.";
    "Kustomization Ready=False, reason ArtifactFailed, with `kustomization path not found`.";
    "A directory that was moved, a mistyped path.";
    "When exactly one directory of the repository differs by a typo, it is set for a person to review.".
FLUX_BUILD_FAILED "flux-build-failed" Model:
    "Flux can't build the manifests of a Kustomization";
    "kustomize fails on the files in Git, so nothing of this Kustomization is applied.";
    "Kustomization Ready=False, reason BuildFailed; the message names file and error.";
    "A file that is missing or does not parse, a patch without a target.";
    "Needs judgement: the file is known, the right content is not.".
FLUX_APPLY_FAILED "flux-apply-failed" Model:
    "the API refuses what Flux applies";
    "The manifests build, and the API says no to one of them, so the whole Kustomization stays as it was.";
    "Kustomization Ready=False, reason ReconciliationFailed, with `dry-run failed` and the API's error.";
    "A field that does not exist, an immutable field, a kind that is not served, a namespace that is missing.";
    "What the API refuses never ran, so there is no live field to change: the message names what to correct in Git, or \
     the commit that brought it is taken back (--revert).".
FLUX_HEALTH_FAILED "flux-health-failed" None:
    "what Flux applied does not become healthy";
    "Flux waited for its workloads and gave up. The manifests themselves were applied.";
    "Kustomization Ready=False, reason HealthCheckFailed, with the list of objects.";
    "What keeps those workloads from being ready.";
    "An effect: the workloads' own fault is what to fix.".
FLUX_PRUNE_FAILED "flux-prune-failed" None:
    "Flux can't delete what was removed from Git";
    "Objects that are no longer in Git are still there.";
    "Kustomization Ready=False, reason PruneFailed.";
    "A finalizer, a webhook, a missing right to delete.";
    "Look what keeps the object: `kubectl get KIND NAME -o yaml` names its finalizers.".
FLUX_DEPENDENCY_NOT_READY "flux-dependency-not-ready" None:
    "Flux waits for another object of its own";
    "dependsOn names one that is not ready, so this one is not applied.";
    "Ready=False, reason DependencyNotReady.";
    "What is wrong with the dependency, which is the root above this effect.";
    "An effect: the dependency's fault is what to fix.".
FLUX_SUSPENDED "flux-suspended" None:
    "Flux is told to leave this alone";
    "A change in Git, a fix included, does not arrive until it is resumed.";
    "spec.suspend of the Flux object is true.";
    "Maintenance, a change by hand that must not be undone.";
    "By intent: `flux resume` when a fix is to arrive.".
HELMRELEASE_FAILED "helmrelease-failed" Model:
    "Flux can't install or upgrade a Helm release";
    "Helm failed: the chart does not render, the API refuses it, or its workloads did not become ready in time.";
    "HelmRelease Ready=False or Released=False: InstallFailed, UpgradeFailed, TestFailed, RetriesExceeded, a rollback.";
    "Values that the chart does not take, an error in a template, workloads that fail.";
    "An effect when it timed out waiting for workloads. Otherwise it needs judgement.".
HELMRELEASE_CHART_MISSING "helmrelease-chart-missing" Rule:
    "the chart of a Helm release is not found";
    "No version of the chart fits the constraint, or the chart is not in the repository.";
    "HelmChart or HelmRelease with `no chart version found`, ArtifactFailed or SourceNotReady.";
    "A version that was withdrawn or never published, a mistyped chart name.";
    "Puts back the version of the last good revision in Git. Otherwise a person chooses.".
HELMRELEASE_VALUES_MISSING "helmrelease-values-missing" Rule:
    "the values of a Helm release are not found";
    "valuesFrom names a ConfigMap, Secret or key that does not exist.";
    "HelmRelease Ready=False with `could not find ConfigMap` or `Secret`, or a missing values key.";
    "A mistyped name, an object that was not applied.";
    "As for a missing ConfigMap: the only one that differs by a typo is set for a person to review.".
IMAGE_AUTOMATION_STUCK "image-automation-stuck" Model:
    "Flux does not follow new image tags";
    "The policy finds no tag, or the automation can't push.";
    "ImagePolicy or ImageUpdateAutomation with Ready=False.";
    "A pattern that no tag matches, a credential, a protected branch.";
    "Worth knowing; it needs judgement.".
CONFIG_IMMUTABLE "config-immutable" Ask:
    "an immutable ConfigMap or Secret was changed in Git";
    "The API refuses to change the data of an immutable object, so the delivery stops.";
    "a delivery tool reports `field is immutable when immutable is set`.";
    "A change of the data without a new name.";
    "A person chooses a new name for it in Git, and names that one where it is used, so that its users roll \
     over; those are listed.".
CONFIG_TOO_LARGE "config-too-large" Ask:
    "a ConfigMap or Secret is larger than the API takes";
    "The API refuses an object of more than about one mebibyte, so the newest version of it is not applied.";
    "a delivery tool reports `Too long: must have at most 1048576 bytes`.";
    "Data files or generated content in a ConfigMap.";
    "A person chooses: split it, or bring the data in another way, such as an image or a volume.".
}

static APPLY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?s)^([A-Z]\w*)/(?:([^/\s]+)/)?(\S+) (?:dry-run failed|not found|apply failed)(?: \(\w+\))?: (.+)$")
        .ok()
});
static UNKNOWN_FIELD: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?:(\.\S+): field not declared in schema|unknown field "([^"]+)")"#).ok());
static WAITING: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"([A-Z]\w*)/([^/\s\[]+)/(\S+) status:").ok());
static DEPENDENCY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"dependency '([^'/]+)/([^']+)'").ok());
static NO_PATH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"/kustomization-\d+/(\S+?):").ok());
static REF: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"remote ref "refs/(?:heads|tags)/([^"]+)""#).ok());

const SOURCES: [&str; 4] = ["GitRepository", "OCIRepository", "HelmRepository", "Bucket"];

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for object in SOURCES.iter().flat_map(|kind| view.snapshot.kind(kind)) {
        out.extend(suspended(object).or_else(|| source(object)));
    }
    for object in view.snapshot.kind("HelmChart") {
        out.extend(ready(object).map(|c| base(&HELMRELEASE_CHART_MISSING, object, &c, said(object, &c))));
    }
    for object in view.snapshot.kind("Kustomization").iter().filter(|one| one.api_version.contains("toolkit.fluxcd.io"))
    {
        let failing = ready(object).map(|condition| kustomization(view, object, &condition));
        out.extend(suspended(object).or(failing).or_else(|| stale(view, object)));
    }
    for object in view.snapshot.kind("HelmRelease") {
        let failing = ready(object).map(|condition| release(view, object, &condition));
        out.extend(suspended(object).or(failing));
    }
    for object in ["ImagePolicy", "ImageUpdateAutomation"].into_iter().flat_map(|kind| view.snapshot.kind(kind)) {
        out.extend(ready(object).map(|condition| {
            let mut seen = base(&IMAGE_AUTOMATION_STUCK, object, &condition, said(object, &condition));
            seen.severity = Some(Severity::Info);
            seen
        }));
    }
    out
}

/// The condition that says that it failed; `Unknown` is in progress.
fn ready(object: &Object) -> Option<Condition> {
    let conditions = object.conditions();
    let of = |kind: &str, status: &str| conditions.iter().find(|c| c.kind == kind && c.status == status).cloned();
    of("Ready", "False").or_else(|| of("FetchFailed", "True")).or_else(|| of("Released", "False"))
}

fn said(object: &Object, condition: &Condition) -> String {
    let first = condition.message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or(&condition.reason);
    format!("{} {}: {}", object.kind, object.metadata.name, text::clip(first, 180))
}

fn base(code: &'static CodeInfo, object: &Object, condition: &Condition, summary: String) -> Observation {
    let mut seen = Observation::of_object(code, object.object());
    seen.summary = summary;
    // What runs goes on: nothing new arrives.
    seen.severity = Some(Severity::Warning);
    seen.since = condition.last_transition_time.0.or(object.metadata.creation_timestamp);
    let text = format!("{}={}: {}: {}", condition.kind, condition.status, condition.reason, condition.message);
    seen.show(Source::Status, condition.last_transition_time.0, &text, None);
    let (applied, attempted) =
        (object.text("/status/lastAppliedRevision"), object.text("/status/lastAttemptedRevision"));
    for (name, revision) in [("applied", applied), ("attempted", attempted)] {
        if !revision.is_empty() {
            seen.fact(name, revision);
        }
    }
    if attempted != applied {
        let before = if applied.is_empty() { "nothing" } else { applied };
        seen.show(Source::Status, None, &format!("attempted {attempted}, last applied {before}"), None);
    }
    seen.fact("reason", condition.reason.as_str());
    seen.follows.extend(source_of(object));
    seen
}

/// Key of the source that an object is delivered from.
fn source_of(object: &Object) -> Option<String> {
    let own = &object.metadata.namespace;
    for pointer in ["/spec/sourceRef", "/spec/chart/spec/sourceRef", "/spec/chartRef"] {
        let text = |field: &str| object.text(&format!("{pointer}/{field}")).to_owned();
        if !text("name").is_empty() {
            let namespace = if text("namespace").is_empty() { own.clone() } else { text("namespace") };
            return Some(named(&text("kind"), &namespace, &text("name")));
        }
    }
    None
}

fn suspended(object: &Object) -> Option<Observation> {
    let is = object.at("/spec/suspend").and_then(Value::as_bool) == Some(true);
    is.then(|| {
        let mut seen = Observation::of_object(&FLUX_SUSPENDED, object.object());
        seen.summary =
            format!("{} {} is suspended: a change in Git does not arrive", object.kind, object.metadata.name);
        seen.severity = Some(Severity::Info);
        seen.show(Source::Spec, None, "suspend: true", Some(Path::of("spec.suspend")));
        seen
    })
}

fn source(object: &Object) -> Option<Observation> {
    let condition = ready(object)?;
    let mut seen = base(&FLUX_SOURCE_FAILED, object, &condition, said(object, &condition));
    let url = object.text("/spec/url");
    if let Some(name) = REF.as_ref().and_then(|shape| shape.captures(&condition.message)) {
        let name = name[1].to_owned();
        seen.summary = format!("{} {}: branch or tag {name} does not exist", object.kind, object.metadata.name);
        let field = if object.text("/spec/ref/tag").is_empty() { "branch" } else { "tag" };
        seen.show(Source::Spec, None, &format!("{field}: {name}"), Some(Path::of("spec.ref").field(field)));
        seen.fact("ref", name);
    } else {
        seen.class = FixClass::None;
    }
    seen.show(Source::Spec, None, &format!("url: {url}"), Some(Path::of("spec.url")));
    Some(seen)
}

fn kustomization(view: &View<'_>, object: &Object, condition: &Condition) -> Observation {
    let message = condition.message.trim();
    let own = format!("Kustomization {}", object.metadata.name);
    match condition.reason.as_str() {
        "ArtifactFailed" if message.contains("path not found") => {
            let wanted = object.text("/spec/path");
            let found = NO_PATH.as_ref().and_then(|shape| Some(shape.captures(message)?[1].to_owned()));
            let shown = found.unwrap_or_else(|| wanted.to_owned());
            let mut seen =
                base(&FLUX_PATH_MISSING, object, condition, format!("{own}: path {shown} is not in its source"));
            seen.show(Source::Spec, None, &format!("path: {wanted}"), Some(Path::of("spec.path")));
            seen.fact("path", wanted);
            seen
        }
        "ArtifactFailed" => {
            let mut seen = base(&FLUX_SOURCE_FAILED, object, condition, said(object, condition));
            seen.class = FixClass::None;
            let name = object.text("/spec/sourceRef/name");
            seen.show(Source::Spec, None, &format!("sourceRef: {name}"), Some(Path::of("spec.sourceRef.name")));
            seen
        }
        "BuildFailed" => base(&FLUX_BUILD_FAILED, object, condition, said(object, condition)),
        "HealthCheckFailed" => {
            let waits = waiting(message);
            let names: Vec<String> = waits.iter().map(|(kind, _, name)| format!("{kind} {name}")).collect();
            let mut seen =
                base(&FLUX_HEALTH_FAILED, object, condition, format!("{own} waited in vain for {}", text::and(&names)));
            seen.follows.extend(waits.iter().map(|(kind, namespace, name)| named(kind, namespace, name)));
            seen
        }
        "PruneFailed" => base(&FLUX_PRUNE_FAILED, object, condition, said(object, condition)),
        "DependencyNotReady" => dependency(object, condition),
        _ => apply(view, object, condition),
    }
}

/// Objects that a health check waited for: kind, namespace, name.
fn waiting(message: &str) -> Vec<(String, String, String)> {
    let all = WAITING.iter().flat_map(|shape| shape.captures_iter(message));
    let mut out: Vec<_> = all.map(|found| (found[1].to_owned(), found[2].to_owned(), found[3].to_owned())).collect();
    out.sort();
    out.dedup();
    out
}

fn dependency(object: &Object, condition: &Condition) -> Observation {
    let mut seen = base(&FLUX_DEPENDENCY_NOT_READY, object, condition, said(object, condition));
    if let Some(found) = DEPENDENCY.as_ref().and_then(|shape| shape.captures(&condition.message)) {
        seen.summary = format!("{} {} waits for {}/{}", object.kind, object.metadata.name, &found[1], &found[2]);
        seen.follows.push(named(&object.kind, &found[1], &found[2]));
    }
    seen
}

fn apply(view: &View<'_>, object: &Object, condition: &Condition) -> Observation {
    let message = condition.message.trim();
    let found = APPLY.as_ref().and_then(|shape| shape.captures(message));
    let (target, why) = match &found {
        Some(found) => (
            Some((found[1].to_owned(), found.get(2).map_or("", |ns| ns.as_str()).to_owned(), found[3].to_owned())),
            found[4].trim().to_owned(),
        ),
        None => (None, message.to_owned()),
    };
    let code = refusal_code(&why);
    let what = target.as_ref().map_or_else(|| "what it applies".to_owned(), |(kind, _, name)| format!("{kind} {name}"));
    let summary = format!(
        "the API refuses {what} of Kustomization {}: {}",
        object.metadata.name,
        text::clip(why.lines().next().unwrap_or_default(), 160)
    );
    let mut seen = base(code, object, condition, summary);
    let unknown = UNKNOWN_FIELD.as_ref().and_then(|shape| shape.captures(&why));
    if let Some(field) = unknown.as_ref().and_then(|found| found.get(1).or(found.get(2))) {
        seen.fact("unknownField", field.as_str().trim_start_matches('.'));
    } else if code.name == FLUX_APPLY_FAILED.name {
        seen.class = FixClass::Model;
    }
    if let Some((kind, namespace, name)) = target {
        if let Some(live) = view.snapshot.find(&kind, &namespace, &name) {
            seen.show(Source::Status, None, &format!("{} is live as it was before", live.object()), None);
        }
        seen.fact("object", format!("{kind}/{name}"));
        seen.fact("namespace", namespace);
    }
    seen
}

/// Refusals that have a code of their own.
pub(crate) fn refusal_code(why: &str) -> &'static CodeInfo {
    if why.contains(IMMUTABLE) {
        &STS_TEMPLATE_IMMUTABLE
    } else if why.contains("field is immutable when `immutable` is set")
        || why.contains("field is immutable when immutable is set")
    {
        &CONFIG_IMMUTABLE
    } else if why.contains("Too long: must have at most 1048576") {
        &CONFIG_TOO_LARGE
    } else {
        &FLUX_APPLY_FAILED
    }
}

/// A source that is newer than what runs, for longer than two intervals.
fn stale(view: &View<'_>, object: &Object) -> Option<Observation> {
    let wanted = source_of(object)?;
    let source = SOURCES.iter().flat_map(|kind| view.snapshot.kind(kind)).find(|one| key(&one.object()) == wanted)?;
    let (there, applied) = (source.text("/status/artifact/revision"), object.text("/status/lastAppliedRevision"));
    let fetched: jiff::Timestamp = source.text("/status/artifact/lastUpdateTime").parse().ok()?;
    let interval = seconds(object.text("/spec/interval")).max(30);
    let late = view.settled(Some(fetched), 2 * interval) == Settled::Yes;
    (there != applied && !there.is_empty() && !applied.is_empty() && late).then(|| {
        let mut seen = Observation::of_object(&FLUX_SOURCE_STALE, object.object());
        seen.summary = format!("Kustomization {} runs {applied}, its source has {there}", object.metadata.name);
        seen.severity = Some(Severity::Warning);
        seen.since = Some(fetched);
        seen.show(Source::Status, Some(fetched), &format!("artifact {there}, applied {applied}"), None);
        seen
    })
}

/// Seconds of `1h30m`, `10s`.
fn seconds(text: &str) -> i64 {
    let (mut sum, mut number) = (0, 0);
    for c in text.chars() {
        match c {
            '0'..='9' => number = number * 10 + i64::from(u32::from(c) - u32::from('0')),
            'h' => (sum, number) = (sum + number * 3600, 0),
            'm' => (sum, number) = (sum + number * 60, 0),
            's' => (sum, number) = (sum + number, 0),
            _ => {}
        }
    }
    sum
}

fn release(view: &View<'_>, object: &Object, condition: &Condition) -> Observation {
    let message = condition.message.as_str();
    let own = &object.metadata;
    let chart =
        object.text("/status/helmChart").split_once('/').map(|(namespace, name)| named("HelmChart", namespace, name));
    if condition.reason == "DependencyNotReady" {
        return dependency(object, condition);
    }
    let missing_values = message.contains("could not find ConfigMap")
        || message.contains("could not find Secret")
        || condition.reason == "ValuesError"
        || message.contains("missing key");
    let no_chart = message.contains("no chart version found")
        || message.contains("HelmChart '")
        || matches!(condition.reason.as_str(), "ArtifactFailed" | "SourceNotReady");
    let code = if missing_values {
        &HELMRELEASE_VALUES_MISSING
    } else if no_chart {
        &HELMRELEASE_CHART_MISSING
    } else {
        &HELMRELEASE_FAILED
    };
    let mut seen = base(code, object, condition, said(object, condition));
    seen.follows.extend(chart);
    let timed_out =
        message.contains("timed out waiting for the condition") || message.contains("context deadline exceeded");
    if timed_out && code.name == HELMRELEASE_FAILED.name {
        // What it waits for carries its name; the label is Flux's own reference.
        let target = match object.text("/spec/targetNamespace") {
            "" => own.namespace.clone(),
            namespace => namespace.to_owned(),
        };
        let of_release = view.workloads.iter().filter(|workload| {
            let labels = workload.source.map(|source| &source.metadata.labels);
            labels.and_then(|labels| labels.get("helm.toolkit.fluxcd.io/name")) == Some(&own.name)
                || (workload.top.namespace() == target
                    && workload.source.is_some_and(|source| {
                        source
                            .metadata
                            .annotations
                            .get("meta.helm.sh/release-name")
                            .is_some_and(|name| *name == own.name)
                    }))
        });
        seen.follows.extend(of_release.map(|workload| workload.key.clone()));
        seen.class = FixClass::None;
    }
    seen
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "`json!` makes values")]
#[path = "flux_tests.rs"]
mod tests;

//! What the delivery tools can't fetch, build or apply.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::refusal;
use crate::model::intent::Intent;
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::text::shell_word;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("flux-source-failed", source),
    ("flux-path-missing", flux_path),
    ("argocd-comparison-error", argo_path),
    ("flux-apply-failed", apply),
    ("argocd-sync-failed", apply),
    ("helmrelease-chart-missing", chart),
    ("helmrelease-values-missing", values),
    ("config-immutable", renamed),
];

fn is_ready(object: &Object) -> bool {
    object.conditions().iter().any(|c| c.kind == "Ready" && c.status == "True")
}

/// The close one of what others use and works, or what to type to see what there is.
fn among(
    case: &Case<'_>,
    path: &Path,
    what: &str,
    names: &BTreeSet<String>,
    hint: String,
) -> Result<Vec<Intent>, Refusal> {
    let now = case.at(path).and_then(Value::as_str).unwrap_or_default();
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != now).collect();
    let take = |name: &str, review: Vec<String>| {
        let why = format!("{what} {now} does not exist; {name} does, another one here is delivered from it");
        let subject = format!("Use {what} {name} instead of {now}");
        case.intent(subject, why, vec![case.set(path.clone(), json!(name))], review)
    };
    if let Some(name) = only_close(now, &names, &[]) {
        return Ok(vec![take(name, vec![format!("another {what} delivers other things")])]);
    }
    if names.is_empty() {
        return Err(Refusal::new(refusal::NOT_IN_GIT, case.finding.summary.clone(), hint));
    }
    let choices = names.iter().map(|name| take(name, Vec::new())).collect();
    Err(case.ask(case.finding.summary.clone(), &hint, choices))
}

/// A branch or tag that another source of the same repository fetches.
fn source(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let object = case.object.filter(|object| object.at("/spec/url").is_some());
    let missing = case.text("ref");
    let Some(object) = object.filter(|_| !missing.is_empty()) else {
        let hint = "correct the URL, the credential, or the source that is named";
        return Err(Refusal::new(refusal::NOT_IN_GIT, case.finding.summary.clone(), hint));
    };
    let field = if object.text("/spec/ref/tag").is_empty() { "branch" } else { "tag" };
    let path = Path::of("spec.ref").field(field);
    case.expect(&path, &json!(missing))?;
    let url = object.text("/spec/url");
    let others = case.snapshot.kind(&object.kind).iter().filter(|one| one.text("/spec/url") == url && is_ready(one));
    let names = others.map(|one| one.text(&format!("/spec/ref/{field}")).to_owned()).filter(|name| !name.is_empty());
    let hint = format!("see what there is: git ls-remote {}", shell_word(crate::redact::text(url).as_str()));
    among(case, &path, field, &names.collect(), hint)
}

/// A folder that another Kustomization applies from the same source.
fn flux_path(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = Path::of("spec.path");
    case.expect(&path, &json!(case.text("path")))?;
    let own = case.at(&Path::of("spec.sourceRef")).cloned();
    let others = case.snapshot.kind("Kustomization").iter();
    let same = others.filter(|one| one.at("/spec/sourceRef") == own.as_ref() && is_ready(one));
    let names = same.map(|one| one.text("/spec/path").to_owned()).filter(|name| !name.is_empty()).collect();
    among(case, &path, "path", &names, folders())
}

fn folders() -> String {
    "see which folders the repository has: git ls-tree -d -r --name-only HEAD".to_owned()
}

fn argo_path(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let missing = case.text("path");
    if missing.is_empty() {
        let hint = "build it as Argo CD does, the message names the file: argocd app manifests";
        return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, case.finding.summary.clone(), hint));
    }
    let path = Path::of("spec.source.path");
    case.expect(&path, &json!(missing))?;
    let own = case.at(&Path::of("spec.source.repoURL")).cloned();
    let synced =
        |one: &&Object| one.at("/spec/source/repoURL") == own.as_ref() && one.text("/status/sync/status") == "Synced";
    let others = case.snapshot.kind("Application").iter().filter(synced);
    let names = others.map(|one| one.text("/spec/source/path").to_owned()).filter(|name| !name.is_empty()).collect();
    among(case, &path, "path", &names, folders())
}

/// The one folder of the repository whose name is close to the path that a controller did not find there.
pub(crate) fn close_folder(case: &Case<'_>, folders: &[&str]) -> Option<Intent> {
    let field = match case.finding.code.name() {
        "flux-path-missing" => "spec.path",
        "argocd-comparison-error" => "spec.source.path",
        _ => return None,
    };
    let (path, missing) = (Path::of(field), case.text("path"));
    case.expect(&path, &json!(missing)).ok()?;
    let bare = missing.trim_start_matches("./").trim_matches('/');
    let name = only_close(bare, folders, &[]).filter(|_| !bare.is_empty())?;
    let new = missing.replacen(bare, name, 1);
    let why = format!("the repository has no folder {bare}; it has {name}");
    let review = vec!["another path delivers other things".to_owned()];
    Some(case.intent(format!("Use path {new} instead of {missing}"), why, vec![case.set(path, json!(new))], review))
}

/// What the API refuses never ran: there is no live field to change.
fn apply(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (field, object) = (case.text("unknownField"), case.text("object"));
    let kind = object.split('/').next().unwrap_or_default().to_lowercase();
    if field.is_empty() {
        let hint = "correct what the message names, in the manifest in Git";
        return Err(Refusal::new(refusal::NEEDS_JUDGEMENT, case.finding.summary.clone(), hint));
    }
    let above = field.rsplit_once('.').map_or(String::new(), |(above, _)| format!(".{above}"));
    let message = format!("{object} has no field {field}");
    let hint = format!("see which it has: kubectl explain {}", shell_word(&format!("{kind}{above}")));
    Err(Refusal::new(refusal::NEEDS_JUDGEMENT, message, hint))
}

/// The chart's version is that of the HelmRelease, also when its HelmChart says that it is missing.
fn chart(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let hint = "see which versions there are, and name one of them";
    let ask = || Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint);
    let releases = case.snapshot.kind("HelmRelease");
    let own = format!("{}/{}", case.target.namespace(), case.target.name);
    let release = match case.target.kind.as_str() {
        "HelmRelease" => case.object,
        _ => releases.iter().find(|release| release.text("/status/helmChart") == own),
    };
    let Some(release) = release else { return Err(ask()) };
    let on = case.on(&release.object())?;
    let path = Path::of("spec.chart.spec.version");
    let Some(now) = on.at(&path).and_then(Value::as_str) else { return Err(ask()) };
    let name = release.text("/spec/chart/spec/chart");
    let take = |version: &str, why: String, review: Vec<String>| {
        let subject = format!("Take version {version} of chart {name}");
        on.intent(subject, why, vec![on.set(path.clone(), json!(version))], review)
    };
    // The newest first, each with what became of it.
    let history: Vec<Value> = release.view("/status/history");
    let text = |one: &Value, field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let ran = history.iter().find(|one| {
        matches!(text(one, "status").as_str(), "deployed" | "superseded") && text(one, "chartName") == name
    });
    if let Some(version) =
        ran.map(|one| text(one, "chartVersion")).filter(|version| !version.is_empty() && version != now)
    {
        let why = format!("no version of chart {name} fits {now}; {version} was deployed before");
        return Ok(vec![take(&version, why, vec!["what else changed since then is left alone".to_owned()])]);
    }
    let same = |one: &&Object| {
        one.text("/spec/chart/spec/chart") == name
            && one.at("/spec/chart/spec/sourceRef") == release.at("/spec/chart/spec/sourceRef")
            && is_ready(one)
    };
    let versions: BTreeSet<&str> = releases
        .iter()
        .filter(same)
        .map(|one| one.text("/spec/chart/spec/version"))
        .filter(|v| !v.is_empty())
        .collect();
    let choices = versions
        .into_iter()
        .map(|version| take(version, "another release here is of this version".to_owned(), Vec::new()));
    Err(on.ask(case.finding.summary.clone(), hint, choices.collect()))
}

/// The one ConfigMap with a close name; another Secret is other credentials.
fn values(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let list = Path::of("spec.valuesFrom");
    let references = case.at(&list).and_then(Value::as_array).cloned().unwrap_or_default();
    let here = case.snapshot.config_maps.iter().filter(|map| map.metadata.namespace == case.target.namespace());
    let names: Vec<&str> = here.map(|map| map.metadata.name.as_str()).collect();
    let text = |one: &Value, field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let missing = references
        .iter()
        .enumerate()
        .find(|(_, one)| text(one, "kind") == "ConfigMap" && !names.contains(&text(one, "name").as_str()));
    let hint = "apply what valuesFrom names, or name what exists";
    let Some((at, reference)) = missing.filter(|_| !case.snapshot.lacks("configmaps")) else {
        return Err(Refusal::new(refusal::NEEDS_CHOICE, case.finding.summary.clone(), hint));
    };
    let wanted = text(reference, "name");
    let path = list.index(at).field("name");
    let take = |name: &str, review: Vec<String>| {
        let why = format!("ConfigMap {wanted} does not exist");
        let edits = vec![case.set(path.clone(), json!(name))];
        case.intent(format!("Take values from ConfigMap {name}"), why, edits, review)
    };
    if let Some(name) = only_close(&wanted, &names, &[]) {
        return Ok(vec![take(name, vec![format!("only the name speaks for {name}")])]);
    }
    let choices = names.iter().take(9).map(|name| take(name, Vec::new())).collect();
    Err(case.ask(format!("ConfigMap {wanted} with values does not exist"), hint, choices))
}

/// What can't change gets another name, and so do those that name it; they are told, for no live object has that name.
fn renamed(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (object, namespace) = (case.text("object"), case.text("namespace"));
    let (kind, name) = object.split_once('/').unwrap_or(("ConfigMap", object));
    let users = case.snapshot.objects.values().flatten().filter(|one| {
        one.metadata.controller().is_none() && (namespace.is_empty() || one.metadata.namespace == namespace)
    });
    let uses = |one: &&Object| {
        let template = one.template_pointer().filter(|_| one.body.may_contain(name));
        template.is_some_and(|pointer| names(&one.view(&format!("{pointer}/spec")), kind, name))
    };
    let mut details: Vec<String> = users.filter(uses).map(|one| format!("{} names it", one.object())).collect();
    details.sort();
    let hint = "give it another name in Git, and name that one where it is used (kustomize generators do both: a hash \
                of the data ends the name); its users then roll over";
    let message = format!("{object} is immutable: its data stays as it is under this name");
    Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint).with_details(details))
}

/// Whether a pod spec names a ConfigMap or Secret, in a variable, a volume or else.
fn names(value: &Value, kind: &str, name: &str) -> bool {
    let fields: &[&str] = match kind {
        "Secret" => &["secret", "secretRef", "secretKeyRef"],
        _ => &["configMap", "configMapRef", "configMapKeyRef"],
    };
    match value {
        Value::Object(map) => map.iter().any(|(field, inner)| {
            let own = ["name", "secretName"].iter().any(|key| inner.get(key).is_some_and(|one| one == name));
            fields.contains(&field.as_str()) && own || names(inner, kind, name)
        }),
        Value::Array(items) => items.iter().any(|one| names(one, kind, name)),
        _ => false,
    }
}

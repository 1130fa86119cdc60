//! Flux: labels, inventory, source.

use super::{Base, Confirmed, Folder, Lead, NamedBy, artifact};
use crate::model::kube::Object;
use crate::model::proposal::{Signal, Trust};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::render::Control;
use crate::source::claims::Marks;
use serde_json::Value;
use std::collections::BTreeMap;

/// The Kustomization or HelmRelease that the labels name, when its inventory lists the object.
pub(super) fn confirmed<'s>(
    snapshot: &'s Snapshot,
    live: &Object,
    marks: &Marks<'_>,
    trail: &mut Vec<Signal>,
) -> Option<Confirmed<'s>> {
    for (signal, kind, named) in [
        ("Flux HelmRelease", "HelmRelease", marks.release),
        ("Flux Kustomization", "Kustomization", marks.kustomization),
    ] {
        let Some((namespace, name)) = named else { continue };
        let mut reject = |why: &str| {
            let value = format!("{namespace}/{name}, {why}");
            trail.push(Signal { signal: signal.to_owned(), value, trust: Trust::Claimed });
        };
        match snapshot.find(kind, namespace, name) {
            None => reject("which was not seen"),
            Some(controller) if lists(controller, live) => return Some(Confirmed { controller, signal }),
            Some(_) => reject("whose inventory does not list it: not believed"),
        }
    }
    None
}

/// `<namespace>_<name>_<group>_<kind>`. An older HelmRelease has no inventory: its label counts.
fn lists(controller: &Object, live: &Object) -> bool {
    let object = live.object();
    let wanted = format!("{}_{}_{}_{}", object.namespace(), object.name, object.group, object.kind);
    let entries = controller.at("/status/inventory/entries").and_then(Value::as_array);
    match entries {
        Some(entries) => entries.iter().any(|entry| entry["id"] == wanted.as_str()),
        None => controller.kind == "HelmRelease",
    }
}

/// Where a Kustomization takes its folder from.
pub(super) fn lead(
    snapshot: &Snapshot,
    kustomization: &Object,
    trail: &mut Vec<Signal>,
) -> Result<Option<Lead>, Refusal> {
    let object = kustomization.object();
    let kind = kustomization.text("/spec/sourceRef/kind");
    let name = kustomization.text("/spec/sourceRef/name");
    let namespace = match kustomization.text("/spec/sourceRef/namespace") {
        "" => object.namespace(),
        namespace => namespace,
    };
    let mut note = |value: String, trust: Trust| {
        trail.push(Signal { signal: "source".to_owned(), value, trust });
    };
    let source = snapshot.find(kind, namespace, name);
    let status = |field: &'static str| {
        let revision = commit(kustomization.text(&format!("/status/{field}")))?;
        Some((revision, NamedBy::Status(field)))
    };
    let mut lead = Lead {
        controller: object.clone(),
        repository: None,
        base: Base::Default,
        revisions: ["lastAttemptedRevision", "lastAppliedRevision"].into_iter().filter_map(status).collect(),
        folders: Vec::new(),
    };
    let (mut ignore, mut copies) = (None, None);
    let mut paths = vec![kustomization.text("/spec/path").to_owned()];
    match (kind, source) {
        ("GitRepository", Some(source)) => {
            alone(source)?;
            ignore = lead.follow(source);
            note(format!("{kind} {namespace}/{name}: {}", lead.shown().unwrap_or_default()), Trust::Proved);
        }
        ("OCIRepository", Some(source)) => {
            let said = |key: &str| {
                let metadata = source.at("/status/artifact/metadata")?;
                metadata.get(format!("org.opencontainers.image.{key}"))?.as_str()
            };
            let Some(repository) = said("source") else {
                note(
                    format!("{kind} {namespace}/{name} does not say which repository it was made from"),
                    Trust::Claimed,
                );
                return Ok(None);
            };
            lead.repository = Some(repository.to_owned());
            lead.revisions =
                said("revision").and_then(commit).map(|id| (id, NamedBy::ArtifactRevision)).into_iter().collect();
            note(format!("{kind} {namespace}/{name}: made from {}", lead.shown().unwrap_or_default()), Trust::Claimed);
        }
        ("ExternalArtifact", Some(artifact)) => {
            let Some(origin) = artifact::origin(snapshot, artifact, &paths[0])? else {
                note(format!("{kind} {namespace}/{name}: what made it was not seen"), Trust::Claimed);
                return Ok(None);
            };
            // Its own revision is a sum of its files.
            let status = |field: &'static str| {
                let revision = commit(kustomization.text(&format!("/status/{field}")))?;
                Some((revision, NamedBy::Status(field)))
            };
            let fields = ["lastAttemptedOriginRevision", "lastAppliedOriginRevision"];
            lead.revisions = fields.into_iter().filter_map(status).collect();
            if let Some(source) = origin.repository {
                alone(source)?;
                ignore = lead.follow(source);
            }
            (paths, copies) = (origin.paths, Some(origin.copies));
            let shown = lead.shown().unwrap_or_else(|| "not seen".to_owned());
            note(format!("{kind} {namespace}/{name}: `{}` of {}: {shown}", paths[0], origin.name), Trust::Proved);
        }
        ("Bucket", _) => {
            return Err(Refusal::new(
                "remote-source",
                format!("{} takes its folder from Bucket {namespace}/{name}, not from Git", object.qualified()),
                "name the folder that the bucket is filled from: --path DIR",
            ));
        }
        (_, None) => note(format!("{kind} {namespace}/{name} was not seen"), Trust::Claimed),
        _ => {
            note(format!("{kind} {namespace}/{name} is put together from others"), Trust::Claimed);
            return Ok(None);
        }
    }
    // Two fields often name one commit.
    let mut seen = std::collections::BTreeSet::new();
    lead.revisions.retain(|(id, _)| seen.insert(id.clone()));
    let live = kustomization.to_value().to_string();
    let control = Control { object, live, source: 0, ignore, above: None, filled: BTreeMap::new() };
    lead.folders = paths
        .into_iter()
        .map(|path| Folder {
            path,
            control: control.clone(),
            above: None,
            directory: None,
            chart: None,
            remote: None,
            file: None,
            copies: copies.clone(),
        })
        .collect();
    Ok(Some(lead))
}

/// Refuses a GitRepository that Flux lays others into: their files are not in this one.
/// Field: <https://fluxcd.io/flux/components/source/gitrepositories/#include>.
pub(super) fn alone(source: &Object) -> Result<(), Refusal> {
    let all = source.at("/spec/include").and_then(Value::as_array);
    let Some(other) = all.and_then(|all| all.first()) else { return Ok(()) };
    let name = other.pointer("/repository/name").and_then(Value::as_str).unwrap_or_default();
    let to = other.get("toPath").and_then(Value::as_str).filter(|path| !path.is_empty()).unwrap_or(name);
    Err(Refusal::new(
        "remote-source",
        format!("{} includes GitRepository {name} at `{to}`, whose files are not here", source.object().qualified()),
        "nothing is fetched; name a folder that needs none of them: --path DIR",
    ))
}

impl Lead {
    /// Takes repository, base and commit from a GitRepository; returns what it leaves out.
    fn follow(&mut self, source: &Object) -> Option<String> {
        self.repository = Some(source.text("/spec/url").to_owned());
        self.base = base(source);
        let artifact = commit(source.text("/status/artifact/revision"));
        self.revisions.extend(artifact.map(|id| (id, NamedBy::Artifact)));
        source.at("/spec/ignore").and_then(Value::as_str).map(str::to_owned)
    }
}

/// `main@sha1:<id>`, `sha1:<id>`, and `main/<id>` of older versions.
pub fn commit(revision: &str) -> Option<String> {
    let id = revision.rsplit([':', '/', '@']).next()?;
    let is_id = matches!(id.len(), 40 | 64) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then(|| id.to_owned())
}

/// What a GitRepository follows; a commit beats a name, a name a range, a range a tag, a tag a branch.
pub(super) fn base(source: &Object) -> Base {
    let at = |field: &str| source.text(&format!("/spec/ref/{field}"));
    if !at("commit").is_empty() {
        return Base::Pinned(format!("commit {}", at("commit")));
    }
    if let Some(branch) = at("name").strip_prefix("refs/heads/") {
        return Base::Branch(branch.to_owned());
    }
    for (field, words) in [("name", "ref"), ("semver", "the newest tag in"), ("tag", "tag")] {
        if !at(field).is_empty() {
            return Base::Pinned(format!("{words} {}", at(field)));
        }
    }
    match at("branch") {
        // Flux's own default.
        "" => Base::Branch("master".to_owned()),
        branch => Base::Branch(branch.to_owned()),
    }
}

//! Argo CD: tracking id, label, listed resources, sources.

use super::{Base, Confirmed, Directory, Folder, Lead, NamedBy};
use crate::model::kube::Object;
use crate::model::proposal::{Signal, Trust};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::render::Control;
use crate::source::claims::{INSTALLATION, Marks, tracked};
use serde_json::Value;
use std::collections::BTreeMap;

/// The Application that the tracking id or the label names, when its status lists the object.
pub(super) fn confirmed<'s>(
    snapshot: &'s Snapshot,
    live: &Object,
    marks: &Marks<'_>,
    trail: &mut Vec<Signal>,
) -> Result<Option<Confirmed<'s>>, Refusal> {
    let listing = || snapshot.kind("Application").iter().filter(|application| lists(application, live));
    let mut named = None;
    if let Some(id) = marks.tracking {
        match tracked(id, &live.object()) {
            Some(application) => named = Some(("Argo CD Application", application)),
            None => reject(trail, "Argo CD tracking id", format!("{id} is of another object: not believed")),
        }
    }
    if named.is_none()
        && let Some(instance) = marks.instance
        && listing().any(|application| is_called(application, instance))
    {
        // Charts set this label, too: without an Application that lists the object it says nothing.
        named = Some(("Argo CD instance label", instance));
    }
    let Some((signal, name)) = named else { return Ok(None) };
    let called: Vec<&Object> =
        snapshot.kind("Application").iter().filter(|application| is_called(application, name)).collect();
    let mut listed: Vec<&Object> = called.iter().copied().filter(|application| lists(application, live)).collect();
    if let Some(id) = marks.installation {
        let told = listed.len();
        listed.retain(|application| of_installation(snapshot, application, id, &called) != Some(false));
        if listed.len() < told {
            let value = format!("{id}: an Application of another Argo CD lists it too, and is not believed");
            trail.push(Signal { signal: "Argo CD installation id".to_owned(), value, trust: Trust::Claimed });
        }
    }
    match listed.as_slice() {
        [one] => Ok(Some(Confirmed { controller: one, signal })),
        [] if called.is_empty() => {
            reject(trail, signal, format!("{name}, which was not seen"));
            Ok(None)
        }
        [] => {
            reject(trail, signal, format!("{name}, which does not list it: not believed"));
            Ok(None)
        }
        several => {
            let names: Vec<String> = several.iter().map(|one| one.object().qualified()).collect();
            Err(Refusal::new(
                "two-managers",
                format!("{} is listed by {}", live.object().qualified(), crate::text::and(&names)),
                "let one of them manage it, or name the folder: --path DIR",
            ))
        }
    }
}

/// Whether an Application belongs to this installation of Argo CD. Its settings are not read: what the Application
/// alone lists bears the id, too. `None` when nothing tells.
fn of_installation(snapshot: &Snapshot, application: &Object, id: &str, alike: &[&Object]) -> Option<bool> {
    let own = |object: &&Object| {
        lists(application, object) && !alike.iter().any(|other| *other != application && lists(other, object))
    };
    let ids: Vec<&String> = snapshot
        .objects
        .values()
        .flatten()
        .filter(|object| object.metadata.annotations.contains_key(INSTALLATION))
        .filter(own)
        .filter_map(|object| object.metadata.annotations.get(INSTALLATION))
        .collect();
    if ids.is_empty() { None } else { Some(ids.iter().any(|other| *other == id)) }
}

fn reject(trail: &mut Vec<Signal>, signal: &str, value: String) {
    trail.push(Signal { signal: signal.to_owned(), value, trust: Trust::Claimed });
}

/// `<name>` in Argo CD's own namespace, else `<namespace>_<name>`.
fn is_called(application: &Object, name: &str) -> bool {
    let meta = &application.metadata;
    let elsewhere =
        name.split_once('_').is_some_and(|(namespace, name)| namespace == meta.namespace && name == meta.name);
    let own = match application.text("/status/controllerNamespace") {
        "" => true,
        namespace => namespace == meta.namespace,
    };
    elsewhere || own && meta.name == name
}

fn lists(application: &Object, live: &Object) -> bool {
    let object = live.object();
    let resources = application.at("/status/resources").and_then(Value::as_array);
    resources.into_iter().flatten().any(|one| {
        let text = |field: &str| one.get(field).and_then(Value::as_str).unwrap_or_default();
        (text("group"), text("kind"), text("namespace"), text("name"))
            == (&object.group, &object.kind, object.namespace(), &object.name)
    })
}

/// Where an Application takes its folders from; the last source that makes an object counts.
pub(super) fn lead(application: &Object, trail: &mut Vec<Signal>) -> Result<Option<Lead>, Refusal> {
    let object = application.object();
    let mut note = |value: String| {
        trail.push(Signal { signal: "source".to_owned(), value, trust: Trust::Proved });
    };
    let dry = application.at("/spec/sourceHydrator/drySource");
    let sources: Vec<(usize, &Value)> = match (dry, application.at("/spec/sources").and_then(Value::as_array)) {
        (Some(dry), _) => vec![(0, dry)],
        (None, Some(all)) if !all.is_empty() => all.iter().enumerate().collect(),
        _ => application.at("/spec/source").map(|one| (0, one)).into_iter().collect(),
    };
    let text = |source: &Value, field: &str| source.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    if dry.is_some() {
        note("the synced branch is generated; its dry source is what people write".to_owned());
    }
    if let Some((_, source)) = sources.iter().find(|(_, source)| source.get("plugin").is_some_and(|one| !one.is_null()))
    {
        let name = source.pointer("/plugin/name").and_then(Value::as_str).unwrap_or("of its folder");
        return Err(Refusal::new(
            "plugin",
            format!("{} is rendered by the plugin {name}, which is not run here", object.qualified()),
            "change it by hand, where the plugin reads it",
        ));
    }
    super::helm::followed(application, &sources)?;
    if let Some(owner) = application.metadata.owner_references.iter().find(|owner| owner.kind == "ApplicationSet") {
        note(format!("{} is made from ApplicationSet {}", object.qualified(), owner.name));
    }
    let Some((first, folders)) = folders(application, &sources) else {
        let chart = sources.iter().find(|(_, source)| !text(source, "chart").is_empty());
        return match chart {
            Some((_, source)) => Err(Refusal::new(
                "remote-source",
                format!("the template lives in chart {} of {}", text(source, "chart"), text(source, "repoURL")),
                format!("only its values can be changed: edit {}", object.qualified()),
            )),
            None => Ok(None),
        };
    };
    let source = sources[first].1;
    let lead = Lead {
        controller: object,
        repository: Some(text(source, "repoURL")),
        base: base(&text(source, "targetRevision")),
        revisions: revisions(application, first, dry.is_some()),
        folders,
    };
    note(format!("{} of {}", lead.folders[0].path, lead.shown().unwrap_or_default()));
    Ok(Some(lead))
}

/// The folders of all sources in the repository of the last one, the last first, and the last one's number.
fn folders(application: &Object, sources: &[(usize, &Value)]) -> Option<(usize, Vec<Folder>)> {
    let text = |source: &Value, field: &str| source.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let with_path = |source: &&Value| !text(source, "path").is_empty();
    let (last, source) = sources.iter().rev().find(|(_, source)| with_path(source)).copied()?;
    let repository = text(source, "repoURL");
    let found = sources
        .iter()
        .rev()
        .filter(|(_, other)| with_path(other) && super::is_same(&repository, &text(other, "repoURL")));
    let several = application.at("/spec/sources").and_then(Value::as_array).is_some_and(|all| !all.is_empty());
    let folders = found.map(|(number, source)| Folder {
        path: text(source, "path"),
        control: Control {
            object: application.object(),
            live: application.to_value().to_string(),
            source: *number,
            ignore: None,
            above: None,
            filled: BTreeMap::new(),
        },
        above: None,
        chart: Some(super::helm::of_application(application, *number, several, sources)),
        remote: None,
        directory: Some(Directory {
            recurse: source.pointer("/directory/recurse") == Some(&Value::Bool(true)),
            include: source.pointer("/directory/include").and_then(Value::as_str).unwrap_or_default().to_owned(),
            exclude: source.pointer("/directory/exclude").and_then(Value::as_str).unwrap_or_default().to_owned(),
        }),
        file: None,
        copies: None,
    });
    Some((last, folders.collect()))
}

/// A finished sync says what runs, then the history; what was compared last is only a guess.
fn revisions(application: &Object, source: usize, is_dry: bool) -> Vec<(String, NamedBy)> {
    let mut found: Vec<(String, NamedBy)> = Vec::new();
    let mut add = |id: Option<String>, by: NamedBy| {
        if let Some(id) = id.filter(|id| !found.iter().any(|(known, _)| known == id)) {
            found.push((id, by));
        }
    };
    let finished = (application.text("/status/operationState/phase") == "Succeeded")
        .then(|| application.at("/status/operationState/syncResult"))
        .flatten();
    let finished = finished.and_then(|at| commit(at, source));
    let last = application.at("/status/history").and_then(Value::as_array).and_then(|all| all.last());
    let last = last.and_then(|at| commit(at, source));
    if is_dry {
        // What was hydrated is on the synced branch at first; a sync brings it to the cluster.
        let ran = finished.or(last);
        for pointer in ["lastSuccessfulOperation", "currentOperation"] {
            let said = |field: &str| application.text(&format!("/status/sourceHydrator/{pointer}/{field}"));
            let synced = ran.as_deref().is_some_and(|ran| ran == said("hydratedSHA"));
            add(Some(said("drySHA")).filter(|id| is_id(id)).map(str::to_owned), NamedBy::Hydrated { synced });
        }
        return found;
    }
    add(finished, NamedBy::Finished);
    add(last, NamedBy::History);
    add(application.at("/status/sync").and_then(|at| commit(at, source)), NamedBy::Compared);
    found
}

/// The commit of one source, of several or of the only one.
fn commit(at: &Value, source: usize) -> Option<String> {
    let several = at.get("revisions").and_then(|all| all.get(source)).and_then(Value::as_str);
    let id = several.or_else(|| at.get("revision")?.as_str())?;
    is_id(id).then(|| id.to_owned())
}

/// Whether it is a commit and no version of a chart.
fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A branch, unless it looks like a version or a commit.
fn base(revision: &str) -> Base {
    let version = revision.strip_prefix('v').unwrap_or(revision);
    let is_range = revision.contains(['*', '^', '~', '>', '<', '=', ' ']);
    let is_version = version.split('.').count() > 1 && version.split('.').all(|part| part.parse::<u64>().is_ok());
    let is_commit = (7..=64).contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    match revision {
        "" | "HEAD" => Base::Default,
        tag if tag.starts_with("refs/tags/") => Base::Pinned(format!("tag {}", &tag["refs/tags/".len()..])),
        branch if branch.starts_with("refs/heads/") => Base::Branch(branch["refs/heads/".len()..].to_owned()),
        _ if is_commit => Base::Pinned(format!("commit {revision}")),
        _ if is_range || is_version => Base::Pinned(format!("version {revision}")),
        branch => Base::Branch(branch.to_owned()),
    }
}

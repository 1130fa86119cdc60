//! Config Sync: annotations that name file and commit.
//!
//! Nothing else need be read: the annotations are on the object itself, and one of them names the object.

use super::{Base, Folder, Lead};
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::proposal::{Signal, Trust};
use crate::render::Control;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where Config Sync keeps its own objects.
const NAMESPACE: &str = "config-management-system";

/// The object that syncs this one: `:root`, `:root_NAME`, `NAMESPACE` or `NAMESPACE_NAME`.
pub(crate) fn manager(object: &Object) -> Option<ObjectRef> {
    let said = object.metadata.annotations.get("configsync.gke.io/manager")?;
    let (of, name) = said.split_once('_').map_or((said.as_str(), None), |(of, name)| (of, Some(name)));
    let version = "configsync.gke.io/v1beta1";
    Some(match of {
        ":root" => ObjectRef::new(version, "RootSync", NAMESPACE, name.unwrap_or("root-sync")),
        namespace => ObjectRef::new(version, "RepoSync", namespace, name.unwrap_or("repo-sync")),
    })
}

/// Where the annotations lead; `None` when there are none, or they are of another object.
pub(super) fn lead(live: &Object, trail: &mut Vec<Signal>) -> Option<Lead> {
    let annotation = |name: &str| live.metadata.annotations.get(name).map(String::as_str);
    let file = annotation("configmanagement.gke.io/source-path")?;
    let mut note = |signal: &str, value: String, trust: Trust| {
        trail.push(Signal { signal: signal.to_owned(), value, trust });
    };
    let signal = "Config Sync source path";
    let id = annotation("configsync.gke.io/resource-id").unwrap_or_default();
    if !is_id(id, &live.object()) {
        note(signal, format!("{file}, of another object: not believed"), Trust::Claimed);
        return None;
    }
    note(signal, file.to_owned(), Trust::Proved);
    let context: Value = annotation("configsync.gke.io/git-context")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let text = |field: &str| context[field].as_str().unwrap_or_default();
    let controller = manager(live).unwrap_or_else(|| ObjectRef::new("", "RootSync", NAMESPACE, "root-sync"));
    let token = annotation("configmanagement.gke.io/token").and_then(super::flux::commit);
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let control = Control {
        object: controller.clone(),
        live: String::new(),
        source: 0,
        ignore: None,
        above: None,
        filled: BTreeMap::new(),
    };
    let lead = Lead {
        controller,
        repository: Some(text("repo").to_owned()).filter(|repository| !repository.is_empty()),
        base: match (text("rev"), text("branch")) {
            ("" | "HEAD", "") => Base::Default,
            ("" | "HEAD", branch) => Base::Branch(branch.to_owned()),
            (revision, _) => Base::Pinned(revision.to_owned()),
        },
        revisions: token.map(|id| (id, super::NamedBy::Synced)).into_iter().collect(),
        folders: vec![Folder {
            path: folder.to_owned(),
            control,
            above: None,
            chart: None,
            remote: None,
            directory: None,
            file: Some(file.to_owned()),
            copies: None,
        }],
    };
    if let Some(shown) = lead.shown() {
        note("source", format!("{}: {shown}", lead.controller.qualified()), Trust::Proved);
    }
    Some(lead)
}

/// `<group>_<kind>_<namespace>_<name>`, the kind in lower case.
fn is_id(id: &str, object: &ObjectRef) -> bool {
    let kind = object.kind.to_lowercase();
    let namespace = object.namespace.as_deref().map(|namespace| format!("{namespace}_")).unwrap_or_default();
    id == format!("{}_{kind}_{namespace}{}", object.group, object.name)
}

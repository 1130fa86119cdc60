//! Files, folders and rights that a program lacks.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::{items, judge, outside, text_of};
use super::super::refusal;
use super::refs::mount_path;
use crate::model::intent::Intent;
use crate::model::kube::{Object, Pod};
use crate::model::path::Path;
use crate::model::quantity::Quantity;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[
    ("crash-disk-full", disk_full),
    ("crash-file-missing", file_missing),
    ("crash-permission-denied", permission_denied),
    ("crash-read-only-fs", read_only),
];

const MEBI: i128 = 1 << 20;
/// A volume in memory is not raised above this by rule.
const MEMORY: i128 = 2048 * MEBI;
/// Databases that refuse to start when a group may use their folder.
const DATABASES: [&str; 3] = ["/var/lib/postgresql", "/var/lib/mysql", "/data/db"];

fn disk_full(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.text("path");
    let mount = case.fact("mount").cloned().unwrap_or(Value::Null);
    let name = text_of(&mount, "name");
    if text_of(&mount, "kind") != "emptyDir" {
        let message = format!("no space is left for {path}");
        let hint = "free space, or enlarge the claim or the node's disk";
        return Err(if name.is_empty() { outside(message, hint) } else { judge(message, hint) });
    }
    let at = case.spec_path().field("volumes").item(name).field("emptyDir").field("sizeLimit");
    let written = text_of(&mount, "sizeLimit");
    let size = Quantity::parse(written).map(Quantity::units);
    let Some(size) = size.filter(|_| text_of(&mount, "medium") == "Memory") else {
        return Err(judge(format!("volume {name} lies on the node's disk, which is full"), "free the node's disk"));
    };
    case.expect(&at, &json!(written))?;
    let new = size * 2;
    let limit = case.container()?.resources.limits.get("memory").and_then(Quantity::of).map(Quantity::units);
    let hint = "choose sizes that the program can live with";
    if new > MEMORY || limit.is_some_and(|limit| new * 2 > limit) {
        let message = format!("twice {written} in memory is more than half of the memory limit, or than 2Gi");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    }
    let text = Quantity::whole(new).written_like(written);
    let review = vec!["what it holds counts against the memory limit".to_owned()];
    let why = format!("{path} lies in volume {name}, which may hold {written} in memory and is full");
    Ok(vec![case.intent(
        format!("Raise the size of volume {name} to {text}"),
        why,
        vec![case.set(at, json!(text))],
        review,
    )])
}

/// The volume has the file under a close name: it is mounted under the one that is wanted.
fn file_missing(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.text("path");
    let mount = case.fact("mount").cloned().unwrap_or(Value::Null);
    let (name, at) = (text_of(&mount, "name"), text_of(&mount, "path"));
    let hint = "add the file, or name the path where it is";
    let root = case.spec_path().field("volumes").item(name).field("configMap");
    let none = || judge(format!("nothing here says where {path} should come from"), hint);
    let source = case.at(&root).cloned().filter(|_| text_of(&mount, "subPath").is_empty()).ok_or_else(none)?;
    let file = path.strip_prefix(at.trim_end_matches('/')).unwrap_or_default().trim_start_matches('/');
    let namespace = case.finding.object.namespace();
    let map = text_of(&source, "name");
    let mut maps = case.snapshot.config_maps.iter().filter(|one| one.metadata.namespace == namespace);
    let keys = maps.find(|one| one.metadata.name == map).and_then(|one| one.keys.as_ref()).ok_or_else(none)?;
    let listed: Vec<(&str, &str)> = items(&source, "items").map(|i| (text_of(i, "key"), text_of(i, "path"))).collect();
    let files: Vec<&str> = match listed.as_slice() {
        [] => keys.iter().map(String::as_str).collect(),
        listed => listed.iter().map(|(_, path)| *path).collect(),
    };
    let near = only_close(file, &files, &[]).filter(|_| !file.is_empty() && !case.is("worked")).ok_or_else(none)?;
    let edit = match listed.iter().position(|(_, path)| *path == near) {
        Some(at) => case.set(root.field("items").index(at).field("path"), json!(file)),
        None => {
            let item = |key: &String| json!({"key": key, "path": if key == near { file } else { key.as_str() }});
            case.set(root.field("items"), keys.iter().map(item).collect())
        }
    };
    let review = vec![format!("{near} is then at {file} alone: other readers of {near} do not find it")];
    let why = format!("the program looks for {path}; ConfigMap {map} has {near}, the only name as close");
    Ok(vec![case.intent(format!("Mount {near} as {file}"), why, vec![edit], review)])
}

/// A user that is not root gets the right to its volume by a group.
fn permission_denied(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.text("path");
    let mount = case.fact("mount").cloned().unwrap_or(Value::Null);
    let (name, kind, at) = (text_of(&mount, "name"), text_of(&mount, "kind"), text_of(&mount, "path"));
    let hint = "let the image or the volume give the user this right; never run it as root";
    let refuse = |why: &str| judge(format!("{path}: {why}"), hint);
    if case.is("notPermitted") {
        return Err(refuse("the operation itself is not permitted, whoever owns the file"));
    }
    if !matches!(kind, "emptyDir" | "persistentVolumeClaim" | "csi" | "ephemeral") || mount["readOnly"] == json!(true) {
        return Err(refuse("it lies in no volume that a group could be given"));
    }
    let Some(user) = case.int("runAsUser").filter(|user| *user != 0) else {
        return Err(refuse("which user the program runs as is not written down"));
    };
    if case.fact("fsGroup").is_some() {
        return Err(refuse("the volume has a group already"));
    }
    if DATABASES.iter().any(|folder| at.starts_with(folder)) {
        return Err(refuse("a database refuses a folder that a group may use"));
    }
    let claim = case.spec_path().field("volumes").item(name).field("persistentVolumeClaim").field("claimName");
    if let Some(claim) = case.at(&claim).and_then(Value::as_str) {
        if let Some(other) = other_user(case, claim) {
            return Err(refuse(&format!("{other} mounts the claim too, and its files would change their group")));
        }
        if keeps_its_groups(case, claim) {
            return Err(refuse("a volume of this kind takes no group from Kubernetes"));
        }
    }
    let group = case.int("runAsGroup").filter(|group| *group != 0).unwrap_or(user);
    let root = case.spec_path().field("securityContext");
    let edits = vec![
        case.set(root.field("fsGroup"), json!(group)),
        case.set(root.field("fsGroupChangePolicy"), json!("OnRootMismatch")),
    ];
    let review = vec![format!("files of the pod's volumes change their group to {group}")];
    let why = format!("user {user} may not use {path} in volume {name}, and the pod sets no fsGroup");
    Ok(vec![case.intent(format!("Give group {group} the volumes of the pod"), why, edits, review)])
}

/// Another owner whose pods mount the claim.
fn other_user(case: &Case<'_>, claim: &str) -> Option<String> {
    let own = &case.finding.object;
    let mounts = |pod: &&Pod| {
        let volumes = pod.spec.volumes.iter();
        let mut claims = volumes.filter_map(|v| v.pointer("/persistentVolumeClaim/claimName")?.as_str());
        pod.metadata.namespace == own.namespace() && claims.any(|name| name == claim)
    };
    let owners = case.snapshot.pods.iter().filter(mounts).map(|pod| crate::diagnose::owner(case.snapshot, pod));
    owners.into_iter().find(|owner| !owner.same_object(own)).map(|owner| owner.to_string())
}

fn keeps_its_groups(case: &Case<'_>, claim: &str) -> bool {
    let bound = case.here("PersistentVolumeClaim").find(|one| one.metadata.name == claim);
    let volume = bound.map(|one| one.text("/spec/volumeName").to_owned());
    let mut volumes = case.snapshot.kind("PersistentVolume").iter();
    let found: Option<&Object> = volumes.find(|one| Some(&one.metadata.name) == volume.as_ref());
    found.is_some_and(|one| one.at("/spec/nfs").is_some() || one.at("/spec/hostPath").is_some())
}

const SCRATCH: [&str; 4] = ["/tmp", "/run", "/var/run", "/var/tmp"];

/// Folders that programs write to and that hold nothing of an image.
fn is_scratch(folder: &str) -> bool {
    let below = |root: &str| folder.strip_prefix(root).is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'));
    SCRATCH.contains(&folder) || below("/var/cache") || below("/var/log")
}

/// The folder of the path, or the scratch folder above it.
fn scratch(path: &str) -> Option<&str> {
    let mut folder = if SCRATCH.contains(&path) { path } else { path.rsplit_once('/')?.0 };
    let mut found = None;
    while !folder.is_empty() {
        if is_scratch(folder) {
            found = Some(folder);
        }
        folder = folder.rsplit_once('/')?.0;
    }
    found
}

/// A folder to write in, beside a root that stays read-only.
fn read_only(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let path = case.text("path");
    let hint = "give the folder a volume of its own; the root stays read-only";
    if !case.is("readOnlyRoot") || case.fact("mount").is_some() {
        return Err(judge(format!("{path} lies in a mount that is read-only"), "let the program write elsewhere"));
    }
    let container = case.container()?;
    let Some(folder) = scratch(path) else {
        let message = format!("{path} may be part of the image, which a volume would hide");
        return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
    };
    let name = folder.trim_start_matches('/').replace(['/', '_', '.'], "-").to_lowercase();
    let volumes = case.spec_path().field("volumes");
    let here = case.container_path();
    if case.at(&volumes.item(&name)).is_some() {
        return Err(judge(format!("the pod has a volume {name} already"), hint));
    }
    let volume = json!({"name": name, "emptyDir": {"sizeLimit": "64Mi"}});
    let mount = json!({"name": name, "mountPath": folder});
    let added = |list: &Path, item: Path, value: Value, empty: bool| {
        if empty { case.set(list.clone(), json!([value])) } else { case.set(item, value) }
    };
    let mounts = here.field("volumeMounts");
    let edits = vec![
        added(&volumes, volumes.item(&name), volume, case.at(&volumes).is_none()),
        added(&mounts, mount_path(&here, &mount), mount.clone(), container.volume_mounts.is_empty()),
    ];
    let review =
        vec![format!("what the image has in {folder} is hidden, and what is written there is lost with the pod")];
    let why = format!("container {} writes to {path} and its root is read-only, as it should be", case.name());
    Ok(vec![case.intent(format!("Give container {} a volume at {folder}", case.name()), why, edits, review)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_that_hold_nothing_of_an_image_get_a_volume() {
        for (path, want) in [
            ("/tmp/a/b", Some("/tmp")),
            ("/tmp", Some("/tmp")),
            ("/var/cache/nginx/client_temp", Some("/var/cache/nginx")),
            ("/var/log/app.log", None),
            ("/var/log/app/x.log", Some("/var/log/app")),
            ("/app/data/x", None),
            ("/tmpfile", None),
            ("relative", None),
        ] {
            assert_eq!(scratch(path), want, "{path}");
        }
    }
}

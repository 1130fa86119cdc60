//! What no rule may do, whatever its facts are.

use super::case::Case;
use super::facts;
use super::refusal;
use super::rules::LOW_PORTS;
use crate::model::intent::{Author, Disposition, FieldEdit, Intent, Op};
use crate::model::kube::Object;
use crate::model::path::{Path, Step};
use crate::model::refusal::Refusal;
use crate::schema;
use serde_json::{Value, json};

/// Refusals that hold for every rule, on the edits themselves: fields that can't change,
/// that another controller writes, or that protect. `case` is that of the object they change.
pub(super) fn check(case: &Case<'_>, intent: &Intent) -> Result<(), Refusal> {
    let code = case.finding.code.name();
    intent.edits.iter().try_for_each(|edit| {
        mutable(case, edit)?;
        owner(case, edit)?;
        known_image(case, edit)?;
        let may = || {
            is_moved(intent, edit)
                || is_within_bounds(intent, edit)
                || is_for_a_person(code, intent, edit)
                || is_least_right(case, intent, edit)
                || is_account_of_good(case, intent, edit)
        };
        match weakens(code, &case.target.kind, edit).filter(|_| !may()) {
            Some(what) => {
                let text = format!("{} would {what}", edit.path);
                Err(Refusal::new(refusal::WEAKENS, text, "a person must decide that"))
            }
            None => Ok(()),
        }
    })
}

fn mutable(case: &Case<'_>, edit: &FieldEdit) -> Result<(), Refusal> {
    let object = &case.target;
    if schema::is_unbound_claim(&case.live) {
        return Ok(());
    }
    let Some(by_hand) = schema::immutable(object, &case.live, &edit.path) else { return Ok(()) };
    let message = format!("{} of {object} can't be changed once it exists", edit.path);
    Err(Refusal::new(refusal::IMMUTABLE, message, by_hand))
}

fn owner(case: &Case<'_>, edit: &FieldEdit) -> Result<(), Refusal> {
    let last = edit.path.to_string();
    let refused = |by: String| {
        let message = format!("{by} writes {}", edit.path);
        Err(Refusal::new(refusal::OWNED_BY_CONTROLLER, message, "change its settings instead"))
    };
    if last.contains(".resources") && case.object.is_none_or(|object| object.template_pointer().is_some()) {
        let autoscalers = case.snapshot.kind("VerticalPodAutoscaler").iter();
        let mut ours = autoscalers.filter(|vpa| targets(vpa, "/spec/targetRef", case) && !is_off(vpa));
        if let Some(vpa) = ours.next() {
            return refused(vpa.object().to_string());
        }
    }
    let annotations = case.object.map(|object| &object.metadata.annotations);
    let updater = |key: &String| key.starts_with("argocd-image-updater.argoproj.io/");
    if last.ends_with(".image") && annotations.is_some_and(|map| map.keys().any(updater)) {
        return refused("Argo CD Image Updater".to_owned());
    }
    Ok(())
}

/// A tag is never guessed: an image is one that the cluster or the last change tells of, or the old one in right spelling.
fn known_image(case: &Case<'_>, edit: &FieldEdit) -> Result<(), Refusal> {
    let Some(image) = edit.new.as_ref().and_then(Value::as_str).filter(|_| is_image(&edit.path)) else { return Ok(()) };
    let old = edit.old.as_ref().and_then(Value::as_str).unwrap_or_default();
    let bare = old.trim_matches(|c: char| c.is_whitespace() || c == '"' || c == '\'');
    let changes = case.finding.change.iter().flat_map(|change| &change.fields);
    let was = changes.filter(|field| field.path == edit.path).any(|field| field.old == edit.new);
    if bare == image || was || facts::has_image(case.snapshot, image) {
        return Ok(());
    }
    let message = format!("{} would become {image}, which nothing here has", edit.path);
    Err(Refusal::new(refusal::NEEDS_CHOICE, message, "name an image that exists, with --intent FILE"))
}

/// Whether a field is the image of a container or of a volume.
fn is_image(path: &Path) -> bool {
    let field = |step: Option<&Step>, name: &str| matches!(step, Some(Step::Field(own)) if own == name);
    match path.0.as_slice() {
        [.., before, last] if field(Some(last), "reference") => field(Some(before), "image"),
        [.., last] => field(Some(last), "image"),
        [] => false,
    }
}

fn targets(object: &Object, pointer: &str, case: &Case<'_>) -> bool {
    let owner = &case.target;
    object.metadata.namespace == owner.namespace()
        && object.text(&format!("{pointer}/kind")) == owner.kind
        && object.text(&format!("{pointer}/name")) == owner.name
}

fn is_off(vpa: &Object) -> bool {
    vpa.text("/spec/updatePolicy/updateMode") == "Off"
}

/// Edits of guarded fields that take nothing away: a group that may use a volume, a user that is not root, fewer
/// sysctls, the right to execute a file that may be read, and an extended resource under its right name.
fn is_within_bounds(intent: &Intent, edit: &FieldEdit) -> bool {
    let path = edit.path.to_string();
    let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_i64);
    let ends = |names: &[&str]| names.iter().any(|name| path.ends_with(&format!("securityContext.{name}")));
    if ends(&["fsGroup", "fsGroupChangePolicy"]) {
        return edit.op == Op::Add && number(&edit.new) != Some(0);
    }
    if ends(&["runAsUser", "runAsGroup"]) {
        return number(&edit.new).is_some_and(|id| id > 0);
    }
    if path.contains("securityContext.sysctls") {
        return edit.op == Op::Remove;
    }
    if path.ends_with(".defaultMode") {
        let old = number(&edit.old).unwrap_or(0o644);
        return !path.contains(".secret.") && number(&edit.new) == Some(executable(old));
    }
    let is_device = |path: &Path| matches!(path.0.last(), Some(Step::Field(name)) if name.contains('/'));
    let renamed = |other: &FieldEdit| other.op == Op::Add && other.path.parent() == edit.path.parent();
    edit.op == Op::Remove
        && path.contains("resources.")
        && is_device(&edit.path)
        && intent.edits.iter().any(|other| is_device(&other.path) && renamed(other))
}

/// What only a choice that a person makes may touch, and only for the code that is about it. A model never may.
fn is_for_a_person(code: &str, intent: &Intent, edit: &FieldEdit) -> bool {
    let path = edit.path.to_string();
    let ends = |end: &str| path.ends_with(end);
    intent.author == Author::Rule
        && intent.disposition == Disposition::Review
        && match code {
            "crash-port-privileged" => ends("securityContext.sysctls") && keeps_and_adds(edit, LOW_PORTS),
            "seccomp-profile-missing" => path.contains("securityContext.seccompProfile."),
            "sa-token-missing" => ends("spec.automountServiceAccountToken"),
            "hpa-fights-git" => path == "spec.replicas" && edit.op == Op::Remove,
            "pdb-blocks-everything" | "pdb-unmanaged-pods" | "pdb-unhealthy-blocks-drain" => {
                intent.object.kind == "PodDisruptionBudget" && intent.edits.iter().any(|edit| edit.new.is_some())
            }
            // One subject becomes another one: the role and its rights stay as they are.
            "rolebinding-subject-missing" => {
                path.starts_with("subjects[") && edit.op != Op::Remove && (ends(".name") || ends(".namespace"))
            }
            _ => false,
        }
}

/// Whether a role gains the one verb on the one resource that was refused, and nothing more. It is a person's choice.
fn is_least_right(case: &Case<'_>, intent: &Intent, edit: &FieldEdit) -> bool {
    let (verb, resource, group) = (case.text("verb"), case.text("resource"), case.text("group"));
    if !matches!(case.finding.code.name(), "crash-rbac-forbidden" | "rbac-verb-missing")
        || [verb, resource, group].iter().any(|part| part.contains('*'))
        || intent.author != Author::Rule
        || intent.disposition != Disposition::Review
        || case.target.kind != "Role"
    {
        return false;
    }
    let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    let (old, new) = (list(edit.old.as_ref()), list(edit.new.as_ref()));
    let Some((last, _)) = new.split_last().filter(|(_, kept)| **kept == *old) else { return false };
    if edit.path == Path::of("rules") {
        return *last == json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]});
    }
    let rule = edit.path.parent().and_then(|path| case.at(&path).cloned()).unwrap_or_default();
    edit.path.to_string().ends_with(".verbs")
        && *last == json!(verb)
        && rule["apiGroups"] == json!([group])
        && rule["resources"] == json!([resource])
        && rule.get("resourceNames").is_none()
}

/// Whether the pods get back the account of the revision that works, whose rights the program has run with. It is a
/// person's choice.
fn is_account_of_good(case: &Case<'_>, intent: &Intent, edit: &FieldEdit) -> bool {
    let root = case.spec_path();
    let change = case.finding.change.as_ref().filter(|change| change.good);
    case.finding.code.name() == "crash-rbac-forbidden"
        && intent.author == Author::Rule
        && intent.disposition == Disposition::Review
        && [root.field("serviceAccountName"), root.field("serviceAccount")].contains(&edit.path)
        && change.is_some_and(|change| change.fields.iter().any(|one| one.path == edit.path && one.old == edit.new))
}

/// Whether a list only gains the item of this name.
fn keeps_and_adds(edit: &FieldEdit, name: &str) -> bool {
    let list = |value: &Option<Value>| value.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let (old, new) = (list(&edit.old), list(&edit.new));
    let Some((last, kept)) = new.split_last() else { return false };
    *kept == *old && last.get("name").and_then(Value::as_str) == Some(name)
}

/// A mode with the right to execute for everybody who may read.
pub(super) fn executable(mode: i64) -> i64 {
    mode | (mode & 0o444) >> 2
}

/// Fields whose change takes a protection away or gives a right, by any step of the path.
const GUARDED: [&str; 12] = [
    "securityContext",
    "automountServiceAccountToken",
    "serviceAccountName",
    "serviceAccount",
    "hostNetwork",
    "hostPID",
    "hostIPC",
    "hostPath",
    "hostPort",
    "replicas",
    "runtimeClassName",
    "defaultMode",
];

/// What a code is about, and its rule changes within bounds of its own.
const OWN: [(&str, &str); 2] =
    [("serviceaccount-missing", "serviceAccountName"), ("runtimeclass-missing", "runtimeClassName")];

/// What an edit weakens, if it does.
fn weakens(code: &str, kind: &str, edit: &FieldEdit) -> Option<&'static str> {
    match kind {
        "NetworkPolicy" | "ResourceQuota" | "LimitRange" => return Some("change what protects the namespace"),
        "PodDisruptionBudget" if !edit.path.starts_with(&Path::of("spec.selector")) => {
            return Some("change how many pods are protected");
        }
        "Role" | "ClusterRole" | "RoleBinding" | "ClusterRoleBinding" => return Some("give a right"),
        _ => {}
    }
    if strengthens(edit) {
        return None;
    }
    let has = |name: &str| edit.path.0.iter().any(|step| matches!(step, Step::Field(field) if field == name));
    let names = || GUARDED.iter().filter(|name| !OWN.contains(&(code, **name)));
    let inside = |value: &Value| GUARDED.iter().any(|name| value.to_string().contains(&format!("\"{name}\":")));
    if names().any(|name| has(name)) || edit.new.iter().chain(&edit.old).any(inside) {
        return Some("change a right or a protection");
    }
    let protects = ["livenessProbe", "readinessProbe", "startupProbe", "limits", "requests", "resources"];
    if edit.op == Op::Remove && protects.iter().any(|name| has(name)) {
        return Some("take a probe, a limit or a request away");
    }
    None
}

/// Whether an edit can only take rights from a pod.
fn strengthens(edit: &FieldEdit) -> bool {
    let Some(Step::Field(last)) = edit.path.0.last() else { return false };
    let is_right =
        matches!(last.as_str(), "privileged" | "hostNetwork" | "hostPID" | "hostIPC" | "allowPrivilegeEscalation");
    if last == "hostPort" {
        return edit.op == Op::Remove;
    }
    match &edit.new {
        Some(Value::Bool(false)) => is_right,
        Some(Value::Bool(true)) => last == "runAsNonRoot",
        Some(Value::Array(names)) => last == "drop" && names.iter().any(|name| name == "ALL"),
        Some(Value::String(profile)) => {
            let open = edit.old.as_ref().is_none_or(|old| old == "Unconfined");
            last == "type"
                && profile == "RuntimeDefault"
                && edit.path.to_string().ends_with("seccompProfile.type")
                && open
        }
        // Unset, it is off; escalation is on.
        None => is_right && last != "allowPrivilegeEscalation" && edit.old == Some(Value::Bool(true)),
        Some(_) => false,
    }
}

/// Whether an edit is half of a move: the same container in another list takes nothing away.
fn is_moved(intent: &Intent, edit: &FieldEdit) -> bool {
    // What makes it a sidecar, and what the API fills in.
    const ASIDE: [&str; 3] = ["restartPolicy", "terminationMessagePath", "terminationMessagePolicy"];
    let bare = |value: &Value| {
        let mut value = value.clone();
        if let Some(map) = value.as_object_mut() {
            map.retain(|field, there| {
                !ASIDE.contains(&field.as_str()) && there.as_object().is_none_or(|map| !map.is_empty())
            });
        }
        value
    };
    let Some(own) = edit.old.as_ref().or(edit.new.as_ref()).filter(|value| value.is_object()) else { return false };
    intent.edits.iter().any(|other| {
        let others = if edit.op == Op::Remove { other.new.as_ref() } else { other.old.as_ref() };
        other.path != edit.path && others.is_some_and(|value| bare(value) == bare(own))
    })
}

//! What carries a merged change to the cluster.

use super::scaler::{Scaler, sets_replicas};
use crate::model::intent::FieldEdit;
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::model::proposal::{Delivery, Next};
use crate::model::snapshot::Snapshot;
use crate::text::{and, shell_word};
use serde_json::Value;

/// Controllers that are followed upwards: a HelmRelease is itself applied by a Kustomization.
const LEVELS: usize = 8;

const FLUX: [(&str, &str, &str); 2] = [
    ("kustomize.toolkit.fluxcd.io", "Kustomization", "kustomization"),
    ("helm.toolkit.fluxcd.io", "HelmRelease", "helmrelease"),
];

/// What happens once these edits are on `branch`, from the object's marks and the
/// controllers that were seen. A controller that was not seen is named, and nothing is said for it.
pub fn next(snapshot: &Snapshot, object: &Object, edits: &[FieldEdit], branch: &str) -> Next {
    let mut said = Said { snapshot, branch, next: Next::default(), known: false };
    let fields: Vec<Path> = edits.iter().map(|edit| edit.path.clone()).collect();
    said.autoscaler(object, edits);
    said.rollout(object, &fields);
    said.deliverer(object, &fields);
    if !said.known {
        let by = object.metadata.annotations.get("meta.helm.sh/release-name").map_or_else(
            || "nothing on the object says what applies it from Git: apply it as it was applied before".to_owned(),
            |release| format!("Helm release {release} was installed by a command: upgrade it by hand"),
        );
        said.next.lines.push(by);
    }
    said.next
}

/// The same for a change of what a controller applies, when it is the controller itself that fails.
pub fn next_by(snapshot: &Snapshot, controller: &Object, branch: &str) -> Next {
    let mut said = Said { snapshot, branch, next: Next::default(), known: true };
    let name = &controller.metadata.name;
    match FLUX.iter().find(|(group, kind, _)| controller.kind == *kind && controller.api_version.starts_with(group)) {
        Some((_, _, verb)) => {
            said.flux(controller, verb);
            said.next.commands.push(reconcile(verb, name, &controller.metadata.namespace));
        }
        None => {
            said.application(controller, controller, &[]);
            said.next.commands.push(format!("argocd app sync {}", shell_word(name)));
        }
    }
    said.next
}

/// `flux reconcile kustomization apps -n flux-system --with-source`.
fn reconcile(verb: &str, name: &str, namespace: &str) -> String {
    let source = if verb == "kustomization" { " --with-source" } else { "" };
    format!("flux reconcile {verb} {} -n {}{source}", shell_word(name), shell_word(namespace))
}

struct Said<'s> {
    snapshot: &'s Snapshot,
    branch: &'s str,
    next: Next,
    /// Whether anything says what applies the object.
    known: bool,
}

impl<'s> Said<'s> {
    fn say(&mut self, delivery: Delivery, line: String) {
        self.next.delivery = self.next.delivery.max(delivery);
        self.next.lines.push(line);
    }

    /// An autoscaler that sets the replicas again, whatever Git says.
    fn autoscaler(&mut self, object: &Object, edits: &[FieldEdit]) {
        if let Some(scaler) = Scaler::of(self.snapshot, object).filter(|_| edits.iter().any(sets_replicas)) {
            let line = format!("spec.replicas is set by {}, not by Git", scaler.object.qualified());
            self.say(Delivery::Blocked, line);
        }
    }

    /// Workloads that take a new template and start no pod with it.
    fn rollout(&mut self, object: &Object, fields: &[Path]) {
        let template = Path::of("spec.template");
        if !fields.iter().any(|field| field.starts_with(&template)) {
            return;
        }
        if object.kind == "Deployment" && object.at("/spec/paused") == Some(&Value::Bool(true)) {
            let line = "the Deployment is paused: no new pods until it is resumed".to_owned();
            self.say(Delivery::Blocked, line);
        }
        if object.text("/spec/updateStrategy/type") == "OnDelete" {
            let line = format!("the {} replaces a pod only when it is deleted (OnDelete)", object.kind);
            self.say(Delivery::Manual, line);
        }
    }

    /// What applies the object, and what applies that.
    fn deliverer(&mut self, object: &Object, fields: &[Path]) {
        let mut here = object;
        for level in 0..LEVELS {
            if let Some(mark) = disabled(here) {
                let line = format!("{} is left alone by Flux ({mark})", shown(here));
                self.say(Delivery::Blocked, line);
            }
            let Some(above) = self.above(here) else {
                if let Some(manager) = super::lead::config_sync::manager(here) {
                    self.known = true;
                    self.say(Delivery::Automatic, format!("{} of Config Sync syncs by itself", manager.qualified()));
                }
                break;
            };
            let Some(controller) = above.seen else {
                self.known = true;
                let line = format!("{} was not seen: whether it syncs by itself is not known", above.name);
                self.next.lines.push(line);
                self.next.commands.push(above.command);
                break;
            };
            if above.listed == Some(false) {
                // A mark that was copied or is stale: the controller itself does not know the object.
                break;
            }
            self.known = true;
            match controller.kind.as_str() {
                "Application" => self.application(controller, here, if level == 0 { fields } else { &[] }),
                _ => self.flux(controller, above.verb),
            }
            self.next.commands.insert(0, above.command);
            if controller.kind == "Kustomization" || controller.kind == "Application" {
                break;
            }
            here = controller;
        }
    }

    fn flux(&mut self, controller: &Object, verb: &str) {
        let meta = &controller.metadata;
        let who = shown(controller);
        if controller.at("/spec/suspend") == Some(&Value::Bool(true)) {
            let resume = format!("flux resume {verb} {} -n {}", shell_word(&meta.name), shell_word(&meta.namespace));
            self.say(Delivery::Blocked, format!("{who} is suspended: `{resume}` lets the change arrive"));
            return;
        }
        let interval = Some(controller.text("/spec/interval")).filter(|text| !text.is_empty());
        let within = interval.map(|interval| format!(", at the latest every {interval}")).unwrap_or_default();
        self.say(Delivery::Automatic, format!("{who} syncs by itself{within}"));
        self.source(controller);
    }

    /// Whether the source that a Kustomization reads follows the branch.
    fn source(&mut self, controller: &Object) {
        let kind = controller.text("/spec/sourceRef/kind");
        let name = controller.text("/spec/sourceRef/name");
        let namespace = Some(controller.text("/spec/sourceRef/namespace"))
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or(&controller.metadata.namespace);
        if !kind.is_empty() && kind != "GitRepository" {
            let line =
                format!("{kind} {namespace}/{name} is published from Git by something else, which must run first");
            self.say(Delivery::Manual, line);
            return;
        }
        let Some(source) = self.snapshot.find("GitRepository", namespace, name) else { return };
        let who = shown(source);
        if source.at("/spec/suspend") == Some(&Value::Bool(true)) {
            let resume = format!("flux resume source git {} -n {}", shell_word(name), shell_word(namespace));
            self.say(Delivery::Blocked, format!("{who} is suspended: `{resume}` lets the change arrive"));
        }
        for pinned in ["commit", "name", "semver", "tag"] {
            let value = source.text(&format!("/spec/ref/{pinned}"));
            if !value.is_empty() {
                self.say(Delivery::Blocked, format!("{who} follows {pinned} {value}, not a branch"));
                return;
            }
        }
        let follows = source.text("/spec/ref/branch");
        if !follows.is_empty() && follows != self.branch {
            let line = format!("{who} follows branch {follows}, and the change is based on {}", self.branch);
            self.say(Delivery::Blocked, line);
        }
    }

    fn application(&mut self, application: &Object, object: &Object, fields: &[Path]) {
        let who = shown(application);
        let automated = application.at("/spec/syncPolicy/automated");
        let is_automated = automated.is_some_and(|policy| !policy.is_null() && policy["enabled"] != false);
        if is_automated {
            self.say(Delivery::Automatic, format!("{who} syncs by itself"));
        } else {
            self.say(Delivery::Manual, format!("{who} syncs by hand"));
        }
        let revisions: Vec<&str> = ["/spec/source/targetRevision"]
            .iter()
            .filter_map(|pointer| application.at(pointer)?.as_str())
            .chain(list(application, "/spec/sources").filter_map(|source| source["targetRevision"].as_str()))
            .filter(|revision| !revision.is_empty())
            .collect();
        let is_followed = |revision: &&str| {
            let name = revision.strip_prefix("refs/heads/").unwrap_or(revision);
            name == "HEAD" || name == self.branch
        };
        if !revisions.is_empty() && !revisions.iter().any(is_followed) {
            let line = format!("{who} follows {}, and the change is based on {}", and(&revisions), self.branch);
            self.say(Delivery::Blocked, line);
        }
        self.ignored(application, object, fields, is_automated);
    }

    /// Fields whose difference Argo CD is told to overlook.
    fn ignored(&mut self, application: &Object, object: &Object, fields: &[Path], is_automated: bool) {
        let live = object.to_value();
        let covers = |rule: &Value, field: &Path| {
            let pointer = field.pointer(&live).unwrap_or_default();
            let pointers = rule["jsonPointers"].as_array().into_iter().flatten().filter_map(Value::as_str);
            pointers.into_iter().any(|covered| !covered.is_empty() && below(&pointer, covered))
        };
        let respects = list(application, "/spec/syncPolicy/syncOptions")
            .any(|option| option.as_str() == Some("RespectIgnoreDifferences=true"));
        for rule in list(application, "/spec/ignoreDifferences").filter(|rule| is_about(rule, object)) {
            for field in fields.iter().filter(|field| covers(rule, field)) {
                let line = format!("Application {} ignores differences of {field}", application.metadata.name);
                match (respects, is_automated) {
                    (true, _) => self.say(Delivery::Blocked, format!("{line}, and a sync keeps the live value")),
                    (false, true) => self.say(Delivery::Manual, format!("{line}: such a change starts no sync")),
                    (false, false) => self.say(Delivery::Manual, line),
                }
            }
            if ["jqPathExpressions", "managedFieldsManagers"].iter().any(|name| rule.get(*name).is_some()) {
                let line =
                    "it ignores differences by expression or by manager; whether of this field was not looked at";
                self.next.lines.push(line.to_owned());
            }
        }
    }

    /// The controller whose mark an object bears.
    fn above(&self, object: &Object) -> Option<Above<'s>> {
        let labels = &object.metadata.labels;
        // A HelmRelease's own post-renderer writes last.
        for (group, kind, verb) in FLUX.iter().rev() {
            let Some(name) = labels.get(&format!("{group}/name")) else { continue };
            let namespace = labels.get(&format!("{group}/namespace")).map_or("", String::as_str);
            let seen = self.snapshot.find(kind, namespace, name).filter(|one| one.api_version.starts_with(group));
            let listed = seen.filter(|_| *kind == "Kustomization").and_then(|one| in_inventory(one, object));
            let command = reconcile(verb, name, namespace);
            return Some(Above { name: format!("{kind} {namespace}/{name}"), verb, seen, listed, command });
        }
        let id = object.metadata.annotations.get("argocd.argoproj.io/tracking-id")?;
        let tracked = super::claims::tracked(id, &object.object())?;
        let seen = self.snapshot.kind("Application").iter().find(|one| match tracked.split_once('_') {
            Some((namespace, name)) => one.metadata.namespace == namespace && one.metadata.name == name,
            None => one.metadata.name == tracked,
        });
        let listed = seen.and_then(|application| in_resources(application, object));
        let command = format!("argocd app sync {}", shell_word(&tracked.replacen('_', "/", 1)));
        Some(Above { name: format!("Application {tracked}"), verb: "", seen, listed, command })
    }
}

struct Above<'s> {
    name: String,
    verb: &'static str,
    seen: Option<&'s Object>,
    /// Whether its own status lists the object; `None` when it has no such list.
    listed: Option<bool>,
    command: String,
}

/// `Kustomization flux-system/apps`.
fn shown(object: &Object) -> String {
    object.object().qualified()
}

/// The mark that keeps Flux from changing an object.
fn disabled(object: &Object) -> Option<String> {
    let marks = [("reconcile", "disabled"), ("ssa", "Ignore"), ("ssa", "IfNotPresent")];
    marks.iter().find_map(|(name, value)| {
        let key = format!("kustomize.toolkit.fluxcd.io/{name}");
        let found = object.metadata.annotations.get(&key).or_else(|| object.metadata.labels.get(&key))?;
        found.eq_ignore_ascii_case(value).then(|| format!("{key}: {found}"))
    })
}

fn list<'o>(object: &'o Object, pointer: &str) -> impl Iterator<Item = &'o Value> {
    object.at(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// `status.inventory.entries[].id` is `<namespace>_<name>_<group>_<kind>`.
fn in_inventory(kustomization: &Object, object: &Object) -> Option<bool> {
    kustomization.at("/status/inventory/entries")?;
    let own = object.object();
    let id = format!("{}_{}_{}_{}", own.namespace(), own.name, own.group, own.kind);
    // Names of RBAC objects may hold `:`, which is written as two underscores.
    let id = id.replace(':', "__");
    Some(list(kustomization, "/status/inventory/entries").any(|entry| entry["id"].as_str() == Some(&id)))
}

fn in_resources(application: &Object, object: &Object) -> Option<bool> {
    application.at("/status/resources")?;
    let own = object.object();
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    Some(list(application, "/status/resources").any(|one| {
        text(one, "kind") == own.kind
            && text(one, "name") == own.name
            && text(one, "group") == own.group
            && text(one, "namespace") == own.namespace()
    }))
}

/// Whether a rule of `ignoreDifferences` names this object; what it leaves open, or `*`, is any.
fn is_about(rule: &Value, object: &Object) -> bool {
    let own = object.object();
    let fits = |name: &str, value: &str| {
        let wanted = rule[name].as_str().unwrap_or_default();
        wanted == "*" || wanted == value || wanted.is_empty() && matches!(name, "name" | "namespace")
    };
    fits("group", &own.group)
        && fits("kind", &own.kind)
        && fits("name", &own.name)
        && fits("namespace", own.namespace())
}

/// Whether one JSON pointer lies in or above the other.
fn below(pointer: &str, covered: &str) -> bool {
    let inside = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    inside(pointer, covered) || inside(covered, pointer)
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "`json!` makes values")]
#[path = "next_tests.rs"]
mod tests;

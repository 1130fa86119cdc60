//! Values of a ConfigMap that may not be what was meant.

use super::crash;
use super::log_lines;
use super::observe::Observation;
use super::row::rows;
use super::settings;
use super::view::{Subject, View, Workload};
use crate::model::code::CodeInfo;
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::kube::{Container, ContainerStatus, Keyed, Oddity};
use crate::model::path::{Path, Step};
use crate::text;
use serde_json::Value;
use std::collections::BTreeSet;

rows! { "config";
CONFIG_VALUE_EMPTY "config-value-empty" Model:
    "a failing container gets a setting that is empty";
    "The key is there, so the container starts, but its value is empty or white space.";
    "variables of a failing container that come from a ConfigMap, and whether those values are empty. The values \
     themselves are not kept.";
    "A template whose value was not filled in, a key that was added without a value.";
    "A possible cause only. What the value should be only a person knows.".
CONFIG_ENCODING "config-encoding" Model:
    "a failing container reads a setting whose encoding looks wrong";
    "A byte order mark, a carriage return, a tab that indents YAML, or Base64 where plain text belongs: programs take \
     these for part of the value.";
    "the first bytes, line ends and alphabet of the ConfigMap values that a failing container reads. The values \
     themselves are not kept.";
    "A file that was saved on Windows, a value that was copied from a Secret.";
    "A possible cause only: save the value as plain text with plain line ends.".
}

/// ConfigMaps whose values are worth one request each.
const MAPS: usize = 3;

/// One place where a container reads from a ConfigMap.
struct Use {
    map: String,
    /// `None`: all keys.
    key: Option<String>,
    /// The variable that is set, `None` for a file or for all variables.
    variable: Option<String>,
    is_file: bool,
    /// The command names a file below the place where it is mounted.
    is_run: bool,
    /// Below the container, or below the pod's spec for a file.
    path: Path,
}

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let mut out = Vec::new();
    for (workload, container) in failing(view) {
        let uses = uses(workload, container);
        out.extend(told(view, workload, container, &uses, &CONFIG_VALUE_EMPTY));
        out.extend(told(view, workload, container, &uses, &CONFIG_ENCODING));
    }
    out
}

/// Namespace and name of the ConfigMaps that failing containers read, for a look at the kind of their values.
pub(crate) fn wanted(view: &View<'_>) -> Vec<(String, String)> {
    let mut all: Vec<(bool, (String, String))> = Vec::new();
    for (workload, container) in failing(view) {
        for one in uses(workload, container) {
            if find(view, workload, &one.map).is_some() {
                all.push((one.is_run, (workload.top.namespace().to_owned(), one.map)));
            }
        }
    }
    // What is run tells most.
    all.sort_by_key(|(is_run, _)| !is_run);
    let mut out: Vec<(String, String)> = Vec::new();
    for (_, name) in all {
        if out.len() < MAPS && !out.contains(&name) {
            out.push(name);
        }
    }
    out
}

/// Containers that ended and are not ready, and those that crash: without a readiness probe such a one is ready for
/// as long as each run lasts.
fn failing<'v, 's>(view: &'v View<'s>) -> Vec<(&'v Workload<'s>, &'s Container)> {
    let has_ended = |status: &ContainerStatus| status.restart_count > 0 || status.state.terminated.is_some();
    let pods = view.subjects().filter(|subject| subject.pod.status.container_statuses.iter().any(has_ended));
    let crashing: BTreeSet<(&str, &str)> = pods
        .flat_map(Subject::containers)
        .filter(crash::is_crashing)
        .map(|container| (container.at.workload.key.as_str(), container.status.name.as_str()))
        .collect();
    let mut out = Vec::new();
    for workload in view.workloads.iter().filter(|workload| workload.counts.desired > 0) {
        let crashes = crashing.range((workload.key.as_str(), "")..).take_while(|(key, _)| *key == workload.key);
        let failing = settings::failing(workload).map(|status| status.name.as_str());
        let names: BTreeSet<&str> = failing.chain(crashes.map(|(_, name)| *name)).collect();
        if !names.is_empty() {
            let containers = settings::containers(workload).iter();
            out.extend(containers.filter(|one| names.contains(&*one.name)).map(|container| (workload, container)));
        }
    }
    out
}

fn find<'v>(view: &'v View<'_>, workload: &Workload<'_>, name: &str) -> Option<&'v Keyed> {
    view.config_map(workload.top.namespace(), name)
}

/// Every place where this container reads from a ConfigMap.
fn uses(workload: &Workload<'_>, container: &Container) -> Vec<Use> {
    let text = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let mut out = Vec::new();
    for variable in &container.env {
        let Some(from) = &variable.value_from else { continue };
        let Some(map) = text(from, "/configMapKeyRef/name") else { continue };
        let path = Path::of("env").item(&variable.name).field("valueFrom").field("configMapKeyRef");
        let key = text(from, "/configMapKeyRef/key");
        out.push(Use { map, key, variable: Some(variable.name.clone()), is_file: false, is_run: false, path });
    }
    for (at, source) in container.env_from.iter().enumerate() {
        let Some(map) = text(source, "/configMapRef/name") else { continue };
        let path = Path::of("envFrom").push(Step::Index(at)).field("configMapRef");
        out.push(Use { map, key: None, variable: None, is_file: false, is_run: false, path });
    }
    for volume in settings::volumes(workload) {
        let Some(name) = text(volume, "/name") else { continue };
        let is_it = |mount: &&Value| mount.get("name").and_then(Value::as_str) == Some(&name);
        let mut mounts = container.volume_mounts.iter().filter(is_it).peekable();
        if mounts.peek().is_none() {
            continue;
        }
        let is_run = mounts.any(|mount| text(mount, "/mountPath").is_some_and(|folder| runs(container, &folder)));
        let projected = volume.pointer("/projected/sources").and_then(Value::as_array).into_iter().flatten();
        for source in [volume].into_iter().chain(projected).filter_map(|one| one.get("configMap")) {
            let Some(map) = text(source, "/name") else { continue };
            let items = source.get("items").and_then(Value::as_array);
            let path = Path::of("volumes").item(&name);
            let one = |key: Option<String>| Use {
                map: map.clone(),
                key,
                variable: None,
                is_file: true,
                is_run,
                path: path.clone(),
            };
            match items {
                Some(items) => out.extend(items.iter().map(|item| one(text(item, "/key")))),
                None => out.push(one(None)),
            }
        }
    }
    out
}

/// Whether a word of the command is a path in this folder.
fn runs(container: &Container, folder: &str) -> bool {
    let words = container.command.iter().chain(&container.args).flat_map(|word| word.split_whitespace());
    let bare = folder.trim_end_matches('/');
    words.into_iter().any(|word| word.strip_prefix(bare).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn told(
    view: &View<'_>,
    workload: &Workload<'_>,
    container: &Container,
    uses: &[Use],
    code: &'static CodeInfo,
) -> Option<Observation> {
    let is_empty_code = std::ptr::eq(code, &raw const CONFIG_VALUE_EMPTY);
    let mut named: BTreeSet<(String, String)> = BTreeSet::new();
    let mut shown: Vec<(String, Path)> = Vec::new();
    for one in uses {
        let Some(map) = find(view, workload, &one.map) else { continue };
        for (key, oddity) in &map.odd {
            let is_read = one.key.as_ref().is_none_or(|wanted| wanted == key);
            // An empty file is common and means what it says.
            let fits = if is_empty_code { *oddity == Oddity::Empty && !one.is_file } else { *oddity != Oddity::Empty };
            if !is_read || !fits || !named.insert((one.map.clone(), key.clone())) {
                continue;
            }
            let as_variable = one.variable.as_ref().map(|name| format!(", read as {name}")).unwrap_or_default();
            let root = if one.is_file { workload.spec_path() } else { container_path(workload, container) };
            let words = format!("key {key} of ConfigMap {} {}{as_variable}", one.map, words(*oddity));
            shown.push((words, root.join(&one.path)));
        }
    }
    let (first, _) = shown.first()?;
    let more = match shown.len() {
        1 => String::new(),
        n => format!(", and {} more like it", text::count(n - 1, "value")),
    };
    let mut seen = Observation::of_workload(code, workload);
    seen.container = Some(container.name.clone());
    seen.summary = format!("container {}: {first}{more}", container.name);
    seen.severity = Some(Severity::Info);
    seen.confidence = Confidence::Hypothesis;
    for (words, path) in &shown {
        seen.show(Source::Spec, None, words, Some(path.clone()));
    }
    let says = |line: &str| {
        let names = uses.iter().filter_map(|one| one.variable.as_deref()).chain(named.iter().map(|(_, key)| &**key));
        names.into_iter().any(|name| line.contains(name))
    };
    let running = view.subjects().flat_map(Subject::containers);
    let own =
        |one: &super::view::Running<'_, '_>| one.at.workload.key == workload.key && one.status.name == container.name;
    if let Some(line) = running.filter(own).find_map(|one| log_lines::find(&one, says)) {
        seen.show(Source::Log, line.at, &line.text, None);
    }
    let keys: Vec<String> = named.into_iter().map(|(map, key)| format!("{map}/{key}")).collect();
    seen.message = keys.join(" ");
    seen.fact("keys", keys);
    Some(seen)
}

fn container_path(workload: &Workload<'_>, container: &Container) -> Path {
    workload.spec_path().field("containers").item(&container.name)
}

fn words(oddity: Oddity) -> &'static str {
    match oddity {
        Oddity::Empty => "is empty",
        Oddity::ByteOrderMark => "begins with a byte order mark",
        Oddity::CarriageReturn => "has carriage returns",
        Oddity::WindowsScript => "is a script with the line ends of Windows",
        Oddity::TabIndent => "is YAML that is indented with tabs",
        Oddity::Base64 => "is Base64, where a program expects the text itself",
    }
}

#[cfg(test)]
mod tests {
    use super::super::needs;
    use super::super::testing::{of, ready};
    use serde_json::{Value, json};

    /// The codes of this family that a pod with this container, which crashes or is ready, shows.
    fn codes(container: &Value, crashes: bool) -> Vec<String> {
        let mut pod = ready("web", json!({"app": "web"}));
        let spec = &mut pod["spec"];
        spec["containers"][0].as_object_mut().unwrap().extend(container.as_object().unwrap().clone());
        spec["volumes"] = json!([{"name": "files", "configMap": {"name": "cfg", "items": [{"key": "app.yaml", "path": "a"}]}},
            {"name": "all", "projected": {"sources": [{"configMap": {"name": "cfg"}}]}}]);
        if crashes {
            pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
            pod["status"]["containerStatuses"][0] = json!({"name": "app", "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-22T16:50:00Z"}}});
        }
        let map = json!({"kind": "ConfigMap", "metadata": {"name": "cfg"}, "data": {
            "LEVEL": "", "PLAIN": "x", "app.yaml": "a:\n\tb: 1", "URL": "cG9zdGdyZXM6Ly9kYg=="}});
        let found = super::super::diagnose(&of(&[map, pod]));
        let all = found.findings.iter().flat_map(|finding| {
            let effects = finding.effects.iter().map(|effect| effect.code.name());
            std::iter::once(finding.code.name()).chain(effects)
        });
        all.filter(|code| code.starts_with("config-")).map(str::to_owned).collect()
    }

    fn variable(key: &str) -> Value {
        json!({"env": [{"name": "V", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": key}}}]})
    }

    #[test]
    fn the_values_of_what_crashes_are_wanted_while_it_runs_too() {
        let wanted = |restarts: usize| {
            let mut pod = ready("web", json!({"app": "web"}));
            pod["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "cfg"}}]);
            pod["status"]["containerStatuses"][0] = json!({"name": "app", "ready": true, "restartCount": restarts,
                "state": {"running": {"startedAt": "2026-11-22T16:59:59Z"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-22T16:59:40Z"}}});
            let map = json!({"kind": "ConfigMap", "metadata": {"name": "cfg"}, "data": {"LEVEL": "1"}});
            needs(&of(&[map, pod])).maps.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        assert_eq!(wanted(4), ["cfg"]);
        assert!(wanted(1).is_empty(), "it runs again");
    }

    #[test]
    fn an_empty_value_is_a_possible_cause_of_a_crash_only() {
        assert_eq!(codes(&variable("LEVEL"), true), ["config-value-empty"]);
        assert!(codes(&variable("LEVEL"), false).is_empty(), "it runs well with it");
        assert!(codes(&variable("PLAIN"), true).is_empty());
        let all = json!({"envFrom": [{"configMapRef": {"name": "cfg"}}]});
        assert_eq!(codes(&all, true), ["config-encoding", "config-value-empty"]);
    }

    #[test]
    fn an_encoding_that_programs_stumble_over_is_a_possible_cause() {
        assert_eq!(codes(&variable("URL"), true), ["config-encoding"]);
        assert!(codes(&variable("URL"), false).is_empty());
        let mounted = |name: &str| json!({"volumeMounts": [{"name": name, "mountPath": "/etc/app"}]});
        assert_eq!(codes(&mounted("files"), true), ["config-encoding"]);
        assert_eq!(codes(&mounted("all"), true), ["config-encoding"], "an empty file is no finding");
        assert!(codes(&mounted("other"), true).is_empty());
    }
}

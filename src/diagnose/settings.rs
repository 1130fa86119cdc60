//! Configuration that changed, or that can't mean what it says.

use super::configured::{Configured, Settings, Volume};
use super::observe::{Explains, Observation};
use super::parallel;
use super::row::rows;
use super::view::{View, Workload};
use super::writes::{self, NEAR};
use crate::model::code::{CodeInfo, FixClass};
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::kube::{Container, ContainerStatus, Event, Keyed, ManagedField, Object, Pod, PodSpec};
use crate::text;
use jiff::Timestamp;
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

rows! { "config";
CONFIG_CHANGED_NOT_RELOADED "config-changed-not-reloaded" Ask:
    "a ConfigMap changed and the containers still run with the old values";
    "Variables and subPath mounts are read when a container starts. A change is seen only after a restart.";
    "a write to the ConfigMap after the container's start, and no checksum in the pod template.";
    "A ConfigMap that was edited by hand or by a tool that does not restart pods.";
    "A person may choose a restart: the pod template gets the annotation kubectl.kubernetes.io/restartedAt with \
     the time of the change. For the next change let the template follow the ConfigMap, by a name with a hash \
     or a checksum.".
CONFIG_CHANGED_BROKE "config-changed-broke" Model:
    "crashes began shortly after a ConfigMap was changed";
    "The template is unchanged and the first crash followed a write to a ConfigMap that the container reads.";
    "the write time of the ConfigMap and the end of the crashed run, less than ten minutes apart.";
    "A value that the program does not accept.";
    "A possible cause only: the old value is in Git history, not in the cluster.".
CONFIG_URL_TYPO "config-url-typo" Rule:
    "a setting names a host that no Service has";
    "A URL in a variable names a host inside the cluster, no Service has that name, and one with a similar name \
     exists.";
    "hosts of URLs in the variables of the template against the Services.";
    "A mistyped name, a Service that was renamed.";
    "Sets the host to that of the only Service that differs by a typo, for a person to review, once the container \
     fails. Otherwise a person chooses.".
ENV_DUPLICATE "env-duplicate" Ask:
    "a variable is set twice in one container";
    "The last one wins, which may not be the one that was meant.";
    "two entries of one name in env.";
    "A patch or a chart value that adds what is already there.";
    "A possible cause only: a person chooses which one stays. The last counts now, so keeping it changes \
     nothing.".
ENV_REF_ORDER "env-ref-order" Rule:
    "a variable is used before it is set";
    "`$(NAME)` is replaced only by variables that stand earlier in the list; otherwise the text stays as it is.";
    "`$(NAME)` in the value of a variable that stands before NAME in env.";
    "Variables that were sorted or merged.";
    "Moves the definition before its use, for a person to review.".
}

static URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^[a-z][a-z0-9+.-]*://(?:[^@/\s]*@)?([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::\d+)?(?:[/?].*)?$").ok()
});
static USE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)").ok());

pub(crate) fn observe(view: &View<'_>) -> Vec<Observation> {
    let of_one = |workload: &Workload<'_>| {
        let mut out = Vec::new();
        let settings = if workload.counts.desired > 0 { Settings::of(workload) } else { Settings::default() };
        for container in &settings.containers {
            out.extend(duplicate(workload, container));
            out.extend(order(workload, container));
            out.extend(host(view, workload, container));
            out.extend(changed(view, workload, &settings.volumes, container));
        }
        out
    };
    parallel::map(&view.workloads, of_one).into_iter().flatten().collect()
}

/// The containers that a workload's template asks for, or those of its pod.
pub(crate) fn containers<'s>(workload: &Workload<'s>) -> &'s [Container] {
    pod_spec(workload).map_or(&[], |spec| &spec.containers)
}

/// The volumes of a workload's template, or of its pod.
pub(crate) fn volumes<'s>(workload: &Workload<'s>) -> &'s [Value] {
    pod_spec(workload).map_or(&[], |spec| &spec.volumes)
}

fn pod_spec<'s>(workload: &Workload<'s>) -> Option<&'s PodSpec> {
    let of_pod = || workload.current.first().map(|pod| &pod.spec);
    workload.source.and_then(Object::pod_spec).or_else(of_pod)
}

fn base(code: &'static CodeInfo, workload: &Workload<'_>, container: &Configured<'_>, summary: String) -> Observation {
    let mut seen = Observation::of_workload(code, workload);
    seen.container = Some(container.name.to_string());
    seen.summary = summary;
    seen.severity = Some(Severity::Info);
    seen.since = workload.source.and_then(|source| source.metadata.creation_timestamp);
    seen.fact("drifted", workload.drifted);
    seen
}

/// Whether this container of the current pods is not ready.
fn fails(workload: &Workload<'_>, container: &Configured<'_>) -> bool {
    failing(workload).any(|status| *status.name == *container.name)
}

/// The containers of the current pods that ended and are not ready.
pub(crate) fn failing<'s>(workload: &Workload<'s>) -> impl Iterator<Item = &'s ContainerStatus> {
    let statuses = workload.current.iter().flat_map(|pod| &pod.status.container_statuses);
    statuses.filter(|status| !status.ready && (status.restart_count > 0 || status.state.terminated.is_some()))
}

fn duplicate(workload: &Workload<'_>, container: &Configured<'_>) -> Option<Observation> {
    let mut seen_names: BTreeMap<&str, usize> = BTreeMap::new();
    container.env.iter().for_each(|variable| *seen_names.entry(&variable.name).or_default() += 1);
    let twice: Vec<&str> = seen_names.into_iter().filter(|(_, times)| *times > 1).map(|(name, _)| name).collect();
    if twice.is_empty() {
        return None;
    }
    let summary = format!("container {} sets {} twice; the last one wins", container.name, text::and(&twice));
    let mut seen = base(&ENV_DUPLICATE, workload, container, summary);
    seen.confidence = Confidence::Hypothesis;
    let path = workload.spec_path().field("containers").item(&container.name).field("env");
    seen.show(Source::Spec, None, &format!("{} stands twice in env", text::and(&twice)), Some(path));
    Some(seen)
}

fn order(workload: &Workload<'_>, container: &Configured<'_>) -> Option<Observation> {
    let shape = USE.as_ref()?;
    let (at, variable, used) = container.env.iter().enumerate().find_map(|(at, variable)| {
        let value = Some(&*variable.value).filter(|value| value.contains("$("))?;
        let used = shape.captures_iter(value).map(|found| found[1].to_owned());
        // `$$(NAME)` is the text itself.
        let mut later = used.filter(|name| {
            let set_before = container.env[..at].iter().any(|one| *one.name == **name);
            let set_after = container.env[at + 1..].iter().any(|one| *one.name == **name);
            set_after && !set_before && !value.contains(&format!("$$({name})"))
        });
        Some((at, variable, later.next()?))
    })?;
    let summary =
        format!("container {}: {} uses {used}, which is set after it and stays as text", container.name, variable.name);
    let mut seen = base(&ENV_REF_ORDER, workload, container, summary);
    seen.confidence = Confidence::Likely;
    let path = workload.spec_path().field("containers").item(&container.name).field("env");
    seen.show(Source::Spec, None, &format!("{} uses $({used})", variable.name), Some(path.item(&variable.name)));
    if fails(workload, container) {
        seen.severity = None;
        seen.explains.push(Explains {
            key: workload.key.clone(),
            codes: &["crash-app-error", "crash-bad-args", "crash-config-parse", "crash-dns"],
        });
    }
    seen.fact("variable", &*variable.name);
    seen.fact("uses", used);
    seen.fact("position", at);
    Some(seen)
}

/// A URL whose host looks like a Service and is none.
fn host(view: &View<'_>, workload: &Workload<'_>, container: &Configured<'_>) -> Option<Observation> {
    if view.snapshot.lacks("services") {
        return None;
    }
    let own = workload.top.namespace();
    container.env.iter().find_map(|variable| {
        let host = URL
            .as_ref()?
            .captures(Some(&*variable.value).filter(|value| value.contains("://"))?)?
            .get(1)?
            .as_str()
            .to_owned();
        let mut labels = host.split('.');
        let (name, namespace) = (labels.next()?, labels.next());
        // One word, or `name.namespace.svc...`: anything else is a name of the outside.
        let internal = namespace.is_none() || labels.next() == Some("svc");
        let namespace = namespace.unwrap_or(own);
        let here = view.services(namespace)?;
        if !internal || name == "localhost" || here.contains(name) || host.parse::<std::net::IpAddr>().is_ok() {
            return None;
        }
        let near = text::nearest(name, here.iter().copied())?;
        let summary = format!(
            "{} of container {} names host {name}, no Service has it; {near} exists",
            variable.name, container.name
        );
        let mut seen = base(&CONFIG_URL_TYPO, workload, container, summary);
        seen.confidence = Confidence::Likely;
        seen.message = variable.name.to_string();
        let path = workload.spec_path().field("containers").item(&container.name).field("env").item(&variable.name);
        seen.show(Source::Spec, None, &format!("host {host}"), Some(path.field("value")));
        let asked =
            view.snapshot.logs.iter().filter(|log| workload.pods.iter().any(|pod| pod.metadata.name == log.pod));
        let said = asked.flat_map(|log| &log.lines).any(|line| line.text.contains(name));
        if fails(workload, container) && said {
            seen.severity = None;
            seen.explains.push(Explains { key: workload.key.clone(), codes: &["crash-dns", "crash-app-error"] });
        } else {
            seen.class = FixClass::Ask;
        }
        seen.fact("host", name);
        seen.fact("namespace", namespace);
        seen.fact("variable", &*variable.name);
        seen.fact("existing", here.iter().copied().collect::<Vec<_>>());
        Some(seen)
    })
}

/// ConfigMaps that a container reads once, at its start.
fn read_once<'v>(
    view: &'v View<'_>,
    namespace: &str,
    volumes: &[Volume<'_>],
    container: &Configured<'_>,
) -> Vec<&'v Keyed> {
    let of_env = container.env.iter().filter_map(|one| one.value_from.as_ref()?.config_map_key_ref.as_ref());
    let of_all = container.env_from.iter().filter_map(|one| one.config_map_ref.as_ref());
    let mounts = container.volume_mounts.iter().filter(|mount| mount.sub_path.is_some());
    let mounted = mounts.filter_map(|mount| volumes.iter().find(|volume| *volume.name == *mount.name));
    let of_files = mounted.filter_map(|volume| volume.config_map.as_ref());
    let names: BTreeSet<&str> = of_env.chain(of_all).chain(of_files).map(|map| &*map.name).collect();
    names.into_iter().filter_map(|name| view.config_map(namespace, name)).collect()
}

/// The last write to a ConfigMap; its creation counts.
fn written(map: &Keyed) -> Option<(Timestamp, &ManagedField)> {
    let updates =
        map.metadata.managed_fields.iter().filter(|entry| entry.operation == "Update" || entry.operation == "Apply");
    updates.filter_map(|entry| Some((entry.time?, entry))).max_by_key(|(at, _)| *at)
}

/// When a container began to crash: at its first back-off, or, with few restarts, about when it ended last.
pub(super) fn crashes_since(view: &View<'_>, pod: &Pod, status: &ContainerStatus) -> Option<Timestamp> {
    let waits = view
        .container_events(pod, &status.name)
        .filter(|event| event.reason == "BackOff" && event.text().starts_with("Back-off restarting failed container"));
    let last = status.last_state.terminated.as_ref().filter(|_| status.restart_count <= 3);
    waits.filter_map(Event::first_seen).min().or_else(|| last?.finished_at.0)
}

fn changed(
    view: &View<'_>,
    workload: &Workload<'_>,
    volumes: &[Volume<'_>],
    container: &Configured<'_>,
) -> Option<Observation> {
    let source = workload.source?;
    let annotations: BTreeMap<String, Value> =
        source.template_pointer().map(|at| source.view(&format!("{at}/metadata/annotations"))).unwrap_or_default();
    // A tool that adds a checksum restarts the pods itself.
    if annotations.keys().any(|key| key.contains("checksum") || key.contains("reloader")) {
        return None;
    }
    workload.current.iter().find_map(|pod| {
        let status = pod.status.container_statuses.iter().find(|status| *status.name == *container.name)?;
        read_once(view, &pod.metadata.namespace, volumes, container).into_iter().find_map(|map| {
            let (at, by) = written(map)?;
            let name = &map.metadata.name;
            let begun = crashes_since(view, pod, status);
            let is_change = map.metadata.creation_timestamp.is_none_or(|made| made.as_second() < at.as_second());
            let soon_after =
                is_change && begun.is_some_and(|begun| (0..NEAR).contains(&(begun.as_second() - at.as_second())));
            let (code, summary) = if fails(workload, container) && soon_after {
                (
                    &CONFIG_CHANGED_BROKE,
                    format!("container {} crashed shortly after ConfigMap {name} was changed", container.name),
                )
            } else {
                let started = status.state.running.as_ref().and_then(|running| running.started_at.0)?;
                if at.as_second() <= started.as_second() {
                    return None;
                }
                (
                    &CONFIG_CHANGED_NOT_RELOADED,
                    format!("container {} runs with ConfigMap {name} as it was before it changed", container.name),
                )
            };
            let mut seen = base(code, workload, container, summary);
            seen.confidence = Confidence::Hypothesis;
            name.clone_into(&mut seen.message);
            seen.since = Some(at);
            seen.pod = Some(pod.metadata.name.clone());
            seen.show(Source::History, Some(at), &writes::words(name, by), None);
            for (at, other) in writes::of_map(map).into_iter().filter(|(_, other)| *other != by).take(3) {
                seen.show(Source::History, Some(at), &writes::words(name, other), None);
            }
            seen.fact("configMap", name.as_str());
            Some(seen)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{all, event, of, ready, roots};
    use serde_json::{Value, json};

    fn with_env(env: Value) -> Value {
        let mut pod = ready("web", json!({"app": "web"}));
        pod["spec"]["containers"][0]["env"] = env;
        pod
    }

    #[test]
    fn variables_that_stand_twice_or_too_early_are_told() {
        let twice = json!([{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]);
        assert_eq!(all(&[with_env(twice)]), ["env-duplicate Pod/web"]);
        let early = json!([{"name": "URL", "value": "http://$(HOST)/"}, {"name": "HOST", "value": "x.io"}]);
        assert_eq!(all(&[with_env(early)]), ["env-ref-order Pod/web"]);
        let right = json!([{"name": "HOST", "value": "x.io"}, {"name": "URL", "value": "http://$(HOST)/"}]);
        assert!(all(&[with_env(right)]).is_empty());
        let text = json!([{"name": "URL", "value": "$$(HOST)"}, {"name": "HOST", "value": "x.io"}]);
        assert!(all(&[with_env(text)]).is_empty());
    }

    #[test]
    fn a_host_that_no_service_has_is_told_with_the_closest() {
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "orders"}, "spec": {}});
        let url = |url: &str| all(&[with_env(json!([{"name": "URL", "value": url}])), service.clone()]);
        assert_eq!(url("http://ordres:8080/x"), ["config-url-typo Pod/web"]);
        assert_eq!(url("http://ordres.a.svc.cluster.local"), ["config-url-typo Pod/web"]);
        assert!(url("http://orders:8080").is_empty());
        assert!(url("https://orders.io/").is_empty(), "a name of the outside");
        assert!(roots(&[with_env(json!([{"name": "URL", "value": "http://ordres"}])), service.clone()]).is_empty());
    }

    #[test]
    fn a_crash_right_after_a_change_is_a_possible_cause() {
        let at = "2026-11-22T16:50:00Z";
        let map = json!({"kind": "ConfigMap", "metadata": {"name": "cfg", "managedFields": [{"manager": "kubectl-edit", "operation": "Update", "time": at}]}});
        let container = json!({"name": "app", "image": "x", "envFrom": [{"configMapRef": {"name": "cfg"}}]});
        let web = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {"replicas": 1, "template": {"spec": {"containers": [container]}}}});
        let mut pod = ready("web-1", json!({}));
        pod["metadata"]["ownerReferences"] = json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "Deployment-web", "controller": true}]);
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
        let ended_with = |map: &Value, at: &str, restarts: u32, waits: &str| {
            let mut pod = pod.clone();
            let mut event =
                event("Pod", "web-1", "BackOff", "Back-off restarting failed container app in pod web-1_a(1)");
            event["firstTimestamp"] = json!(waits);
            event["involvedObject"]["fieldPath"] = json!("spec.containers{app}");
            let mut objects = vec![map.clone(), web.clone()];
            objects.extend((!waits.is_empty()).then_some(event));
            pod["status"]["containerStatuses"][0] = json!({"name": "app", "restartCount": restarts, "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": at}}});
            objects.push(pod);
            let found = super::super::diagnose(&of(&objects));
            found.findings.iter().any(|finding| finding.code.name() == "config-changed-broke")
        };
        let ended = |at: &str, restarts: u32, waits: &str| ended_with(&map, at, restarts, waits);
        assert!(ended("2026-11-22T16:53:00Z", 3, ""));
        assert!(!ended("2026-11-22T16:45:00Z", 3, ""), "it crashed before");
        let mut new = map.clone();
        new["metadata"]["creationTimestamp"] = json!(at);
        assert!(!ended_with(&new, "2026-11-22T16:53:00Z", 3, ""), "it was made, not changed");
        assert!(!ended("2026-11-22T16:53:00Z", 9, ""), "nobody knows when it began");
        assert!(ended("2026-11-22T16:59:00Z", 9, "2026-11-22T16:51:00Z"), "the first back-off came after it");
        assert!(!ended("2026-11-22T16:53:00Z", 3, "2026-11-22T16:49:00Z"), "the first back-off came before it");
    }
}

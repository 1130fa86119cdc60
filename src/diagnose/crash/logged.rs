//! Crashes that their log explains.

use super::hosts::{self, Target};
use super::{Hit, mounts, paths, restarts, rows, show_exit, signature};
use crate::diagnose::observe::Observation;
use crate::diagnose::view::{Running, View};
use crate::diagnose::{probe, signatures};
use crate::model::finding::{Confidence, Source};
use crate::model::kube::Terminated;
use crate::model::object::ObjectRef;
use crate::text;
use serde_json::{Value, json};

/// The finding that a line of the log stands for; `None` when it has no code.
pub(super) fn observe(container: &Running<'_, '_>, end: &Terminated, hit: &Hit) -> Option<Observation> {
    let mut seen = Observation::of_container(hit.code?, container);
    seen.confidence = if hit.strong { Confidence::Strong } else { Confidence::Likely };
    let told = tell(&mut seen, container, hit);
    let shown = text::clip(&hit.line.text, 160);
    seen.summary = format!("{} (exit {}, {})", told.unwrap_or(shown), end.exit_code, restarts(container));
    let evidence = std::mem::take(&mut seen.evidence);
    show_exit(&mut seen, container, end);
    seen.show(Source::Log, hit.line.at, &hit.line.text, None);
    for one in evidence {
        seen.show(one.source, one.at, &one.text, one.path);
    }
    seen.fact("exitCode", end.exit_code);
    seen.fact("signature", hit.id);
    seen.fact("worked", container.ran_long_in_revision());
    Some(seen)
}

/// What the captures mean in this snapshot: the sentence, and facts and evidence in `seen`.
fn tell(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> Option<String> {
    let name = &container.status.name;
    let get = |name: &str| hit.get(name).map(str::to_owned);
    Some(match seen.code.name {
        "crash-env-missing" => environment(seen, container, hit)?,
        "crash-file-missing" => paths::file(seen, container, hit)?,
        "crash-permission-denied" => paths::permission(seen, container, hit)?,
        "crash-read-only-fs" => paths::read_only(seen, container, hit),
        "crash-disk-full" => paths::disk(seen, container, hit),
        "crash-port-in-use" | "crash-port-privileged" => port(seen, container, hit),
        "crash-dependency-refused" | "crash-dependency-timeout" | "crash-dns" => dependency(seen, container, hit)?,
        "crash-config-parse" => paths::parse(seen, container, hit),
        "crash-rbac-forbidden" => rbac(seen, container, hit),
        "exec-format-error" | "script-crlf" => paths::program(seen, container, hit),
        "sa-token-missing" => token(seen, container),
        "crash-bad-args" => {
            let flag = get("flag")?;
            seen.message.clone_from(&flag);
            seen.fact("flag", flag.as_str());
            if let Some(spec) = container.spec {
                let field = if spec.args.is_empty() { "command" } else { "args" };
                let words = if spec.args.is_empty() { &spec.command } else { &spec.args };
                seen.show(
                    Source::Spec,
                    None,
                    &format!("{field}: {}", json!(words)),
                    Some(container.path().field(field)),
                );
            }
            format!("container {name} does not accept its arguments: {}", text::clip(&hit.line.text, 120))
        }
        "crash-missing-library" | "crash-missing-module" => {
            let what = get("lib").or_else(|| get("module"))?;
            seen.message.clone_from(&what);
            seen.fact("missing", what.as_str());
            format!("image {} lacks {what}, which container {name} needs", container.image())
        }
        "crash-exit-127" => {
            let program = get("program")?;
            if let Some(told) = paths::windows(seen, container, &program) {
                return Some(told);
            }
            seen.message.clone_from(&program);
            seen.fact("program", program.as_str());
            format!("a shell in container {name} does not find {program}")
        }
        "crash-db-auth" => {
            let user = get("user")?;
            seen.message.clone_from(&user);
            seen.fact("user", user.as_str());
            format!("a database refuses user {user} of container {name}")
        }
        "oom-runtime-heap" => {
            let limit = container.spec.and_then(|spec| spec.resources.limits.get("memory"));
            seen.fact("limit", limit.cloned().unwrap_or_default());
            seen.fact("heap", heap(container));
            format!("the runtime of container {name} ran out of its own heap")
        }
        _ => {
            for key in ["name", "version", "status", "host", "feature"] {
                if let Some(value) = get(key) {
                    seen.message.push_str(&value);
                    seen.fact(key, value);
                }
            }
            return None;
        }
    })
}

/// Flags that size the heap of a JVM or of Node.
fn heap(container: &Running<'_, '_>) -> Vec<String> {
    let spec = container.spec.into_iter();
    let words = spec.flat_map(|spec| {
        let env = spec.env.iter().filter_map(|variable| variable.value.as_deref());
        env.chain(spec.command.iter().chain(&spec.args).map(String::as_str)).collect::<Vec<_>>()
    });
    let flags = words.flat_map(str::split_whitespace);
    let is_heap = |flag: &&str| {
        ["-Xmx", "-XX:MaxRAM", "--max-old-space-size", "--max_old_space_size"]
            .iter()
            .any(|start| flag.starts_with(start))
    };
    flags.filter(is_heap).map(str::to_owned).collect()
}

fn environment(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> Option<String> {
    let variable = hit.get("var").or(hit.get("property"))?;
    seen.message = variable.to_owned();
    let names: Vec<&str> = container.spec.iter().flat_map(|spec| &spec.env).map(|v| v.name.as_str()).collect();
    let near = text::nearest(variable, names.iter().copied());
    seen.fact("missing", variable);
    seen.fact("near", near);
    let near = near.map_or_else(String::new, |near| format!("; it has {near}"));
    Some(format!("container {} needs {variable}, which is not set{near}", container.status.name))
}

fn port(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> String {
    let (name, spec) = (&container.status.name, container.spec);
    let numbers = |spec: &crate::model::kube::Container| -> Vec<i64> {
        let words =
            spec.command.iter().chain(&spec.args).filter_map(|word| word.rsplit([':', '=', ' ']).next()?.parse().ok());
        spec.ports
            .iter()
            .map(|port| port.container_port)
            .chain(words)
            .filter(|port| (1..65536).contains(port))
            .collect()
    };
    let said: Option<i64> = hit.get("port").and_then(|port| port.parse().ok());
    let own = spec.map(numbers).unwrap_or_default();
    if seen.code.name == rows::CRASH_PORT_PRIVILEGED.name {
        let port = said.or_else(|| own.iter().copied().find(|port| *port < 1024));
        seen.fact("port", port);
        let user = mounts::security(container, "runAsUser").cloned();
        seen.fact("runAsUser", user.clone());
        if let Some(user) = user.filter(|user| user.as_i64() != Some(0)) {
            seen.show(Source::Spec, None, &format!("runAsUser: {user}"), None);
        }
        let port = port.map_or_else(|| "a port below 1024".to_owned(), |port| format!("port {port}"));
        seen.message.clone_from(&port);
        return format!("container {name} may not listen on {port}");
    }
    let others = container.at.pod.spec.containers.iter().filter(|other| other.name != *name);
    let other = others.into_iter().find_map(|other| {
        let theirs = numbers(other);
        let shared = said
            .filter(|port| theirs.contains(port))
            .or_else(|| own.iter().copied().find(|port| said.is_none() && theirs.contains(port)))?;
        Some((other.name.clone(), shared))
    });
    let port = said.or(other.as_ref().map(|(_, port)| *port));
    seen.fact("port", port);
    seen.fact("other", other.as_ref().map(|(name, _)| name.as_str()));
    seen.fact("hostNetwork", container.at.pod.spec.host_network);
    let shown = port.map_or_else(|| "its port".to_owned(), |port| format!("port {port}"));
    seen.message.clone_from(&shown);
    match other {
        Some((other, _)) => format!("container {name} cannot listen on {shown}: container {other} of its pod has it"),
        None => format!("container {name} cannot listen on {shown}: it is taken"),
    }
}

fn target<'v, 's>(container: &Running<'v, 's>, hit: &Hit) -> Option<Target<'v, 's>> {
    let port = hit.get("port").and_then(|port| port.parse().ok());
    hit.get("host").map(|host| hosts::resolve(container, host, port))
}

fn dependency(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> Option<String> {
    let name = &container.status.name;
    let down = hit.id == "dns-down";
    seen.fact("clusterDns", down);
    if down {
        // Many workloads that fail alike have one cause.
        seen.shared = Some(ObjectRef::new("v1", "DNS", "", "cluster"));
    }
    let Some(target) = target(container, hit) else {
        return down.then(|| format!("container {name} gets no answer from the cluster's DNS"));
    };
    let at = target.port.map_or_else(|| target.host.clone(), |port| format!("{}:{port}", target.host));
    seen.message.clone_from(&at);
    seen.fact("target", target.fact());
    if !down {
        seen.follows = target.follows();
    }
    let what = match seen.code.name {
        "crash-dns" if down => format!("container {name} gets no answer from DNS for {at}"),
        "crash-dns" => format!("container {name} does not find host {at}"),
        "crash-dependency-timeout" => format!("container {name} gets no answer from {at}"),
        _ => format!("{at} refuses the connection of container {name}"),
    };
    let trouble = target.trouble().filter(|_| !down);
    if let Some(trouble) = &trouble {
        seen.show(Source::Spec, None, trouble, None);
    }
    Some(trouble.map_or_else(|| what.clone(), |trouble| format!("{what}: {trouble}")))
}

fn rbac(seen: &mut Observation, container: &Running<'_, '_>, hit: &Hit) -> String {
    let get = |name: &str| hit.get(name).unwrap_or_default();
    for name in ["ns", "sa", "verb", "resource", "group", "namespace"] {
        seen.fact(name, hit.get(name));
    }
    let (sa, verb, resource) = (get("sa"), get("verb"), get("resource"));
    seen.message = format!("{sa} {verb} {resource}.{}", get("group"));
    let place = hit.get("namespace").map_or_else(|| "the whole cluster".to_owned(), |ns| format!("namespace {ns}"));
    let spec = &container.at.pod.spec;
    if spec.service_account_name != sa {
        seen.fact("otherAccount", true);
    }
    let path = container.at.workload.spec_path().field("serviceAccountName");
    seen.show(Source::Spec, None, &format!("serviceAccountName: {}", spec.service_account_name), Some(path));
    format!("ServiceAccount {sa} of container {} may not {verb} {resource} in {place}", container.status.name)
}

fn token(seen: &mut Observation, container: &Running<'_, '_>) -> String {
    let pod = &container.at.pod;
    let account = &pod.spec.service_account_name;
    let of_pod = pod.spec.automount_service_account_token == Some(false);
    let object = container.at.view.snapshot.find("ServiceAccount", &pod.metadata.namespace, account);
    let of_account = object.is_some_and(|sa| sa.at("/automountServiceAccountToken") == Some(&Value::Bool(false)));
    seen.fact("onPod", of_pod);
    seen.fact("onServiceAccount", of_account);
    let why = match (of_pod, of_account) {
        (true, _) => {
            seen.confidence = Confidence::Strong;
            let path = container.at.workload.spec_path().field("automountServiceAccountToken");
            seen.show(Source::Spec, None, "automountServiceAccountToken: false", Some(path));
            "its pod sets automountServiceAccountToken: false".to_owned()
        }
        (_, true) => {
            seen.confidence = Confidence::Strong;
            format!("ServiceAccount {account} sets automountServiceAccountToken: false")
        }
        _ => "nothing here says why".to_owned(),
    };
    format!("container {} finds no ServiceAccount token: {why}", container.status.name)
}

/// Services that refuse connections although their pods count as ready, which have no readiness probe.
pub(super) fn unprobed_dependencies(view: &View<'_>) -> Vec<Observation> {
    let containers = view.subjects().flat_map(crate::diagnose::view::Subject::containers);
    let mut out = Vec::new();
    for container in containers.filter(super::is_crashing) {
        let hit = container.last_exit().and_then(|end| signature(&container, end));
        let Some(hit) = hit.filter(|hit| hit.id == "conn-refused") else { continue };
        let Some(target) = target(&container, &hit).filter(Target::has_ready_pods) else { continue };
        out.extend(target.workloads.iter().filter_map(|workload| probe::missing(workload, &target, &hit.line)));
    }
    out
}

/// Whether the log of a container names an error: then a probe that kills it is not what is wrong.
pub(crate) fn names_an_error(container: &Running<'_, '_>) -> bool {
    signatures::of(container, container.last_exit().map(|end| end.exit_code)).is_some()
}

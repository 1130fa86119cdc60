//! Variables that Kubernetes expands itself.

use super::rows;
use crate::diagnose::crash;
use crate::diagnose::log_lines;
use crate::diagnose::observe::{Explains, Observation};
use crate::diagnose::view::{Running, Subject};
use crate::model::finding::{Confidence, Source};
use crate::model::path::Step;
use crate::text;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

static NO_VALUE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(?:Error: )?missing value for (\S+)$").ok());
static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)").ok());

/// `missing value for VAR`: a subPathExpr with a variable that the container does not have.
pub(super) fn sub_path(container: &Running<'_, '_>) -> Option<Observation> {
    let message = container.waiting_message().trim();
    let variable = NO_VALUE.as_ref()?.captures(message)?.get(1)?.as_str();
    let mut seen = Observation::of_container(&rows::SUBPATH_EXPR_UNSET, container);
    message.clone_into(&mut seen.message);
    let names: Vec<&str> = container.spec.iter().flat_map(|c| &c.env).map(|v| v.name.as_str()).collect();
    let near = text::nearest(variable, names.iter().copied());
    let near = near.map_or_else(String::new, |near| format!("; it has {near}"));
    seen.summary =
        format!("a subPathExpr of container {} uses {variable}, which it does not have{near}", container.status.name);
    super::explain(&mut seen, container, message);
    let mounts = container.spec.iter().flat_map(|spec| spec.volume_mounts.iter().enumerate());
    let mut used = Vec::new();
    for (at, mount) in mounts {
        let Some(shape) = mount.get("subPathExpr").and_then(Value::as_str) else { continue };
        if shape.contains(&format!("$({variable})")) {
            let path = container.path().field("volumeMounts").push(Step::Index(at)).field("subPathExpr");
            seen.show(Source::Spec, None, &format!("subPathExpr: {shape}"), Some(path));
            used.push(at);
        }
    }
    seen.fact("missing", variable);
    seen.fact("mounts", used);
    seen.fact("names", names.into_iter().map(str::to_owned).collect::<Vec<_>>());
    Some(seen)
}

/// A literal `$(VAR)` or a lone `$` in the log of a container that fails, from its own command line.
pub(super) fn dollar(container: &Running<'_, '_>) -> Option<Observation> {
    let spec = container.spec?;
    if !crash::is_crashing(container) || !spec.env_from.is_empty() {
        return None;
    }
    let words = [("command", &spec.command), ("args", &spec.args)];
    let (field, at, word, leftover) = words.into_iter().find_map(|(field, words)| {
        words.iter().enumerate().find_map(|(at, word)| Some((field, at, word, leftover(container, word)?)))
    })?;
    let line = log_lines::find(container, |line| shows(line, &leftover))?;
    let mut seen = Observation::of_container(&rows::ENV_DOLLAR_EATEN, container);
    seen.confidence = Confidence::Likely;
    seen.message = format!("{field} {leftover}");
    seen.summary = if leftover == "$" {
        format!("`$$` in {field} of container {} reaches the program as a lone `$`", container.status.name)
    } else {
        format!("{leftover} in {field} of container {} is not expanded: it has no such variable", container.status.name)
    };
    let path = container.path().field(field).push(Step::Index(at));
    seen.show(Source::Spec, None, word, Some(path));
    seen.show(Source::Log, line.at, &line.text, None);
    seen.fact("field", field);
    seen.fact("index", at);
    seen.fact("leftover", leftover);
    let codes = &["crash-app-error", "crash-bad-args", "crash-dns", "crash-exit-127", "crash-file-missing"];
    seen.explains.push(Explains { key: container.at.workload.key.clone(), codes });
    Some(seen)
}

/// What of a word arrives with a dollar sign in it: `$(VAR)` without such a variable, `$` of `$$`.
fn leftover(container: &Running<'_, '_>, word: &str) -> Option<String> {
    let unescaped = word.replace("$$", "");
    let found = REFERENCE.as_ref()?.captures(&unescaped).and_then(|found| found.get(1));
    let unknown = found.filter(|name| container.spec.iter().flat_map(|c| &c.env).all(|v| v.name != name.as_str()));
    match unknown {
        Some(name) => Some(format!("$({})", name.as_str())),
        None => word.contains("$$").then(|| "$".to_owned()),
    }
}

fn shows(line: &str, leftover: &str) -> bool {
    if leftover != "$" {
        return line.contains(leftover);
    }
    ["'$'", "\"$\"", " $:", " $ "].iter().any(|text| line.contains(text)) || line.ends_with(" $")
}

/// Keys of an envFrom source that older kubelets skip.
pub(super) fn skipped_keys(subject: Subject<'_, '_>) -> Option<Observation> {
    let events = subject.view.events(&subject.pod.metadata.uid).iter().rev();
    let event = events.copied().find(|event| event.reason == "InvalidEnvironmentVariableNames")?;
    let mut seen = Observation::of_workload(&rows::ENV_FROM_INVALID_KEYS, subject.workload);
    seen.pod = Some(subject.pod.metadata.name.clone());
    seen.container = event.container().map(str::to_owned);
    seen.message = event.text().to_owned();
    seen.summary = format!("keys of an envFrom source are skipped: {}", text::clip(event.text(), 120));
    seen.since = event.first_seen();
    seen.show_event(event);
    Some(seen.aside())
}

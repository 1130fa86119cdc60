//! Hosts and ports that a program asks in vain.

use super::super::case::Case;
use super::super::closeness::only_close;
use super::super::facts::{judge, text_of};
use super::service::target_ports;
use crate::model::intent::Intent;
use crate::model::kube::Object;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use serde_json::{Value, json};

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] =
    &[("crash-dependency-refused", refused), ("crash-dns", unknown), ("init-container-stuck", unknown)];

/// One place of the container that names a host: where, and what stands there.
struct Place {
    path: Path,
    text: String,
}

/// Values of variables and words of the command that hold `text` as a whole.
fn places(case: &Case<'_>, text: &str) -> Vec<Place> {
    let Ok(container) = case.container() else { return Vec::new() };
    let here = case.container_path();
    let mut all: Vec<Place> = Vec::new();
    for variable in container.env {
        let path = here.field("env").item(&variable.name).field("value");
        all.extend(variable.value.map(|text| Place { path, text }));
    }
    for (field, words) in [("command", container.command), ("args", container.args)] {
        let path = |at| here.field(field).index(at);
        all.extend(words.into_iter().enumerate().map(|(at, text)| Place { path: path(at), text }));
    }
    all.retain(|place| find(&place.text, text).is_some());
    all
}

/// Where `what` stands in `text` with nothing of a host name on either side.
fn find(text: &str, what: &str) -> Option<usize> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    text.match_indices(what).map(|(at, _)| at).find(|at| {
        let (before, after) = (text[..*at].chars().next_back(), text[at + what.len()..].chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(|c| is_part(c) && c != '.')
    })
}

/// The edit that writes `new` in the one place where `old` stands.
fn only_place(case: &Case<'_>, old: &str, new: &str, why: &str, review: &str) -> Result<Vec<Intent>, Refusal> {
    let places = places(case, old);
    let [place] = places.as_slice() else {
        let message = match places.len() {
            0 => format!("{why}, and {old} stands nowhere in the container's variables and words"),
            n => format!("{why}, and {old} stands in {n} places"),
        };
        return Err(judge(message, "change it where the program takes it from"));
    };
    if crate::redact::is_masked(&place.text) {
        return Err(judge(format!("{why}, and it stands in a value that is a secret"), "change it by hand"));
    }
    let Some(at) = find(&place.text, old) else { return Err(judge(why, "change it by hand")) };
    let text = format!("{}{new}{}", &place.text[..at], &place.text[at + old.len()..]);
    let edits = vec![case.set(place.path.clone(), json!(text))];
    let subject = format!("Ask {new} instead of {old}");
    Ok(vec![case.intent(subject, why.to_owned(), edits, vec![review.to_owned()])])
}

/// No Service has the name: the one with a close name that has the port is meant.
fn unknown(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let target = case.fact("target").cloned().unwrap_or(Value::Null);
    let host = text_of(&target, "host");
    let hint = "name a host that exists, or see to the name server";
    if case.is("worked") || case.is("clusterDns") || target["internal"] != json!(true) || host.is_empty() {
        return Err(judge(format!("host {host} is not found, and no Service here is meant for certain"), hint));
    }
    if target["service"].is_string() {
        return Err(judge(format!("{host} is a Service that does not answer yet"), "see to the pods behind it"));
    }
    let (first, rest) = host.split_once('.').unwrap_or((host, ""));
    let namespace = rest.split('.').next().filter(|name| !name.is_empty()).unwrap_or(case.finding.object.namespace());
    let port = target["port"].as_i64();
    let here = |service: &&Object| service.metadata.namespace == namespace;
    let services: Vec<&Object> = case.snapshot.kind("Service").iter().filter(here).collect();
    let names: Vec<&str> = services.iter().map(|service| service.metadata.name.as_str()).collect();
    let near = only_close(first, &names, &[]);
    let found = services.iter().find(|service| Some(service.metadata.name.as_str()) == near);
    let Some(name) = found.filter(|one| port.is_none_or(|port| ports(one).contains(&port))).and(near) else {
        return Err(judge(
            format!("no Service {first} is in namespace {namespace}, nor one that is close enough"),
            hint,
        ));
    };
    let new = if rest.is_empty() { name.to_owned() } else { format!("{name}.{rest}") };
    let why = format!("no Service is called {first}; {name} is the only one with a name as close");
    only_place(case, host, &new, &why, "that this Service is meant is told by its name alone")
}

fn ports(service: &Object) -> Vec<i64> {
    let all: Vec<Value> = service.view("/spec/ports");
    all.iter().filter_map(|port| port.get("port")?.as_i64()).collect()
}

/// The Service has one other port, and its pods are ready.
fn refused(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    case.alone()?;
    let target = case.fact("target").cloned().unwrap_or(Value::Null);
    let (host, asked) = (text_of(&target, "host"), target["port"].as_i64().unwrap_or_default());
    let ports: Vec<i64> = target["ports"].as_array().into_iter().flatten().filter_map(Value::as_i64).collect();
    let hint = "see to what should answer there";
    let no = |why: &str| judge(format!("{host}:{asked} refuses connections: {why}"), hint);
    let [port] = ports.as_slice() else { return Err(no("no Service with one port is behind it")) };
    if *port == asked || target["ready"] != json!(true) || case.is("worked") {
        return Err(no("nothing says that another port is meant"));
    }
    let qualified = text_of(&target, "service");
    let service = case.snapshot.kind("Service").iter().find(|one| one.object().qualified() == qualified);
    if service.is_some_and(|one| target_ports(one).iter().any(|target| target.as_i64() == Some(asked))) {
        return Err(no("it is the port of its pods, and may be meant for them"));
    }
    let why = format!("{qualified} has port {port} alone, and its pods are ready");
    only_place(
        case,
        &format!("{host}:{asked}"),
        &format!("{host}:{port}"),
        &why,
        "that this port is meant is told by the Service alone",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_found_whole_only() {
        assert_eq!(find("http://db:5432/x", "db:5432"), Some(7));
        assert_eq!(find("http://my-db:5432/x", "db:5432"), None);
        assert_eq!(find("http://db:54321/x", "db:5432"), None);
        assert_eq!(find("postgres://u@db.shop/x", "db"), Some(13), "the first label of a longer name");
        assert_eq!(find("dbs", "db"), None);
    }
}

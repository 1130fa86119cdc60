//! Live equals recorded: what a scan asks for is enough to see each recorded failure.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use crate::api_server::{Act, ApiServer, plural};
use crate::harness::{Sandbox, recorded};
use aifix::doors::files;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// Recordings whose failure a scan does not ask for, and why; `explain` of the object does.
const ASKED_BY_NAME: [(&str, &str); 1] = [(
    "oom-child-killed",
    "only the log of a container that is ready tells it, and a scan reads no log of what is well",
)];

/// A scan with time for a machine that is busy.
const SCAN: [&str; 7] = ["scan", "-A", "--all", "-o", "json", "--request-timeout", "60s"];

/// Requests of a scan besides further pages and logs.
const MAX_REQUESTS: usize = 30;

pub(crate) fn sandbox(server: &ApiServer) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.use_kubeconfig(&format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\n\
         contexts: [{{name: lab, context: {{cluster: lab, user: me}}}}]\n\
         clusters: [{{name: lab, cluster: {{server: 'http://127.0.0.1:{}'}}}}]\n\
         users: [{{name: me, user: {{token: t}}}}]\n",
        server.port()
    ));
    sandbox
}

/// The findings of a report, less the context that they come from.
fn findings(sandbox: &Sandbox, words: &[&str]) -> Vec<Value> {
    let report = sandbox.aifix(&[&SCAN[..], words].concat()).json();
    let mut all = report["findings"].as_array().unwrap().clone();
    for finding in &mut all {
        finding.as_object_mut().unwrap().remove("context");
    }
    all
}

/// What `find` says of each recording, four at a time.
fn wrong(find: &(dyn Fn(&str) -> Vec<String> + Sync)) -> Vec<String> {
    let names = files::list(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded")).unwrap();
    std::thread::scope(|scope| {
        let parts = names.chunks(names.len().div_ceil(4));
        let all: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().flat_map(|name| find(name)).collect::<Vec<String>>()))
            .collect();
        all.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}

fn codes(findings: &[Value]) -> Vec<String> {
    findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// Rights as `verb group resource`, those of every rule that `doctor --rbac` prints.
fn granted() -> BTreeSet<String> {
    let words = ["doctor", "--rbac", "-A", "--read-secret-keys", "-o", "json"];
    let list = Sandbox::new().aifix(&words).exits(0).json();
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in list["items"][0]["rules"].as_array().unwrap() {
        for resource in strings(&rule["resources"]) {
            let group = rule["apiGroups"][0].as_str().unwrap();
            all.extend(strings(&rule["verbs"]).iter().map(|verb| format!("{verb} {group} {resource}")));
        }
    }
    all
}

/// The right that a request uses; `None` for the question which groups are served, which anybody may ask.
fn used(target: &str) -> Option<String> {
    let path = target.split('?').next().unwrap();
    let mut steps: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if path == "/apis" {
        return None;
    }
    let group = if steps.remove(0) == "api" { "" } else { steps.remove(0) };
    steps.remove(0);
    if steps.len() > 2 && steps[0] == "namespaces" {
        steps.drain(..2);
    }
    Some(match steps.as_slice() {
        [plural] => format!("list {group} {plural}"),
        [plural, _] => format!("get {group} {plural}"),
        [plural, _, part] => format!("get {group} {plural}/{part}"),
        _ => format!("what is {target}?"),
    })
}

/// What is wrong with the live scan of a recording, if anything is.
fn difference(name: &str, granted: &BTreeSet<String>) -> Option<String> {
    let server = ApiServer::recorded(name);
    let sandbox = sandbox(&server);
    let from = findings(&sandbox, &["--from", &recorded(name)]);
    let live = findings(&sandbox, &["--read-secret-keys"]);
    let without_secrets = findings(&sandbox, &[]);
    let seen = server.seen();
    if let Some(extra) = seen.iter().filter_map(|seen| used(&seen.target)).find(|right| !granted.contains(right)) {
        return Some(format!("{name}: no printed role has the right to {extra}"));
    }
    let requests = seen.iter().filter(|seen| !seen.target.contains("/log?")).count();
    if requests > 2 * MAX_REQUESTS {
        return Some(format!("{name}: {requests} requests for two scans"));
    }
    if codes(&without_secrets) != codes(&live) {
        return Some(format!("{name}: without the keys of Secrets {:?}", codes(&without_secrets)));
    }
    let by_name = ASKED_BY_NAME.iter().any(|(folder, _)| *folder == name);
    let told = |all: &[Value]| serde_json::to_string_pretty(all).unwrap();
    (by_name == (from == live)).then(|| format!("{name}: {}\ninstead of {}", told(&live), told(&from)))
}

#[test]
fn every_recording_served_by_an_api_server_gives_the_findings_of_its_file() {
    let granted = granted();
    let wrong = wrong(&|name| difference(name, &granted).into_iter().collect());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Kinds of every recording that matter only to those that are named after them.
const BESIDE: [&str; 3] = ["Endpoints", "Namespace", "ServiceAccount"];

/// Kinds whose absence no finding survives unnoticed: a scan without them exits 6.
const ESSENTIAL: [&str; 8] = ["CronJob", "DaemonSet", "Deployment", "Event", "Job", "Pod", "ReplicaSet", "StatefulSet"];

/// Codes that are lost without the right to a kind and that no gap names.
fn silent(name: &str) -> Vec<String> {
    let kinds = ApiServer::recorded(name).kinds();
    let matters = |kind: &&String| {
        let named = name.starts_with(&kind.to_lowercase());
        !ESSENTIAL.contains(&kind.as_str()) && (named || !BESIDE.contains(&kind.as_str()))
    };
    let plurals: Vec<&str> = kinds.iter().filter(matters).filter_map(|kind| plural(kind)).collect();
    if plurals.is_empty() {
        return Vec::new();
    }
    let whole = codes(&findings(&sandbox(&ApiServer::recorded(name)), &[])).into_iter().collect::<BTreeSet<_>>();
    let mut out = Vec::new();
    for plural in plurals {
        let server = ApiServer::recorded(name);
        server.always(&format!("/{plural}?"), Act::Fail(403, "", "no"));
        let report = sandbox(&server).aifix(&SCAN).json();
        let found = codes(report["findings"].as_array().unwrap()).into_iter().collect::<BTreeSet<_>>();
        let of_it = |gap: &&Value| gap["what"].as_str().unwrap().split(' ').next() == Some(plural);
        let gap = report["contexts"][0]["gaps"].as_array().unwrap().iter().find(of_it);
        let named = |code: &String| {
            gap.is_some_and(|gap| {
                gap["essential"] == true || gap["codes"].as_array().unwrap().iter().any(|c| c == code)
            })
        };
        let lost = whole.difference(&found).filter(|code| !named(code));
        out.extend(lost.map(|code| format!("{name}: without {plural} {code} is lost; the gap: {gap:?}")));
    }
    out
}

#[test]
fn what_a_missing_right_hides_is_named_by_its_gap() {
    let wrong = wrong(&silent);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_no_scan_asks_for_is_told_to_who_asks_by_name() {
    for (name, _) in ASKED_BY_NAME {
        let server = ApiServer::recorded(name);
        let sandbox = sandbox(&server);
        let namespace = format!("cat-{name}");
        let told = sandbox.aifix(&["explain", "deployment/web", "-n", &namespace, "-o", "json"]).exits(0).json();
        assert_eq!(told["roots"][0]["code"], name);
    }
}

/// What is told of the owner of an oom-killed pod, a custom resource with these conditions.
fn said_of_owner(conditions: &Value) -> Vec<String> {
    let list = files::read(&Path::new(&recorded("oom-killed")).join("objects.json")).unwrap();
    let list: Value = serde_json::from_slice(&list).unwrap();
    let mut pod = list["items"].as_array().unwrap().iter().find(|object| object["kind"] == "Pod").unwrap().clone();
    let namespace = pod["metadata"]["namespace"].clone();
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "example.org/v1", "kind": "Widget", "name": "w", "uid": "u", "controller": true}]);
    let widget = json!({"apiVersion": "example.org/v1", "kind": "Widget", "status": {"conditions": conditions},
        "metadata": {"name": "w", "namespace": namespace, "uid": "u"}});
    let found = findings(&sandbox(&ApiServer::start(vec![pod, widget], "", 500)), &[]);
    let texts = found[0]["evidence"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap());
    texts.filter(|text| text.starts_with("Widget/w says ")).map(str::to_owned).collect()
}

#[test]
fn each_condition_by_which_a_custom_resource_tells_a_fault_is_told() {
    let said = |kind: &str, status: &str| {
        said_of_owner(&json!([{"type": kind, "status": status, "reason": "Why", "message": "no quorum"}]))
    };
    for (kind, bad, good) in [
        ("Ready", "False", "True"),
        ("Available", "False", "True"),
        ("Healthy", "False", "True"),
        ("Degraded", "True", "False"),
    ] {
        assert_eq!(said(kind, bad), [format!("Widget/w says {kind}={bad}: Why: no quorum")]);
        assert!(said(kind, good).is_empty() && said(kind, "Unknown").is_empty(), "{kind}");
    }
    let both = json!([{"type": "Available", "status": "False"}, {"type": "Degraded", "status": "True"}]);
    assert_eq!(said_of_owner(&both).len(), 2);
}

#[test]
fn a_custom_resource_that_owns_what_fails_is_read_and_says_why() {
    let list = files::read(&Path::new(&recorded("oom-killed")).join("objects.json")).unwrap();
    let list: Value = serde_json::from_slice(&list).unwrap();
    let mut objects: Vec<Value> =
        list["items"].as_array().unwrap().iter().filter(|object| object["kind"] == "Pod").cloned().collect();
    let namespace = objects[0]["metadata"]["namespace"].clone();
    objects[0]["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "example.org/v1", "kind": "Widget", "name": "w", "uid": "u", "controller": true}]);
    objects.push(json!({"apiVersion": "example.org/v1", "kind": "Widget",
        "metadata": {"name": "w", "namespace": namespace, "uid": "u"},
        "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "Broken", "message": "no quorum"},
            {"type": "Degraded", "status": "False", "message": "not it"}]}}));
    let server = ApiServer::start(objects, "", 500);
    let found = findings(&sandbox(&server), &[]);
    let said: Vec<&str> =
        found[0]["evidence"].as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!(said[said.len() - 2..], ["Widget/w owns these pods", "Widget/w says Ready=False: Broken: no quorum"]);
    assert_eq!(found[0]["object"]["kind"], "Widget");
    let missing = ApiServer::start(server.objects_without("Widget"), "", 500);
    let report = sandbox(&missing).aifix(&["scan", "-A", "-o", "json"]).json();
    let gap = &report["contexts"][0]["gaps"][0];
    assert!(gap["what"].as_str().unwrap().starts_with("Widget ") && gap["essential"] == false, "{gap}");
}

/// A ready pod that a Widget owns, and the Widget, which says that it is not ready.
fn unwell() -> Vec<Value> {
    let at = "2026-11-20T16:00:00Z";
    let meta = |name: &str| json!({"name": name, "namespace": "shop", "uid": name, "creationTimestamp": at});
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta("w-0"),
        "spec": {"nodeName": "n", "restartPolicy": "Always", "containers": [{"name": "app", "image": "x"}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at}],
            "containerStatuses": [{"name": "app", "ready": true, "started": true, "restartCount": 0, "image": "x",
                "imageID": "", "state": {"running": {"startedAt": at}}}]}});
    pod["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "example.org/v1", "kind": "Widget", "name": "w", "uid": "w", "controller": true}]);
    let widget = |name: &str| {
        json!({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": meta(name), "status": {"conditions": [
            {"type": "Ready", "status": "False", "reason": "Broken", "message": "no quorum", "lastTransitionTime": at}]}})
    };
    vec![pod, widget("w"), widget("owns-nothing")]
}

#[test]
fn a_custom_resource_that_is_not_well_is_told_though_its_pods_are() {
    let words: &[&str] = &["scan", "-o", "json", "--request-timeout", "60s"];
    for scope in [&["-A"][..], &["-n", "shop"]] {
        let server = ApiServer::start(unwell(), "", 500);
        let report = sandbox(&server).aifix(&[words, scope].concat()).exits(1).json();
        let [found] = report["findings"].as_array().unwrap().as_slice() else { panic!("{report}") };
        assert_eq!((&found["code"], &found["severity"]), (&json!("custom-resource-unhealthy"), &json!("warning")));
        assert_eq!((&found["object"]["kind"], &found["object"]["name"]), (&json!("Widget"), &json!("w")));
        assert_eq!(found["summary"], "Widget w says Ready=False: Broken: no quorum; its pods are ready");
        assert_eq!(report["contexts"][0]["gaps"], json!([]));
        assert_eq!(
            server.targets("example.org").len(),
            2,
            "its plural and one list: {:?}",
            server.targets("example.org")
        );
        assert!(server.seen().len() <= 30);
    }
    // Who may not read it is told what stays hidden.
    let server = ApiServer::start(unwell(), "", 500);
    server.always("/widgets?", Act::Fail(403, "", "widgets is forbidden"));
    let report = sandbox(&server).aifix(&[words, &["-A"]].concat()).exits(0).json();
    let gap = &report["contexts"][0]["gaps"][0];
    assert_eq!((&gap["what"], &gap["essential"]), (&json!("Widget of example.org"), &json!(false)));
    assert_eq!(gap["codes"], json!(["custom-resource-unhealthy"]));
}

//! Argo Rollouts: workloads where their CRD is, and nothing where it is not.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

use crate::api_server::{Act, ApiServer};
use crate::harness::{Sandbox, oom_manifest, recorded};
use crate::live::sandbox;
use aifix::doors::files;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

const HASH: &str = "66b64596dd";
const LABEL: &str = "rollouts-pod-template-hash";

/// The crash loop of a recording, as if an Argo Rollout had made it.
fn crashing() -> Vec<Value> {
    rolled("crash-app-error.exit-2")
}

/// A recording of a Deployment whose pods fail, as if it were a Rollout.
fn rolled(name: &str) -> Vec<Value> {
    let list = files::read(&Path::new(&recorded(name)).join("objects.json")).unwrap();
    let list: Value = serde_json::from_slice(&list).unwrap();
    let mut objects = list["items"].as_array().unwrap().clone();
    objects.retain(|object| object["kind"] != "Event" || object["involvedObject"]["kind"] == "Pod");
    let hash = of(&mut objects, "Pod")["metadata"]["labels"]["pod-template-hash"].clone();
    for object in &mut objects {
        let labels = object["metadata"]["labels"].as_object_mut();
        if let Some((labels, hash)) = labels.and_then(|l| l.remove("pod-template-hash").map(|hash| (l, hash))) {
            labels.insert(LABEL.to_owned(), hash);
        }
        match object["kind"].as_str().unwrap() {
            "Deployment" => {
                object["apiVersion"] = json!("argoproj.io/v1alpha1");
                object["kind"] = json!("Rollout");
                object["spec"]["strategy"] = json!({"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}});
                let late = json!({"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                    "lastTransitionTime": "2026-11-22T16:45:24Z", "lastUpdateTime": "2026-11-22T16:45:24Z"});
                object["status"] = json!({"observedGeneration": "1", "currentPodHash": hash, "replicas": 1,
                    "updatedReplicas": 1, "phase": "Degraded", "conditions": [late]});
            }
            "ReplicaSet" => {
                object["metadata"]["annotations"] = json!({"rollout.argoproj.io/revision": "1"});
                let owner = &mut object["metadata"]["ownerReferences"][0];
                (owner["apiVersion"], owner["kind"]) = (json!("argoproj.io/v1alpha1"), json!("Rollout"));
            }
            _ => {}
        }
    }
    objects
}

fn of<'o>(objects: &'o mut [Value], kind: &str) -> &'o mut Value {
    objects.iter_mut().find(|object| object["kind"] == kind).unwrap()
}

/// The same with a pod that is ready, and no events.
fn healthy() -> Vec<Value> {
    let mut objects = crashing();
    objects.retain(|object| object["kind"] != "Event");
    let at = "2026-11-22T16:36:00Z";
    let pod = of(&mut objects, "Pod");
    pod["status"]["conditions"] = json!([{"type": "PodScheduled", "status": "True", "lastTransitionTime": at},
        {"type": "Ready", "status": "True", "lastTransitionTime": at}]);
    pod["status"]["containerStatuses"] = json!([{"name": "app", "ready": true, "started": true, "restartCount": 0,
        "image": "busybox:1.36", "imageID": "", "state": {"running": {"startedAt": at}}}]);
    of(&mut objects, "ReplicaSet")["status"] = json!({"replicas": 1, "readyReplicas": 1, "observedGeneration": 1});
    of(&mut objects, "Rollout")["status"] = json!({"observedGeneration": "1", "currentPodHash": HASH, "stableRS": HASH,
        "replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1, "phase": "Healthy",
        "conditions": [{"type": "Available", "status": "True", "reason": "AvailableReason"}]});
    objects
}

/// A report of all that is found, and the server that was asked.
fn scan(objects: Vec<Value>) -> (Value, ApiServer) {
    let server = ApiServer::start(objects, "", 500);
    let report = sandbox(&server).aifix(&["scan", "-A", "--all", "-o", "json", "--request-timeout", "60s"]).json();
    assert_eq!(report["contexts"][0]["gaps"], json!([]));
    (report, server)
}

/// `severity code Kind/name` of each finding, and failing, in progress and healthy workloads.
fn told(report: &Value) -> (Vec<String>, [u64; 3]) {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let one = |finding: &Value| {
        let object = &finding["object"];
        let (severity, code) = (word(&finding["severity"]), word(&finding["code"]));
        format!("{severity} {code} {}/{}", word(&object["kind"]), word(&object["name"]))
    };
    let summary = &report["contexts"][0]["summary"];
    let counts = ["failing", "inProgress", "healthy"].map(|name| summary[name].as_u64().unwrap());
    (report["findings"].as_array().unwrap().iter().map(one).collect(), counts)
}

/// The texts of the evidence of the only finding.
fn evidence(report: &Value) -> Vec<String> {
    let found = report["findings"][0]["evidence"].as_array().unwrap();
    found.iter().map(|one| one["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_crashes_below_a_rollout_is_its_fault_and_its_deadline_an_effect() {
    let (report, server) = scan(crashing());
    assert_eq!(told(&report), (vec!["critical crash-app-error Rollout/web".to_owned()], [1, 0, 0]));
    assert_eq!(report["findings"][0]["pods"]["desired"], 1);
    let effect = &report["findings"][0]["effects"][0];
    assert_eq!(
        (effect["code"].as_str(), effect["object"]["kind"].as_str()),
        (Some("rollout-stalled"), Some("Rollout"))
    );
    assert!(evidence(&report).iter().all(|text| !text.contains("owns these pods")), "it was looked at itself");
    assert_eq!(server.targets("/rollouts?").len(), 1);
    // The same from a file.
    let sandbox = Sandbox::new();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": crashing()});
    let file = sandbox.write("r.json", &list.to_string());
    let ran = sandbox.aifix(&["scan", "-A", "--from", file.to_str().unwrap(), "--at", "2026-11-22T16:46:58Z"]).exits(1);
    assert!(ran.out.contains("critical  Rollout/web in cat-crash-exit-2  crash-app-error"), "{}", ran.out);
}

#[test]
fn a_rollout_that_has_what_it_asks_for_is_silent() {
    assert_eq!(told(&scan(healthy()).0), (vec![], [0, 0, 1]));
    // Of none wanted there is none; its ReplicaSet alone tells of it.
    let mut none = healthy();
    none.retain(|object| object["kind"] != "Pod");
    for kind in ["Rollout", "ReplicaSet"] {
        let object = of(&mut none, kind);
        object["spec"]["replicas"] = json!(0);
        object["status"]["replicas"] = json!(0);
        object["status"]["readyReplicas"] = json!(0);
    }
    let (report, server) = scan(none);
    assert_eq!((told(&report), server.targets("/rollouts?").len()), ((vec![], [0, 0, 1]), 1));
    // A canary that waits for a person may wait for days.
    let mut waits = healthy();
    of(&mut waits, "Rollout")["status"]["updatedReplicas"] = json!(0);
    of(&mut waits, "Rollout")["status"]["pauseConditions"] = json!([{"reason": "CanaryPauseStep"}]);
    assert_eq!(told(&scan(waits).0), (vec![], [0, 1, 0]));
}

#[test]
fn what_a_rollout_says_of_itself_counts_while_its_pods_serve() {
    let with = |condition: Value| {
        let mut objects = healthy();
        of(&mut objects, "Rollout")["status"]["phase"] = json!("Degraded");
        of(&mut objects, "Rollout")["status"]["conditions"] = json!([condition]);
        scan(objects).0
    };
    let refused = with(json!({"type": "InvalidSpec", "status": "True", "reason": "InvalidSpec",
        "message": "spec.strategy.canary.steps[0]: Invalid value"}));
    let aborted = with(json!({"type": "Progressing", "status": "False", "reason": "RolloutAborted",
        "message": "metric \"errors\" assessed Failed"}));
    for (report, summary, said) in [
        (refused, "its controller refuses the spec", "InvalidSpec=True: InvalidSpec: spec.strategy.canary.steps[0]"),
        (aborted, "the rollout of its newest revision was aborted", "Progressing=False: RolloutAborted: metric"),
    ] {
        assert_eq!(told(&report), (vec!["warning not-ready Rollout/web".to_owned()], [1, 0, 0]));
        assert_eq!(report["findings"][0]["summary"], summary);
        assert!(evidence(&report).iter().any(|text| text.starts_with(said)), "{:?}", evidence(&report));
    }
}

#[test]
fn pods_of_another_revision_are_judged_only_by_what_they_serve() {
    // The stable pod is ready, the canary of the new hash crashes.
    let mut objects = healthy();
    let rollout = of(&mut objects, "Rollout");
    rollout["status"]["currentPodHash"] = json!("new");
    rollout["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["sh", "-c", "exit 3"]);
    rollout["status"]["updatedReplicas"] = json!(1);
    let rename = |object: &Value| {
        let text = object.to_string().replace(HASH, "new").replace("j842c", "canary");
        let mut twin: Value = serde_json::from_str(&text).unwrap();
        twin["metadata"]["uid"] = json!(format!("{}-new", twin["kind"].as_str().unwrap()));
        twin
    };
    let mut crash = crashing();
    let mut set = rename(of(&mut crash, "ReplicaSet"));
    set["metadata"]["annotations"] = json!({"rollout.argoproj.io/revision": "2"});
    set["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["sh", "-c", "exit 3"]);
    let mut pod = rename(of(&mut crash, "Pod"));
    pod["metadata"]["ownerReferences"][0]["uid"] = json!("ReplicaSet-new");
    objects.extend([set, pod]);
    let report = scan(objects).0;
    assert_eq!(told(&report), (vec!["warning crash-app-error Rollout/web".to_owned()], [1, 0, 0]));
    let change = &report["findings"][0]["change"];
    assert_eq!(
        (change["from"].as_str(), change["to"].as_str(), change["good"].as_bool()),
        (Some("1"), Some("2"), Some(true))
    );
    let fields = change["fields"].as_array().unwrap();
    assert_eq!(fields.len(), 1, "{fields:?}");
    assert!(fields[0]["path"].as_str().unwrap().contains("containers[app].command"), "{fields:?}");
}

#[test]
fn a_rollout_that_borrows_its_template_is_judged_and_left_to_a_person() {
    let mut objects = crashing();
    let rollout = of(&mut objects, "Rollout");
    rollout["spec"].as_object_mut().unwrap().remove("template");
    rollout["spec"]["workloadRef"] = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    let (report, _) = scan(objects);
    assert_eq!(told(&report).0, ["critical crash-app-error Rollout/web"]);
    assert!(evidence(&report).contains(&"Rollout/web owns these pods".to_owned()));
    assert_ne!(report["findings"][0]["fix"]["class"], "rule");
}

#[test]
fn without_the_crd_nothing_is_asked_and_nothing_is_missing() {
    let count = |server: &ApiServer| server.targets("/rollouts").len();
    // No Rollout is named.
    let plain = ApiServer::recorded("crash-app-error.exit-2");
    sandbox(&plain).aifix(&["scan", "-A"]).exits(1);
    assert_eq!(count(&plain), 0);
    // The group is not served, as where the CRD was taken away.
    let without = |objects: Vec<Value>| ApiServer::start(objects, "", 500);
    let server = without(crashing());
    let group = |name: &str| json!({"name": name, "preferredVersion": {"groupVersion": format!("{name}/v1")}});
    server.always("/apis$", Act::Body(json!({"kind": "APIGroupList", "groups": [group("apps")]}).to_string()));
    let report = sandbox(&server).aifix(&["scan", "-A", "-o", "json"]).exits(1).json();
    assert_eq!((count(&server), &report["contexts"][0]["gaps"]), (0, &json!([])));
    // The group is there for another kind of it.
    let server = without(crashing());
    server.always("/rollouts?", Act::Fail(404, "", "the server could not find the requested resource"));
    let report = sandbox(&server).aifix(&["scan", "-A", "-o", "json"]).exits(1).json();
    assert_eq!(report["contexts"][0]["gaps"], json!([]));
    assert_eq!(told(&report).0, ["critical crash-app-error Rollout/web"]);
    assert!(evidence(&report).iter().any(|text| text.ends_with("owns these pods; owner not inspected")));
}

/// The Rollout of the recorded `oom-killed`, as a person keeps it.
fn kept() -> String {
    let strategy = "  strategy:\n    canary:\n      steps: [{setWeight: 50}, {pause: {}}]\n  selector:";
    let text = oom_manifest().replace("apps/v1", "argoproj.io/v1alpha1").replace("kind: Deployment", "kind: Rollout");
    text.replace("  selector:", strategy)
}

/// What the one branch that a proposal pushed changes, and in how many files.
fn pushed(repository: &[(&str, &str)]) -> (Vec<String>, String) {
    let sandbox = Sandbox::new();
    sandbox.repository(repository);
    let list = json!({"apiVersion": "v1", "kind": "List", "items": rolled("oom-killed")});
    let seen = sandbox.write("seen/objects.json", &list.to_string());
    fs::copy(Path::new(&recorded("oom-killed")).join("taken-at"), sandbox.path("seen/taken-at")).unwrap();
    let from = seen.parent().unwrap().to_str().unwrap();
    let args = ["propose", "rollout/web", "--from", from, "--push", "--yes=review"];
    let ran = sandbox.aifix_in("work", &args).exits(0);
    let branches = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    let [branch, "main"] = branches.lines().collect::<Vec<_>>()[..] else { panic!("{branches}: {}", ran.out) };
    assert!(branch.starts_with("aifix/cat-oom-killed/rollout-web/oom-killed-"), "{branch}");
    let diff = sandbox.git("remote.git", &["diff", "--unified=0", "main", branch]);
    let changed = |line: &&str| line.starts_with(['-', '+']) && !line.starts_with("---") && !line.starts_with("+++");
    let lines = diff.lines().filter(changed).map(str::to_owned).collect();
    (lines, sandbox.git("remote.git", &["diff", "--numstat", "main", branch]))
}

#[test]
fn the_memory_limit_of_a_rollout_is_raised_in_a_pushed_branch() {
    let raised = ["-            memory: 32Mi   # small nodes", "+            memory: 64Mi   # small nodes"];
    let (changed, files) = pushed(&[("k8s/web.yaml", &kept())]);
    assert_eq!((changed, files.as_str()), (raised.map(str::to_owned).to_vec(), "1\t1\tk8s/web.yaml"));
    // The same in a folder that Kustomize builds, which sets the namespace.
    let bare = kept().replace("  namespace: cat-oom-killed\n", "");
    let kustomization = "namespace: cat-oom-killed\nresources: [web.yaml]\n";
    let (changed, files) = pushed(&[("prod/web.yaml", &bare), ("prod/kustomization.yaml", kustomization)]);
    assert_eq!((changed, files.as_str()), (raised.map(str::to_owned).to_vec(), "1\t1\tprod/web.yaml"));
}

//! The reader of the cluster, against a local API server.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

use crate::api_server::{Act, ApiServer};
use aifix::cluster::{self, Cluster, Options};
use aifix::doors::files::{self, Scratch};
use aifix::error::{Error, Kind};
use aifix::model::kube::Oddity;
use aifix::model::object::ObjectRef;
use aifix::model::snapshot::{Gap, LogNeed, Needs, Snapshot};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::time::{Duration, Instant};

const NAMESPACE: &str = "cat-oom-killed";
/// Kinds of the first wave.
const KINDS: usize = 18;

pub(crate) struct Setup {
    _scratch: Scratch,
    pub(crate) options: Options,
}

/// Options for a kubeconfig whose user is this JSON.
fn with_user(port: u16, user: &Value) -> Setup {
    let scratch = Scratch::new().unwrap();
    let config = scratch.path().join("config");
    let body = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me", "namespace": NAMESPACE}}],
        "clusters": [{"name": "lab", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        "users": [{"name": "me", "user": user}],
    });
    files::write_scratch(&config, body.to_string().as_bytes()).unwrap();
    let environment = [(OsString::from("PATH"), OsString::from("/usr/bin:/bin"))].into();
    let options = Options {
        kubeconfig: vec![config],
        request_timeout: Duration::from_secs(5),
        environment,
        ..Options::default()
    };
    Setup { _scratch: scratch, options }
}

pub(crate) fn setup(server: &ApiServer) -> Setup {
    with_user(server.port(), &json!({"token": "t0ken"}))
}

pub(crate) async fn connected(options: &Options) -> Cluster {
    cluster::connect(options).await.unwrap()
}

async fn scan(options: &Options) -> Result<Snapshot, Error> {
    connected(options).await.first_wave(&|_| {}).await
}

pub(crate) async fn scanned(server: &ApiServer) -> Snapshot {
    scan(&setup(server).options).await.unwrap()
}

fn gap<'a>(snapshot: &'a Snapshot, what: &str) -> &'a Gap {
    let found = snapshot.gaps.iter().find(|gap| gap.what.starts_with(what));
    found.unwrap_or_else(|| panic!("no gap {what} in {:?}", snapshot.gaps))
}

pub(crate) fn config_map(name: &str, manager: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": "the-value"},
        "metadata": {"name": name, "namespace": NAMESPACE, "managedFields": manager}})
}

#[tokio::test]
async fn one_list_per_kind_brings_the_whole_namespace() {
    let server = ApiServer::recorded("oom-killed");
    let snapshot = scanned(&server).await;
    assert_eq!((snapshot.pods.len(), snapshot.events.len()), (1, 7));
    let deployment = snapshot.find("Deployment", NAMESPACE, "web").unwrap();
    assert_eq!(deployment.api_version, "apps/v1");
    assert_eq!(snapshot.gaps, []);
    assert_eq!(snapshot.taken_at.unwrap().to_string(), "2026-11-22T16:46:58Z");
    let requests = snapshot.requests;
    assert_eq!((requests.lists, requests.pages, requests.gets, requests.logs), (KINDS + 1, 0, 0, 0));
    assert_eq!(server.seen().len(), KINDS + 1, "and which groups are served");
}

#[tokio::test]
async fn only_get_leaves_and_no_secret_is_asked_for() {
    let server = ApiServer::recorded("oom-killed");
    let setup = setup(&server);
    let cluster = connected(&setup.options).await;
    let mut snapshot = cluster.first_wave(&|_| {}).await.unwrap();
    let needs = Needs {
        kinds: vec!["nodes", "resourcequotas", "kustomizations"],
        logs: vec![need(&snapshot, true)],
        ..Needs::default()
    };
    cluster.second_wave(&mut snapshot, &needs).await;
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.method == "GET"), "{seen:?}");
    assert_eq!(server.targets("secrets"), Vec::<String>::new());
    assert!(seen.iter().all(|seen| seen.headers["authorization"] == ["Bearer t0ken"]));
    assert!(seen.iter().all(|seen| seen.headers["user-agent"][0].starts_with("aifix/")));
}

#[tokio::test]
async fn of_one_config_map_the_kind_of_its_values_is_read_and_not_they() {
    let mut map =
        config_map("app", &json!([{"manager": "m", "operation": "Update", "fieldsV1": {"f:data": {"f:LEVEL": {}}}}]));
    map["data"] = json!({"LEVEL": " ", "URL": "the-value"});
    let server = ApiServer::start(vec![map], "", 500);
    server.once("/configmaps/gone", Act::Fail(404, "", "not found"));
    server.once("/configmaps/hidden", Act::Fail(403, "", "no"));
    let setup = setup(&server);
    let cluster = connected(&setup.options).await;
    let mut snapshot = cluster.first_wave(&|_| {}).await.unwrap();
    assert!(snapshot.config_maps[0].odd.is_empty(), "a list of metadata tells nothing of values");
    let maps = ["app", "gone", "hidden"].map(|name| (NAMESPACE.to_owned(), name.to_owned())).to_vec();
    cluster.second_wave(&mut snapshot, &Needs { maps, ..Needs::default() }).await;
    assert_eq!(snapshot.config_maps[0].odd, [("LEVEL".to_owned(), Oddity::Empty)].into());
    assert!(!format!("{snapshot:?}").contains("the-value"));
    assert_eq!(gap(&snapshot, "values of ConfigMap").what, "values of ConfigMap hidden");
    assert_eq!(snapshot.requests.gets, 3);
    // Ten requests beyond the first wave are sent in all.
    let maps = vec![(NAMESPACE.to_owned(), "app".to_owned()); 9];
    cluster.second_wave(&mut snapshot, &Needs { maps, ..Needs::default() }).await;
    assert_eq!(snapshot.requests.gets, 10);
    assert_eq!(gap(&snapshot, "values of ConfigMap app").why, "left out: at most 10 further requests are sent");
}

#[tokio::test]
async fn every_page_is_read_and_counted() {
    let list: Value =
        serde_json::from_slice(&files::read("tests/recorded/oom-killed/objects.json".as_ref()).unwrap()).unwrap();
    let server = ApiServer::start(list["items"].as_array().unwrap().clone(), "", 2);
    let snapshot = scanned(&server).await;
    assert_eq!(snapshot.events.len(), 7);
    assert_eq!((snapshot.requests.lists, snapshot.requests.pages), (KINDS + 1, 3));
}

#[tokio::test]
async fn a_forbidden_list_is_a_gap_of_its_weight() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/pods", Act::Fail(403, "", "pods is forbidden: User \"me\" cannot list"));
    server.always("/services?", Act::Fail(403, "", "no"));
    let snapshot = scanned(&server).await;
    assert!(snapshot.lacks("pods") && snapshot.lacks("services") && !snapshot.lacks("deployments"));
    let pods = gap(&snapshot, "pods");
    assert_eq!(pods.what, "pods in namespace cat-oom-killed");
    assert_eq!(pods.why, "forbidden: pods is forbidden: User \"me\" cannot list");
    assert!(pods.essential && pods.codes.is_empty());
    let services = gap(&snapshot, "services");
    assert!(!services.essential && services.codes.contains(&"service-selector-mismatch".to_owned()));
}

#[tokio::test]
async fn a_person_without_any_right_gets_gaps_and_not_health() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/", Act::Fail(403, "", "no"));
    let snapshot = scanned(&server).await;
    assert_eq!(snapshot.gaps.len(), KINDS);
    assert_eq!(snapshot.gaps.iter().filter(|gap| gap.essential).count(), 8);
}

#[tokio::test]
async fn a_group_that_is_not_served_is_no_essential_gap() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/apis/autoscaling/v2", Act::Fail(404, "", "404 page not found"));
    let snapshot = scanned(&server).await;
    let gap = gap(&snapshot, "horizontalpodautoscalers");
    assert_eq!(gap.why, "the cluster does not serve horizontalpodautoscalers of autoscaling/v2");
    assert!(!gap.essential);
}

#[tokio::test]
async fn refused_credentials_end_the_scan() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/", Act::Fail(401, "", "Unauthorized"));
    let error = scan(&setup(&server).options).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable);
    assert_eq!(error.message, "your credentials for context lab were refused: log in again");
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_said_with_a_hint() {
    let server = ApiServer::recorded("oom-killed");
    let setup = setup(&server);
    let port = server.port();
    drop(server);
    let error = scan(&setup.options).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable);
    assert_eq!(error.message, format!("the cluster of context lab (127.0.0.1:{port}) refused the connection"));
    assert!(!error.hints.is_empty());
}

#[tokio::test]
async fn a_name_that_is_not_known_is_said() {
    let setup = with_user(1, &json!({}));
    let config = String::from_utf8(files::read(&setup.options.kubeconfig[0]).unwrap()).unwrap();
    files::write_scratch(&setup.options.kubeconfig[0], config.replace("127.0.0.1", "no-such-host.invalid").as_bytes())
        .unwrap();
    let error = scan(&setup.options).await.unwrap_err();
    assert!(error.message.starts_with("the name of the cluster of context lab"), "{error}");
}

#[tokio::test]
async fn a_silent_list_costs_one_deadline_and_is_a_gap() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/events", Act::Silence);
    let mut setup = setup(&server);
    setup.options.request_timeout = Duration::from_millis(600);
    let snapshot = scan(&setup.options).await.unwrap();
    assert_eq!(gap(&snapshot, "events").why, "timed out after 600 ms");
    assert!(gap(&snapshot, "events").essential);
    assert_eq!(snapshot.pods.len(), 1);
}

#[tokio::test]
async fn a_silent_server_costs_one_deadline_whatever_is_asked() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/", Act::Silence);
    let mut setup = setup(&server);
    setup.options.request_timeout = Duration::from_millis(600);
    setup.options.namespaces = (0..10).map(|n| format!("ns-{n}")).collect();
    let started = Instant::now();
    let error = scan(&setup.options).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unreachable);
    assert!(error.message.ends_with("did not answer"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_was_read_before_the_server_died_stays() {
    let server = ApiServer::recorded("oom-killed");
    server.dies_after(7);
    let snapshot = scanned(&server).await;
    // One of the seven answers may have told which groups are served.
    assert!([KINDS - 7, KINDS - 6].contains(&snapshot.gaps.len()), "{:?}", snapshot.gaps);
    assert!(snapshot.gaps.iter().all(|gap| !gap.why.is_empty()));
}

#[tokio::test]
async fn an_expired_list_begins_again_without_doubling() {
    let list: Value =
        serde_json::from_slice(&files::read("tests/recorded/oom-killed/objects.json".as_ref()).unwrap()).unwrap();
    let server = ApiServer::start(list["items"].as_array().unwrap().clone(), "", 3);
    server.once("continue=at-6", Act::Fail(410, "", "The provided continue parameter is too old"));
    let snapshot = scanned(&server).await;
    assert_eq!(snapshot.events.len(), 7);
    assert_eq!(snapshot.gaps, []);
    assert_eq!((snapshot.requests.lists, snapshot.requests.pages), (KINDS + 2, 4));
}

#[tokio::test]
async fn a_request_that_was_turned_away_is_sent_again() {
    let server = ApiServer::recorded("oom-killed");
    server.once("/pods", Act::Fail(429, "Retry-After: 0\r\n", "too many"));
    let snapshot = scanned(&server).await;
    assert_eq!((snapshot.pods.len(), snapshot.gaps.len()), (1, 0));
    assert_eq!(snapshot.requests.lists, server.seen().len());
}

#[tokio::test]
async fn a_wait_beyond_the_deadline_is_not_waited() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/pods", Act::Fail(429, "Retry-After: 3600\r\n", "later"));
    let snapshot = scanned(&server).await;
    assert_eq!(gap(&snapshot, "pods").why, "too many requests: later");
}

#[tokio::test]
async fn pages_without_end_are_a_gap() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/deployments", Act::Endless);
    let snapshot = scanned(&server).await;
    let gap = gap(&snapshot, "deployments");
    assert_eq!(gap.why, "only a part was read: the answer could not be read: its pages do not end, 1000 were read");
    assert_eq!(snapshot.kind("Deployment").len(), 1);
}

#[tokio::test]
async fn a_page_of_html_is_a_gap_and_not_an_empty_list() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/pods", Act::Body("<html>please log in</html>".to_owned()));
    server.always("/jobs", Act::Close);
    let snapshot = scanned(&server).await;
    assert!(snapshot.lacks("pods") && snapshot.lacks("jobs"), "{:?}", snapshot.gaps);
}

#[tokio::test]
async fn a_mistyped_namespace_names_the_nearest() {
    let server = ApiServer::recorded("oom-killed");
    let mut setup = setup(&server);
    setup.options.namespaces = vec!["cat-oom-kiled".to_owned()];
    let error = scan(&setup.options).await.unwrap_err();
    assert_eq!(error.kind, Kind::Usage);
    assert_eq!(error.message, "there is no namespace cat-oom-kiled in the cluster of context lab");
    assert_eq!(error.hints, ["did you mean `-n cat-oom-killed`?"]);
}

#[tokio::test]
async fn an_empty_namespace_is_asked_for_once_and_stays_empty_when_it_may_not_be_read() {
    let server = ApiServer::start(Vec::new(), "", 500);
    server.always("/api/v1/namespaces/cat-oom-killed$", Act::Fail(403, "", "no"));
    let snapshot = scanned(&server).await;
    assert_eq!(snapshot.requests.gets, 1);
    assert_eq!(snapshot.gaps, []);
}

#[tokio::test]
async fn several_namespaces_are_a_list_each() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/namespaces/other", Act::Fail(403, "", "no"));
    let mut setup = setup(&server);
    setup.options.namespaces = vec![NAMESPACE.to_owned(), "other".to_owned(), NAMESPACE.to_owned()];
    let snapshot = scan(&setup.options).await.unwrap();
    assert_eq!(snapshot.requests.lists, 2 * KINDS + 1);
    assert_eq!(snapshot.pods.len(), 1);
    assert!(snapshot.gaps.iter().any(|gap| gap.what == "pods in namespace other"));
}

#[tokio::test]
async fn all_namespaces_are_one_list_each() {
    let server = ApiServer::recorded("oom-killed");
    let mut setup = setup(&server);
    setup.options.all_namespaces = true;
    server.always("/apis/batch/v1/jobs", Act::Fail(403, "", "no"));
    let snapshot = scan(&setup.options).await.unwrap();
    assert_eq!(snapshot.pods.len(), 1);
    assert_eq!(gap(&snapshot, "jobs").what, "jobs in all namespaces");
    assert_eq!(server.targets("/namespaces/"), Vec::<String>::new());
}

#[tokio::test]
async fn a_namespace_cannot_lead_out_of_its_path() {
    let server = ApiServer::recorded("oom-killed");
    for name in ["../secrets", "", "A", "a/b", "-a", "a?b"] {
        let mut setup = setup(&server);
        setup.options.namespaces = vec![name.to_owned()];
        assert_eq!(cluster::connect(&setup.options).await.err().map(|error| error.kind), Some(Kind::Usage), "{name}");
    }
}

fn need(snapshot: &Snapshot, previous: bool) -> LogNeed {
    let pod = snapshot.pods[0].metadata.name.clone();
    LogNeed { namespace: NAMESPACE.to_owned(), pod, container: "app".to_owned(), previous }
}

#[tokio::test]
async fn logs_of_both_runs_are_read_and_an_absent_one_is_no_gap() {
    let server = ApiServer::recorded("oom-killed");
    let setup = setup(&server);
    let cluster = connected(&setup.options).await;
    let mut snapshot = cluster.first_wave(&|_| {}).await.unwrap();
    let never_ran = LogNeed { container: "sidecar".to_owned(), ..need(&snapshot, true) };
    let needs = Needs { logs: vec![need(&snapshot, true), never_ran], ..Needs::default() };
    cluster.second_wave(&mut snapshot, &needs).await;
    let runs: Vec<_> = snapshot.logs.iter().map(|tail| (tail.previous, tail.lines[0].text.as_str())).collect();
    assert_eq!(runs, [(false, "starting"), (true, "starting")]);
    assert_eq!(snapshot.gaps, []);
    assert_eq!(snapshot.requests.logs, 4);
    assert!(server.targets("/log?")[0].contains("tailLines=200&limitBytes=4194304&timestamps=true"));
}

#[tokio::test]
async fn a_log_that_is_no_text_still_tells_its_last_error_and_prints_nothing_odd() {
    let server = ApiServer::recorded("crash-app-error.exit-2");
    let mut log = b"2026-11-22T16:46:00Z \x7fELF\x02\x01\x01\0\0\xff\xfe\x1b[2J\n".to_vec();
    log.extend_from_slice(b"2026-11-22T16:46:01Z \xff\0Error: could not open the ledger \x9b31m\xc3\x28\x07\n");
    log.extend_from_slice(&[0xff; 300]);
    log.extend_from_slice(b"\n\0\0\0\n");
    server.always("/log?", Act::Bytes(log));
    let sandbox = crate::live::sandbox(&server);
    for words in [
        &["scan", "-A", "--all"][..],
        &["scan", "-A", "-o", "json"],
        &["explain", "deployment/web", "-n", "cat-crash-exit-2"],
    ] {
        let ran = sandbox.aifix(words);
        assert!(ran.out.contains("could not open the ledger"), "{words:?}: {}", ran.out);
        let odd = |c: &char| c.is_control() && *c != '\n';
        assert_eq!(ran.out.chars().chain(ran.err.chars()).find(odd), None, "{words:?}: {}", ran.out);
    }
}

#[tokio::test]
async fn a_log_that_may_not_be_read_is_a_contextual_gap_and_the_rest_beyond_twenty_another() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/log?", Act::Fail(403, "", "no"));
    let setup = setup(&server);
    let cluster = connected(&setup.options).await;
    let mut snapshot = cluster.first_wave(&|_| {}).await.unwrap();
    let needs = Needs { logs: vec![need(&snapshot, false); 23], ..Needs::default() };
    cluster.second_wave(&mut snapshot, &needs).await;
    assert_eq!((snapshot.requests.logs, snapshot.gaps.len()), (20, 21));
    assert!(snapshot.gaps.iter().all(|gap| !gap.essential));
    assert_eq!(snapshot.gaps[20].what, "logs of 3 further containers");
}

#[tokio::test]
async fn further_kinds_are_listed_where_they_live() {
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1", "managedFields": [{"manager": "kubelet"}]}}),
    ];
    objects.push(json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1beta2", "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system"}, "spec": {"targetNamespace": NAMESPACE}}));
    objects.push(json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1beta2", "kind": "Kustomization",
        "metadata": {"name": "others", "namespace": "flux-system"}, "spec": {"targetNamespace": "elsewhere"}}));
    objects.push(config_map("a", &json!([])));
    let server = ApiServer::start(objects, "", 500);
    let setup = setup(&server);
    let cluster = connected(&setup.options).await;
    let mut snapshot = cluster.first_wave(&|_| {}).await.unwrap();
    let needs = Needs { kinds: vec!["nodes", "kustomizations", "helmreleases", "nodes", "pods"], ..Needs::default() };
    cluster.second_wave(&mut snapshot, &needs).await;
    assert_eq!(snapshot.kind("Node")[0].metadata.managed_fields, []);
    // Served in another version than the one that is known; what delivers elsewhere is not kept.
    assert_eq!(snapshot.kind("Kustomization").len(), 1);
    assert_eq!(snapshot.kind("Kustomization")[0].api_version, "kustomize.toolkit.fluxcd.io/v1beta2");
    // A custom kind that is not served has no objects: nothing was missed.
    assert_eq!(snapshot.gaps, []);
    assert_eq!(server.targets("/nodes").len(), 1);
    assert_eq!(server.targets("helmreleases"), Vec::<String>::new(), "its group is not served");
}

#[tokio::test]
async fn key_names_of_config_maps_come_without_their_values() {
    let fields = json!([{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:data": {"f:k": {}}}}]);
    let server = ApiServer::start(vec![config_map("a", &fields)], "", 500);
    let snapshot = scanned(&server).await;
    assert_eq!(snapshot.config_maps[0].keys, Some(["k".to_owned()].into()));
    let accept = server.seen().into_iter().find(|seen| seen.target.contains("configmaps")).unwrap().headers;
    let forms: Vec<&str> = accept["accept"][0].split(", ").collect();
    assert_eq!(forms.len(), 2);
    for form in forms {
        assert!(form.ends_with(";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"), "{form}");
    }
    assert!(!format!("{snapshot:?}").contains("the-value"));
}

#[tokio::test]
async fn secrets_are_listed_by_metadata_and_only_when_asked_for() {
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "data": {"k": "dGhlLXZhbHVl"},
        "metadata": {"name": "db", "namespace": NAMESPACE}});
    let server = ApiServer::start(vec![secret], "", 500);
    let mut setup = setup(&server);
    setup.options.read_secret_keys = true;
    let snapshot = scan(&setup.options).await.unwrap();
    assert_eq!(snapshot.secrets[0].metadata.name, "db");
    let accept = server.seen().into_iter().find(|seen| seen.target.contains("secrets")).unwrap().headers;
    assert!(accept["accept"][0].contains("as=PartialObjectMetadataList"));
}

#[tokio::test]
async fn the_asked_identity_goes_with_every_request() {
    let server = ApiServer::recorded("oom-killed");
    let mut setup = with_user(server.port(), &json!({"token": "t", "as": "robot", "as-groups": ["bots"]}));
    scan(&setup.options).await.unwrap();
    assert!(server.seen().iter().all(|seen| seen.headers["impersonate-user"] == ["robot"]));
    let before = server.seen().len();
    setup.options.as_user = Some("jane".to_owned());
    setup.options.as_groups = vec!["dev".to_owned(), "ops".to_owned()];
    scan(&setup.options).await.unwrap();
    for seen in &server.seen()[before..] {
        assert_eq!(seen.headers["impersonate-user"], ["jane"]);
        assert_eq!(seen.headers["impersonate-group"], ["dev", "ops"]);
    }
}

#[tokio::test]
async fn the_credential_plugin_runs_exactly_once() {
    let server = ApiServer::recorded("oom-killed");
    let marks = Scratch::new().unwrap();
    let marks = marks.path().join("runs");
    let script = format!(
        r#"echo run >> {}; printf '{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"fresh","expirationTimestamp":"2020-01-01T00:00:00Z"}}}}'"#,
        marks.display()
    );
    let user =
        json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script]}});
    scan(&with_user(server.port(), &user).options).await.unwrap();
    assert_eq!(files::read(&marks).unwrap(), b"run\n");
    assert!(server.seen().iter().all(|seen| seen.headers["authorization"] == ["Bearer fresh"]));
}

#[tokio::test]
async fn one_object_is_read_fresh_also_of_a_kind_that_is_not_known() {
    let widget = json!({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w", "namespace": NAMESPACE,
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "b"}}});
    let server = ApiServer::start(vec![widget], "", 500);
    let setup = setup(&server);
    let cluster = connected(&setup.options).await;
    let value = cluster.get(&ObjectRef::new("example.org/v1", "Widget", NAMESPACE, "w")).await.unwrap();
    assert_eq!(value["metadata"]["annotations"], json!({"a": "b"}));
    assert_eq!((cluster.requests().lists, cluster.requests().gets), (1, 1));
    let missing = cluster.get(&ObjectRef::new("apps/v1", "Deployment", NAMESPACE, "web")).await.unwrap_err();
    assert_eq!(missing.message, "Deployment cat-oom-killed/web is not in the cluster of context lab");
    let secret = cluster.get(&ObjectRef::new("v1", "Secret", NAMESPACE, "db")).await.unwrap_err();
    assert_eq!((secret.kind, server.targets("secrets").len()), (Kind::Usage, 0));
}

#[tokio::test]
async fn without_a_kubeconfig_the_error_names_where_it_looked() {
    let options = Options { kubeconfig: vec!["/nowhere/config".into()], ..Options::default() };
    let error = cluster::connect(&options).await.err().unwrap();
    assert_eq!((error.kind, error.message.as_str()), (Kind::Usage, "there is no kubeconfig at /nowhere/config"));
}

#[tokio::test]
async fn progress_is_told_list_by_list() {
    let server = ApiServer::recorded("oom-killed");
    let setup = setup(&server);
    let told = std::sync::Mutex::new(Vec::new());
    let say = |text: &str| told.lock().unwrap().push(text.to_owned());
    connected(&setup.options).await.first_wave(&say).await.unwrap();
    let told = told.into_inner().unwrap();
    assert_eq!((told.len(), told.last().map(String::as_str)), (KINDS, Some("read 18 of 18 lists")));
}

#[tokio::test]
async fn what_is_saved_is_read_back() {
    let server = ApiServer::recorded("oom-killed");
    server.always("/services", Act::Fail(403, "", "no"));
    let setup = setup(&server);
    let cluster = connected(&setup.options).await;
    let mut snapshot = cluster.first_wave(&|_| {}).await.unwrap();
    let needs = Needs { logs: vec![need(&snapshot, true)], ..Needs::default() };
    cluster.second_wave(&mut snapshot, &needs).await;
    snapshot.objects.retain(|_, objects| !objects.is_empty());
    let scratch = Scratch::new().unwrap();
    let file = scratch.path().join("saved.json");
    files::write_scratch(&file, cluster::files::save(&snapshot).as_bytes()).unwrap();
    let loaded = cluster::files::load(&file, None).unwrap();
    assert_eq!(format!("{loaded:#?}"), format!("{snapshot:#?}"));
}

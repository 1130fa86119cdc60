//! What files are read, and what is refused.

use super::*;
use crate::doors::files::Scratch;
use crate::error::Kind;
use crate::model::kube::{Keyed, Meta, Oddity};
use crate::model::snapshot::Gap;
use std::collections::BTreeMap;
use std::path::PathBuf;

fn scratch(files_in: &[(&str, &str)]) -> Scratch {
    let scratch = Scratch::new().unwrap();
    for (name, body) in files_in {
        files::write_scratch(&scratch.path().join(name), body.as_bytes()).unwrap();
    }
    scratch
}

fn loaded(name: &str, body: &str) -> Result<Snapshot, Error> {
    let scratch = scratch(&[(name, body)]);
    load(&scratch.path().join(name), None)
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/oom-killed")
}

const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"n"}}"#;

#[test]
fn a_recorded_folder_is_read_whole() {
    let snapshot = load(&recorded(), None).unwrap();
    assert_eq!((snapshot.pods.len(), snapshot.events.len(), snapshot.logs.len()), (1, 7, 2));
    assert_eq!(snapshot.context, "oom-killed");
    assert_eq!(snapshot.logs[0].namespace, "cat-oom-killed");
    assert!(snapshot.logs[1].previous);
    assert_eq!(snapshot.taken_at.unwrap().to_string(), "2026-11-22T16:46:58Z");
    assert!(snapshot.newest <= snapshot.taken_at);
    assert_eq!(snapshot.gaps, []);
}

#[test]
fn the_asked_clock_goes_before_the_recorded_one() {
    let at: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    assert_eq!(load(&recorded(), Some(at)).unwrap().taken_at, Some(at));
}

#[test]
fn a_single_object_a_list_an_array_and_several_documents_are_read() {
    let list = format!(r#"{{"apiVersion":"v1","items":[{POD}],"kind":"List"}}"#);
    let nested = format!(r#"{{"kind":"List","items":[{list},{POD}]}}"#);
    let other = POD.replace("\"a\"", "\"b\"");
    let nested = nested.replacen("\"a\"", "\"b\"", 1);
    let two = format!("{POD}\n{other}\n");
    for (body, pods) in [(POD, 1), (&list, 1), (&format!("[{POD}]"), 1), (&nested, 2), (&two, 2)] {
        assert_eq!(loaded("f.json", body).unwrap().pods.len(), pods, "{body}");
    }
}

#[test]
fn items_of_a_typed_list_take_their_kind_from_it() {
    let body =
        r#"{"items":[{"metadata":{"name":"w","namespace":"n"}}],"kind":"DeploymentList","apiVersion":"apps/v1"}"#;
    let snapshot = loaded("f.json", body).unwrap();
    assert_eq!(snapshot.find("Deployment", "n", "w").unwrap().api_version, "apps/v1");
}

#[test]
fn yaml_is_read_as_kubernetes_reads_it() {
    let body = "\
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {x: \"on\"}}
spec: {hostNetwork: yes}
---
# nothing
---
apiVersion: v1
kind: List
items:
- apiVersion: example.org/v1
  kind: Widget
  metadata: {name: w}
  spec: {mode: 010}
";
    let snapshot = loaded("f.yaml", body).unwrap();
    assert!(snapshot.pods[0].spec.host_network);
    assert_eq!(snapshot.pods[0].metadata.labels["x"], "on");
    assert_eq!(snapshot.kind("Widget")[0].int("/spec/mode"), Some(8));
}

#[test]
fn an_event_of_the_new_group_is_the_same_event() {
    let body = r#"{"apiVersion":"events.k8s.io/v1","kind":"Event","metadata":{"name":"e"},"note":"text","reason":"R",
        "regarding":{"kind":"Pod","name":"a"},"deprecatedCount":3,"reportingController":"kubelet"}"#;
    let event = loaded("f.json", body).unwrap().events.remove(0);
    assert_eq!((event.message.as_str(), event.involved_object.name.as_str(), event.times()), ("text", "a", 3));
}

#[test]
fn values_of_secrets_and_config_maps_are_dropped() {
    let body = r#"[{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"p":"aHVudGVyMg=="}},
        {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"k":"hunter3"}}]"#;
    let snapshot = loaded("f.json", body).unwrap();
    assert_eq!(snapshot.secrets[0].keys, Some(["p".to_owned()].into()));
    let printed = format!("{snapshot:?}{}", save(&snapshot));
    assert!(!printed.contains("hunter3") && !printed.contains("aHVudGVyMg"), "{printed}");
}

#[test]
fn what_is_no_snapshot_is_refused_with_its_position() {
    let refused = [
        ("f.json", "", "is empty"),
        ("f.json", "{\"kind\": \"List\",\n \"items\": [", "f.json:2:11: the file ends in the middle of it"),
        ("f.json", "{\"kind\" 1}", "f.json:1:9: it is no JSON"),
        ("f.json", "[1]", "item 1 has no kind"),
        ("f.json", r#"{"kind":"List","items":{}}"#, "it is no JSON"),
        ("f.json", r#"{"kind":"List","items":[]}"#, "holds no Kubernetes object"),
        ("f.json", r#"{"kind":"List","items":[{"metadata":{}}]}"#, "item 1 has no kind"),
        ("f.json", r#"{"kind":"Pod"}"#, "the object, a Pod, has no name"),
        ("f.json", r#"{"kind":"Pod","metadata":{"name":"a"},"spec":7}"#, "the object, Pod a: invalid type"),
        ("f.json", r#"{"kind":"Status","message":"Unauthorized"}"#, "an error of the API server: Unauthorized"),
        ("f.yaml", "a: [", "f.yaml:"),
        ("f.txt", "hello", "it is no Kubernetes object"),
        ("f.bin", "\u{0}\u{1}", "neither JSON nor YAML"),
    ];
    for (name, body, want) in refused {
        let error = loaded(name, body).map(|_| ()).unwrap_err();
        assert_eq!(error.kind, Kind::Usage);
        assert!(error.message.contains(want), "{body}: {error}");
        assert!(!error.hints.is_empty(), "{body}");
    }
}

#[test]
fn what_must_be_unpacked_first_is_refused_with_the_program_for_it() {
    for (bytes, want, hint) in [
        (b"\x1f\x8b\x08\x00".as_slice(), "is compressed with gzip", "gunzip"),
        (b"\xff\xfe{\x00", "is text in UTF-16", "iconv"),
        (b"\xfe\xff\x00{", "is text in UTF-16", "iconv"),
    ] {
        let scratch = Scratch::new().unwrap();
        let file = scratch.path().join("f.json");
        files::write_scratch(&file, bytes).unwrap();
        let error = load(&file, None).map(|_| ()).unwrap_err();
        assert!(error.message.ends_with(want) && error.hints[0].contains(hint), "{error:?}");
    }
}

#[test]
fn gigabytes_are_refused_before_they_are_read() {
    let scratch = Scratch::new().unwrap();
    let file = scratch.path().join("f.json");
    // A sparse file: it takes no room, and reading it would take longer than any test may.
    files::write_scratch_sparse(&file, 1 << 40).unwrap();
    let error = load(&file, None).map(|_| ()).unwrap_err();
    assert!(error.message.ends_with("makes the snapshot larger than 512 MiB"), "{error}");
    files::write_scratch(&scratch.path().join("d/n/pods.json"), b"[]").unwrap();
    files::write_scratch_sparse(&scratch.path().join("d/n/events.json"), MAX_BYTES).unwrap();
    assert!(load(&scratch.path().join("d"), None).is_err(), "the files of a folder count together");
}

#[test]
fn an_object_that_stands_twice_is_one() {
    let of = |group: &str, uid: &str| {
        format!(
            r#"{{"kind":"Ingress","apiVersion":"{group}/v1","metadata":{{"name":"w","namespace":"n","uid":"{uid}"}}}}"#
        )
    };
    let all = [POD, POD, &of("networking.k8s.io", "1"), &of("networking.k8s.io", "1"), &of("example.org", "2")];
    let snapshot = loaded("f.json", &format!("[{}]", all.join(","))).unwrap();
    assert_eq!((snapshot.pods.len(), snapshot.kind("Ingress").len()), (1, 2), "a kind of another group is another");
}

#[test]
fn objects_without_uid_time_or_namespace_are_read() {
    let bare = r#"[{"kind":"Pod","metadata":{"name":"a"}},{"kind":"Pod","metadata":{"name":"b"}},
        {"kind":"Event","metadata":{"name":"e","creationTimestamp":"not yet"}},
        {"kind":"Teapot","apiVersion":"x/v9","metadata":{"name":"t","uid":""},"spec":[1],"status":"short"}]"#;
    let snapshot = loaded("f.json", bare).unwrap();
    assert_eq!((snapshot.pods.len(), snapshot.newest), (2, None));
    assert_eq!(snapshot.kind("Teapot").len(), 1, "an unknown kind");
}

#[test]
fn deep_nesting_is_refused_and_does_not_crash() {
    for (name, open) in [("f.json", "["), ("f.json", "{\"items\":["), ("f.yaml", "["), ("f.yaml", "- ")] {
        assert!(loaded(name, &open.repeat(20_000)).is_err(), "{open}");
    }
}

#[test]
fn an_error_in_yaml_never_quotes_the_file() {
    let error = loaded("f.yaml", "kind: Secret\ndata:\n  p: hunter2\n x: y\n").map(|_| ()).unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
}

#[test]
fn a_missing_file_and_an_empty_folder_say_what_to_do() {
    let scratch = scratch(&[("notes.md", "x")]);
    assert!(load(&scratch.path().join("none"), None).unwrap_err().message.ends_with("none does not exist"));
    assert!(load(scratch.path(), None).unwrap_err().message.ends_with("holds no snapshot"));
}

#[test]
fn a_dump_of_cluster_info_is_read() {
    let pods =
        r#"{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"name":"web","namespace":"n"}}]}"#;
    let log = "==== START logs for container app of pod n/web ====\nboom\n==== END logs for container app of pod n/web ====\n";
    let nodes = r#"{"kind":"NodeList","apiVersion":"v1","items":[{"metadata":{"name":"n1"}}]}"#;
    let empty = r#"{"kind":"EventList","apiVersion":"v1","items":[]}"#;
    let scratch =
        scratch(&[("nodes.json", nodes), ("n/pods.json", pods), ("n/events.json", empty), ("n/web/logs.txt", log)]);
    let snapshot = load(scratch.path(), None).unwrap();
    assert_eq!((snapshot.pods.len(), snapshot.kind("Node").len()), (1, 1));
    assert_eq!((snapshot.logs[0].namespace.as_str(), snapshot.logs[0].lines[0].text.as_str()), ("n", "boom"));
}

#[test]
fn a_broken_clock_is_refused() {
    let scratch = scratch(&[("objects.json", POD), ("taken-at", "yesterday")]);
    assert!(load(scratch.path(), None).unwrap_err().message.ends_with("taken-at holds no time"));
}

#[test]
fn workloads_without_their_pods_are_a_gap_and_not_health() {
    let body = r#"{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"w","namespace":"n"},"status":{"replicas":2}}"#;
    let snapshot = loaded("f.json", body).unwrap();
    assert!(snapshot.lacks("pods") && snapshot.gaps[0].essential);
    let scaled_to_zero = body.replace('2', "0");
    assert_eq!(loaded("f.json", &scaled_to_zero).unwrap().gaps, []);
}

fn gaps(body: &str) -> Vec<String> {
    let gaps = loaded("f.json", body).unwrap().gaps;
    assert!(gaps.iter().all(|gap| gap.essential), "{body}");
    gaps.into_iter().map(|gap| format!("{}: {}", gap.what, gap.why)).collect()
}

#[test]
fn a_page_of_a_longer_list_is_a_gap() {
    let page = |kind: &str, metadata: &str| {
        format!(r#"{{"kind":"{kind}","apiVersion":"v1","metadata":{metadata},"items":[{POD}]}}"#)
    };
    let of = |what: &str, left: &str| {
        [format!("{what}: the list in the file is a page of a longer one (metadata.continue): {left} not in it")]
    };
    assert_eq!(gaps(&page("PodList", r#"{"continue":"t","remainingItemCount":7}"#)), of("pods", "7 more objects"));
    let cut = page("List", r#"{"continue":"t"}"#);
    assert_eq!(gaps(&cut), of("objects", "more objects"));
    assert_eq!(gaps(&format!(r#"{{"kind":"List","items":[{cut}]}}"#)), of("objects", "more objects"), "within a list");
    assert!(gaps(&page("PodList", r#"{"continue":"","resourceVersion":"1"}"#)).is_empty(), "the last page");
}

#[test]
fn a_file_that_tells_of_no_workload_is_a_gap() {
    let node = r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"}}"#;
    let want = ["pods and workloads: no pods or workloads in the file"];
    assert_eq!(gaps(node), want);
    assert_eq!(gaps(&format!(r#"{{"kind":"List","metadata":{{"annotations":{{"x":"y"}}}},"items":[{node}]}}"#)), want);
    let no_pods = r#"{"kind":"PodList","apiVersion":"v1","items":[]}"#;
    assert!(gaps(&format!("{no_pods}{node}")).is_empty(), "pods were listed, and there are none");
    let job = r#"{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"j"}}"#;
    assert!(gaps(&format!("{node}{job}")).is_empty());
    let empty = Snapshot::new("x", Scope::All);
    assert!(gaps(&save(&empty)).is_empty(), "it was looked for workloads");
}

#[test]
fn the_newest_time_counts_a_deletion_at_its_request() {
    let body = r#"{"kind":"Pod","metadata":{"name":"a","creationTimestamp":"2026-01-01T00:00:00Z",
        "deletionTimestamp":"2026-01-01T01:00:00Z","deletionGracePeriodSeconds":600}}"#;
    assert_eq!(loaded("f.json", body).unwrap().newest.unwrap().to_string(), "2026-01-01T00:50:00Z");
}

#[test]
fn a_saved_snapshot_is_read_back_as_it_was() {
    let mut snapshot = load(&recorded(), None).unwrap();
    snapshot.scope = Scope::Namespaces(vec!["cat-oom-killed".to_owned()]);
    snapshot.requests.lists = 18;
    snapshot.gaps.push(Gap {
        what: "services".into(),
        why: "forbidden".into(),
        essential: false,
        codes: vec!["x".into()],
    });
    let keyed = |name: &str, keys: &[&str]| Keyed {
        metadata: Meta { name: name.to_owned(), ..Meta::default() },
        keys: Some(keys.iter().map(ToString::to_string).collect()),
        odd: BTreeMap::new(),
    };
    let odd = [("k".to_owned(), Oddity::Empty), ("password".to_owned(), Oddity::ByteOrderMark)].into();
    snapshot.config_maps =
        vec![Keyed { odd, ..keyed("a", &["k", "password"]) }, keyed("b", &[]), Keyed { keys: None, ..keyed("c", &[]) }];
    snapshot.secrets = vec![keyed("s", &["token"])];
    let scratch = scratch(&[("saved.json", &save(&snapshot))]);
    let loaded = load(&scratch.path().join("saved.json"), None).unwrap();
    assert_eq!(format!("{loaded:#?}"), format!("{snapshot:#?}"));
}

#[test]
fn what_is_saved_has_no_recognised_secret() {
    let mut snapshot = load(&recorded(), None).unwrap();
    snapshot.logs[0].lines[0].text = "connect postgres://app:hunter2@db".to_owned();
    snapshot.pods[0].metadata.annotations.insert("note".to_owned(), "DB_PASSWORD=hunter2".to_owned());
    snapshot.events[0].message = "token: hunter2hunter2".to_owned();
    let saved = save(&snapshot);
    assert!(!saved.contains("hunter2") && saved.contains("postgres://<secret:"), "{saved}");
}

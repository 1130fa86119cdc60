//! Answers in the API server's binary form.

use crate::api_server::{Act, ApiServer};
use crate::cluster::{config_map, connected, scanned, setup};
use aifix::cluster::protobuf;
use aifix::model::snapshot::{Needs, Snapshot};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What the Go library of Kubernetes wrote: an object of each kind, something in every field, as JSON and packed.
fn samples() -> Vec<(Value, Value, Vec<u8>)> {
    let lines = include_str!("protobuf/samples.jsonl").lines();
    let samples = lines.map(|line| {
        let mut sample: Value = serde_json::from_str(line).unwrap();
        let written = without_nothing(sample["json"].take());
        let packed = STANDARD.decode(sample["protobuf"].as_str().unwrap()).unwrap();
        (sample, written, packed)
    });
    samples.collect()
}

/// Null and an absent field are one.
fn without_nothing(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(|value| *value = without_nothing(value.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_nothing(item.take())),
        _ => {}
    }
    value
}

#[test]
fn every_field_of_every_kind_is_as_in_json() {
    let samples = samples();
    assert!(samples.len() > 35, "{} kinds", samples.len());
    for (of, written, packed) in samples {
        let (version, kind) = (of["apiVersion"].as_str().unwrap(), of["kind"].as_str().unwrap());
        assert!(protobuf::knows(version, kind), "{version} {kind}");
        assert!(protobuf::is(&packed));
        let read = protobuf::object(&packed).unwrap_or_else(|why| panic!("{version} {kind}: {why}"));
        let read: Value = serde_json::from_str(&read).unwrap_or_else(|why| panic!("{version} {kind}: {why}: {read}"));
        let mut told = Vec::new();
        differences(&written, &read, kind, &mut told);
        assert!(told.is_empty(), "{version} {}", told.join("\n"));
    }
}

/// Where two values differ.
fn differences(json: &Value, binary: &Value, at: &str, told: &mut Vec<String>) {
    match (json, binary) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let none = Value::Null;
                differences(a.get(key).unwrap_or(&none), b.get(key).unwrap_or(&none), &format!("{at}/{key}"), told);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().for_each(|(n, (a, b))| differences(a, b, &format!("{at}/{n}"), told));
        }
        (a, b) if a != b => told.push(format!("{at}: {a} as JSON, {b} packed")),
        _ => {}
    }
}

/// A field of bytes, of fewer than 128.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

/// A page of pods with these further fields in their metadata.
fn page(pods: &[(&str, &[u8])], token: &str) -> Act {
    let pod = |(name, more): &(&str, &[u8])| {
        let place = [field(1, name.as_bytes()), field(3, b"cat-oom-killed")].concat();
        field(2, &field(1, &[&place, *more].concat()))
    };
    let list = [field(1, &field(3, token.as_bytes())), pods.iter().flat_map(pod).collect()].concat();
    let of = [field(1, b"v1"), field(2, b"PodList")].concat();
    Act::Bytes([b"k8s\0".to_vec(), field(1, &of), field(2, &list)].concat())
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    snapshot.pods.iter().map(|pod| pod.metadata.name.as_str()).collect()
}

/// What requests whose address holds `part` asked for.
fn forms(server: &ApiServer, part: &str) -> Vec<String> {
    let asked = server.seen().into_iter().filter(|seen| seen.target.contains(part));
    asked.map(|seen| seen.headers["accept"][0].clone()).collect()
}

#[tokio::test]
async fn packed_pages_and_others_make_one_list() {
    let server = ApiServer::recorded("oom-killed");
    let recorded = names(&scanned(&server).await).join(" ");
    server.once("/pods?", page(&[("first", &[]), ("second", &[])], "at-0"));
    let snapshot = scanned(&server).await;
    assert_eq!(names(&snapshot).join(" "), format!("first second {recorded}"));
    assert_eq!(snapshot.gaps, []);
    let own = forms(&server, "/kustomizations");
    assert!(own.iter().all(|form| form == "application/json"), "custom kinds have JSON only: {own:?}");
}

#[tokio::test]
async fn what_a_newer_server_adds_is_asked_for_as_json() {
    let server = ApiServer::recorded("oom-killed");
    let recorded = names(&scanned(&server).await).join(" ");
    for newer in [&field(15, b"added")[..], &[0xff; 12]] {
        let before = server.seen().len();
        server.once("/pods?", page(&[("first", &[]), ("second", newer)], ""));
        let setup = setup(&server);
        let cluster = connected(&setup.options).await;
        let mut snapshot = cluster.first_wave(&|_| {}).await.unwrap();
        cluster.second_wave(&mut snapshot, &Needs { kinds: vec!["nodes"], ..Needs::default() }).await;
        assert_eq!(names(&snapshot).join(" "), recorded, "each pod once, and whole");
        assert_eq!(snapshot.gaps, []);
        assert_eq!(snapshot.requests.lists, server.seen().len() - before);
        let asked = forms(&server, "/pods?");
        let [packed, plain] = asked.last_chunk().unwrap();
        assert!(packed.starts_with("application/vnd.kubernetes.protobuf, "), "{packed}");
        assert_eq!(plain, "application/json");
        // What comes later is asked for in the form that tells all.
        assert_eq!(forms(&server, "/nodes?").last().unwrap(), "application/json");
    }
    // What stands before the server may know no other form.
    server.once("/pods?", Act::Fail(406, "", "only the following media types are accepted: application/json"));
    let snapshot = scanned(&server).await;
    assert_eq!((names(&snapshot).join(" "), snapshot.gaps.len()), (recorded, 0));
    // Keys of ConfigMaps come without their values in every form.
    let server = ApiServer::start(vec![config_map("a", &serde_json::json!([]))], "", 500);
    server.once("/configmaps?", page(&[("a", &field(15, b"added"))], ""));
    scanned(&server).await;
    let asked = forms(&server, "/configmaps?");
    assert_eq!(asked.len(), 2);
    for form in asked.iter().flat_map(|forms| forms.split(", ")) {
        assert!(form.ends_with(";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"), "{form}");
    }
}

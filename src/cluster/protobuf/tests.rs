//! Messages made by hand: read for what they say, or refused.

use super::*;
use serde_json::json;

fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

fn bytes(number: u64, content: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(content.len() as u64), content.to_vec()].concat()
}

fn number(number: u64, content: i64) -> Vec<u8> {
    [varint(number << 3), varint(content.cast_unsigned())].concat()
}

fn all(fields: &[Vec<u8>]) -> Vec<u8> {
    fields.concat()
}

fn answer(api_version: &str, kind: &str, object: &[u8]) -> Vec<u8> {
    let of = all(&[bytes(1, api_version.as_bytes()), bytes(2, kind.as_bytes())]);
    all(&[MAGIC.to_vec(), bytes(1, &of), bytes(2, object), bytes(3, b""), bytes(4, b"")])
}

fn read(api_version: &str, kind: &str, object: &[u8]) -> Result<serde_json::Value, Unread> {
    super::object(&answer(api_version, kind, object)).map(|text| serde_json::from_str(&text).expect(&text))
}

/// Metadata with these fields.
fn meta(fields: &[Vec<u8>]) -> Vec<u8> {
    bytes(1, &all(fields))
}

fn list(items: &[Vec<u8>], token: &str) -> Vec<u8> {
    let mut fields = vec![bytes(1, &all(&[bytes(2, b"42"), bytes(3, token.as_bytes())]))];
    fields.extend(items.iter().map(|item| bytes(2, item)));
    answer("v1", "PodList", &all(&fields))
}

#[test]
fn the_items_of_a_page_are_json_and_its_token_leads_on() {
    let managed = bytes(17, &bytes(1, b"kubectl"));
    let items = ["a", "b"].map(|name| meta(&[bytes(1, name.as_bytes()), managed.clone()]));
    let page = list(&items, "next");
    let page = Page::read(&page).unwrap();
    assert_eq!(page.token.as_deref(), Some("next"));
    let texts = |managed: bool| {
        let (mut written, mut texts) = (page.written(managed), Vec::new());
        while let Some(text) = written.advance() {
            texts.push(text.unwrap().to_owned());
        }
        texts
    };
    assert_eq!(texts(false), [r#"{"metadata":{"name":"a"}}"#, r#"{"metadata":{"name":"b"}}"#]);
    assert_eq!(texts(true)[1], r#"{"metadata":{"name":"b","managedFields":[{"manager":"kubectl"}]}}"#);
    assert_eq!(Page::read(&list(&[], "")).unwrap().token, None);
}

#[test]
fn each_shape_is_written_as_the_server_writes_it() {
    let time = bytes(8, &[number(1, 1_751_846_400), number(2, 7)].concat());
    let labels =
        [bytes(11, &all(&[bytes(1, b"a"), bytes(2, b"1")])), bytes(11, &all(&[bytes(1, b"b"), bytes(2, b"")]))];
    let metadata = meta(&[bytes(1, b"web"), bytes(2, b""), number(7, 0), time, labels.concat()]);
    let port = |target: Vec<u8>| bytes(1, &all(&[bytes(1, b""), number(3, 80), bytes(4, &target), number(5, 0)]));
    let spec = bytes(
        2,
        &all(&[port(number(2, 9)), port(all(&[number(1, 1), number(2, 0), bytes(3, b"http")])), bytes(3, b"None")]),
    );
    assert_eq!(
        read("v1", "Service", &all(&[metadata, spec, bytes(3, &bytes(1, b""))])).unwrap(),
        json!({
            "metadata": {"name": "web", "creationTimestamp": "2025-07-07T00:00:00Z", "labels": {"a": "1", "b": ""}},
            "spec": {"ports": [{"port": 80, "targetPort": 9}, {"port": 80, "targetPort": "http"}], "clusterIP": "None"},
            "status": {"loadBalancer": {}},
        })
    );
    // A limit is a quantity in a map, a probe's handler stands in the probe, minus one is a long number.
    let limit = bytes(1, &all(&[bytes(1, b"cpu"), bytes(2, &bytes(1, b"250m"))]));
    let probe = all(&[bytes(1, &bytes(3, &bytes(1, &number(2, 80)))), number(2, 5)]);
    let container = all(&[bytes(1, b"app"), bytes(8, &limit), bytes(10, &probe)]);
    let spec = bytes(2, &all(&[bytes(2, &container), number(4, -1)]));
    assert_eq!(
        read("v1", "Pod", &spec).unwrap(),
        json!({"spec": {
            "containers": [{"name": "app", "resources": {"limits": {"cpu": "250m"}},
                "livenessProbe": {"tcpSocket": {"port": 80}, "initialDelaySeconds": 5}}],
            "terminationGracePeriodSeconds": -1,
        }})
    );
    // Zero counts of a container's status are shown, bytes are Base64, data is JSON as it came.
    let status =
        bytes(3, &bytes(8, &all(&[bytes(1, b"app"), number(4, 0), number(5, 0), bytes(6, b""), bytes(7, b"")])));
    let shown = json!([{"name": "app", "ready": false, "restartCount": 0, "image": "", "imageID": ""}]);
    assert_eq!(read("v1", "Pod", &status).unwrap()["status"]["containerStatuses"], shown);
    let data = bytes(3, &all(&[bytes(1, b"logo"), bytes(2, &[0, 255])]));
    assert_eq!(read("v1", "ConfigMap", &data).unwrap(), json!({"binaryData": {"logo": "AP8="}}));
    let revision = all(&[bytes(2, &bytes(1, br#"{"spec": {"a": [1]}}"#)), number(3, 0)]);
    let revision = read("apps/v1", "ControllerRevision", &revision).unwrap();
    assert_eq!(revision, json!({"data": {"spec": {"a": [1]}}, "revision": 0}));
    let at = bytes(10, &all(&[number(1, 1_751_846_400), number(2, 1_000_000)]));
    assert_eq!(read("v1", "Event", &at).unwrap(), json!({"eventTime": "2025-07-07T00:00:00.001000Z"}));
    assert_eq!(read("v1", "Event", &bytes(10, b"")).unwrap(), json!({}));
}

#[test]
fn what_is_not_known_is_never_left_out() {
    let newer = meta(&[bytes(1, b"web"), bytes(14, b"new")]);
    assert_eq!(read("v1", "Pod", &newer), Ok(json!({"metadata": {"name": "web", "finalizers": ["new"]}})));
    let newer = meta(&[bytes(1, b"web"), bytes(15, b"new")]);
    assert_eq!(read("v1", "Pod", &newer), Err(Unread::Newer(15, "ObjectMeta")));
    assert_eq!(Unread::Newer(15, "ObjectMeta").to_string(), "field 15 of ObjectMeta is not known here");
    assert!(matches!(read("v9", "Pod", &[]), Err(Unread::Kind)));
    assert!(matches!(Page::read(&answer("v1", "Pod", &[])), Err(Unread::Kind)), "it is no list");
    let packed = all(&[answer("v1", "PodList", &[]), bytes(3, b"gzip")]);
    assert!(matches!(Page::read(&packed), Err(Unread::Newer(3, _))));
}

#[test]
fn what_is_not_sound_is_refused() {
    let broken = |object: &[u8]| assert!(matches!(read("v1", "Pod", object), Err(Unread::Broken(_))), "{object:?}");
    let name = || bytes(1, b"web");
    // A field twice, or after a later one, would be a key twice.
    broken(&meta(&[name(), name()]));
    broken(&meta(&[bytes(3, b"prod"), name()]));
    broken(&meta(&[bytes(14, b"a"), bytes(17, b""), bytes(14, b"b")]));
    broken(&meta(&[number(1, 5)]));
    broken(&meta(&[bytes(7, b"")]));
    broken(&meta(&[[vec![7 << 3], vec![0xff; 10], vec![1]].concat()]));
    broken(&meta(&[vec![1 << 3 | 5, 0, 0, 0, 0]]));
    broken(&meta(&[bytes(8, &number(1, i64::MAX))]));
    // What says that it is JSON may not close what stands around it.
    let fields = |json: &[u8]| meta(&[bytes(17, &bytes(7, &bytes(1, json)))]);
    broken(&fields(br#"{}}],"name":"other""#));
    broken(&fields(b"{} {}"));
    assert!(read("v1", "Pod", &fields(b"{}")).is_ok());
    let page = list(&[meta(&[name()])], "next");
    for end in 0..page.len() - 4 {
        assert!(Page::read(&page[..end]).is_err(), "cut after {end}");
    }
}

#[test]
fn any_text_stays_a_text() {
    for hostile in ["\"", "\\", "a\nb\u{0}c", "\u{1b}[31m", "\u{202e}x\u{2028}", "名前", "\",\"spec\":{\"x\":\""] {
        let read = read("v1", "Pod", &meta(&[bytes(1, hostile.as_bytes())])).unwrap();
        assert_eq!(read, json!({"metadata": {"name": hostile}}));
    }
    let read = read("v1", "Pod", &meta(&[bytes(1, b"a\xffb")])).unwrap();
    assert_eq!(read, json!({"metadata": {"name": "a\u{fffd}b"}}));
}

//! A lazy body says what a parsed one says.
#![allow(clippy::unwrap_used, reason = "a test that finds nothing fails")]

use super::super::Object;
use serde_json::{Value, json};

fn pointers(value: &Value, at: &str, out: &mut Vec<String>) {
    out.push(at.to_owned());
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(map) => map.iter().for_each(|(name, v)| pointers(v, &format!("{at}/{}", escape(name)), out)),
        Value::Array(list) => list.iter().enumerate().for_each(|(n, v)| pointers(v, &format!("{at}/{n}"), out)),
        _ => {}
    }
}

fn example() -> Value {
    json!({"kind": "Odd", "metadata": {"name": "a"}, "data": {"a/b": 1, "m~n": [true, null, 1.5, "x\u{e9}\n\"]}"], "": {}},
        "spec": {"template": {"spec": {"containers": [{"name": "app", "image": "a:1"}], "deep": [[[{"x": [1]}]]]}}},
        "status": null, "rules": [], "immutable": true})
}

#[test]
fn every_pointer_finds_what_the_value_has() {
    let value = example();
    for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
        let whole: Value = serde_json::from_str(&text).unwrap();
        let mut all = Vec::new();
        pointers(&whole, "", &mut all);
        all.retain(|pointer| !pointer.is_empty() && !pointer.starts_with("/kind") && !pointer.starts_with("/metadata"));
        assert!(all.len() > 20, "{all:?}");
        // Each alone, and all in one object whatever was read before.
        let shared: Object = serde_json::from_str(&text).unwrap();
        for pointer in all.iter().chain(all.iter().rev()) {
            let alone: Object = serde_json::from_str(&text).unwrap();
            assert_eq!(alone.at(pointer), whole.pointer(pointer), "{pointer}");
            assert_eq!(shared.at(pointer), whole.pointer(pointer), "{pointer}");
            assert_eq!(alone.body.read::<Value>(pointer).as_ref(), whole.pointer(pointer), "{pointer}");
        }
        for nowhere in
            ["/spec/x", "/spec/template/spec/containers/1", "/data/m~0n/01", "/data/m~0n/-", "/none", "spec", ""]
        {
            assert_eq!(shared.at(nowhere), whole.pointer(nowhere).filter(|_| !nowhere.is_empty()), "{nowhere}");
            let alone: Object = serde_json::from_str(&text).unwrap();
            assert_eq!(alone.at(nowhere), None, "{nowhere}");
        }
        assert_eq!(shared.to_value()["spec"], whole["spec"]);
        assert_eq!(shared, shared.clone());
    }
}

#[test]
fn a_field_that_is_set_is_read_as_set() {
    let mut object: Object = serde_json::from_value(example()).unwrap();
    assert_eq!(object.int("/data/a~1b"), Some(1));
    object.body["data"]["a/b"] = json!(2);
    object.body.insert("new", json!({"x": 1}));
    object.body.insert("rules", json!([1]));
    assert_eq!((object.int("/data/a~1b"), object.int("/new/x"), object.int("/rules/0")), (Some(2), Some(1), Some(1)));
    assert_eq!(object.to_value()["data"]["a/b"], json!(2));
    assert_ne!(object, serde_json::from_value(example()).unwrap());
}

#[test]
fn what_can_t_be_read_is_said_when_the_object_is() {
    for bad in [r#"{"kind":"A","spec":{"a":"\ud800"}}"#, r#"{"kind":"A","spec":{"a":}}"#, r#"{"kind":"A","spec":{"#] {
        assert!(serde_json::from_str::<Object>(bad).is_err(), "{bad}");
    }
}

#[test]
fn of_two_fields_of_one_name_the_last_counts_as_everywhere() {
    let object: Object = serde_json::from_str(r#"{"spec":{"a":1},"spec":{"b":2,"b":3}}"#).unwrap();
    assert_eq!((object.int("/spec/a"), object.int("/spec/b")), (None, Some(3)));
}

#[test]
fn a_name_is_what_its_escapes_say() {
    let object: Object =
        serde_json::from_str(r#"{"spec":{"a\u0062":1,"x\"y":2,"c\\d":3,"c\\\\d":4,"long":5,"lo":6}}"#).unwrap();
    let names =
        ["/spec/ab", "/spec/x\"y", r"/spec/c\d", r"/spec/c\\d", "/spec/long", "/spec/lo", "/spec/l", "/spec/longer"];
    let found = [Some(1), Some(2), Some(3), Some(4), Some(5), Some(6), None, None];
    assert_eq!(names.map(|name| object.int(name)), found);
}

//! What is intended, what comes along, and what is too much.

use super::*;
use crate::render::compare::{Noise, diff};
use serde_json::json;

fn edit(path: &str, old: Value, new: Value) -> FieldEdit {
    FieldEdit { path: Path::of(path), op: Op::Set, old: Some(old), new: Some(new) }
}

fn deployment(name: &str, images: [&str; 2], config: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "p"},
        "spec": {"template": {"metadata": {"annotations": {"checksum/config": images[1]}}, "spec": {
            "containers": [{"name": "web", "image": images[0]}, {"name": "side", "image": images[1]}],
            "volumes": [{"name": "c", "configMap": {"name": config}}]}}}})
}

fn config(name: &str, level: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "p"}, "data": {"LEVEL": level, "b": "1"}})
}

#[test]
fn one_leaf_is_the_intent() {
    let object = ObjectRef::new("apps/v1", "Deployment", "p", "web");
    let (old, new) = (deployment("web", ["a:1", "b:1"], "c"), deployment("web", ["a:2", "b:1"], "c"));
    let all = diff(std::slice::from_ref(&old), &[new], &Noise::new());
    let edits = [edit("spec.template.spec.containers[web].image", json!("a:1"), json!("a:2"))];
    let judged = judge(&object, &edits, &old, &all);
    assert!(judged.holds && judged.side_effects.is_empty() && judged.companions.is_empty());
    assert_eq!(judged.delta.len(), 1);
    let other =
        judge(&object, &[edit("spec.template.spec.containers[web].image", json!("a:1"), json!("a:3"))], &old, &all);
    assert!(!other.holds);
}

#[test]
fn a_list_may_become_shorter_by_several_items() {
    let object = ObjectRef::new("apps/v1", "Deployment", "p", "web");
    let with = |command: &Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "p"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "command": command}]}}}})
    };
    let twelve: Vec<Value> = (0..12).map(Value::from).collect();
    for (old, new) in [(json!(["sh", "-c", "exit 3"]), json!(["true"])), (json!(twelve), json!([0, 11]))] {
        let all = diff(&[with(&old)], &[with(&new)], &Noise::new());
        let path = "spec.template.spec.containers[web].command";
        let judged = judge(&object, &[edit(path, old.clone(), new.clone())], &with(&old), &all);
        assert!(judged.holds && judged.side_effects.is_empty(), "{old} {new} {judged:?}");
        let other = judge(&object, &[edit(path, old.clone(), json!(["sh"]))], &with(&old), &all);
        assert!(!other.holds);
    }
}

#[test]
fn another_order_is_the_intent_of_an_edit_that_gives_it() {
    let object = ObjectRef::new("apps/v1", "Deployment", "p", "web");
    let env = |names: [&str; 2]| json!(names.map(|name| json!({"name": name, "value": "x"})));
    let with = |env: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "p"},
            "spec": {"template": {"spec": {"containers": [{"name": "web", "env": env}]}}}})
    };
    let (old, new) = (with(env(["URL", "HOST"])), with(env(["HOST", "URL"])));
    let all = diff(std::slice::from_ref(&old), &[new], &Noise::new());
    let path = "spec.template.spec.containers[web].env";
    let judged = judge(&object, &[edit(path, env(["URL", "HOST"]), env(["HOST", "URL"]))], &old, &all);
    assert!(judged.holds && judged.side_effects.is_empty(), "{judged:?}");
    let other = judge(&object, &[edit(path, env(["URL", "HOST"]), env(["URL", "HOST"]))], &old, &all);
    assert!(!other.side_effects.is_empty());
}

#[test]
fn another_order_is_not_the_intent_of_another_edit() {
    let object = ObjectRef::new("apps/v1", "Deployment", "p", "web");
    let (old, mut new) = (deployment("web", ["a:1", "b:1"], "c"), deployment("web", ["a:2", "b:1"], "c"));
    if let Some(list) = new.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut) {
        list.reverse();
    }
    let all = diff(std::slice::from_ref(&old), &[new], &Noise::new());
    let judged =
        judge(&object, &[edit("spec.template.spec.containers[web].image", json!("a:1"), json!("a:2"))], &old, &all);
    assert_eq!((judged.delta.len(), judged.side_effects.len()), (1, 1), "{judged:?}");
    assert_eq!(judged.side_effects[0].path, Path::of("spec.template.spec.containers"));
}

#[test]
fn the_same_image_elsewhere_is_a_companion_that_needs_review() {
    let object = ObjectRef::new("apps/v1", "Deployment", "p", "web");
    let (old, new) = (deployment("web", ["a:1", "a:1"], "c"), deployment("web", ["a:2", "a:2"], "c"));
    let all = diff(std::slice::from_ref(&old), &[new], &Noise::new());
    let judged =
        judge(&object, &[edit("spec.template.spec.containers[web].image", json!("a:1"), json!("a:2"))], &old, &all);
    assert!(judged.holds && judged.side_effects.is_empty());
    assert_eq!(
        judged.review,
        ["Deployment/web spec.template.spec.containers[side].image uses the same image and changes too"]
    );
    assert_eq!(judged.companions.len(), 2, "the image and the checksum");
}

#[test]
fn a_renamed_config_map_brings_its_references() {
    let before = [config("cfg-thctc996df", "info"), deployment("web", ["a", "b"], "cfg-thctc996df")];
    let after = [config("cfg-26b8dfm5tk", "warn"), deployment("web", ["a", "b"], "cfg-26b8dfm5tk")];
    let object = ObjectRef::new("v1", "ConfigMap", "p", "cfg-thctc996df");
    let edits = [edit("data.LEVEL", json!("info"), json!("warn"))];
    let judged = judge(&object, &edits, &before[0], &diff(&before, &after, &Noise::new()));
    assert!(judged.holds && judged.side_effects.is_empty(), "{judged:?}");
    assert_eq!((judged.delta.len(), judged.companions.len()), (1, 3));
    let more = [config("cfg-26b8dfm5tk", "warn"), deployment("web", ["x", "b"], "cfg-26b8dfm5tk")];
    assert_eq!(judge(&object, &edits, &before[0], &diff(&before, &more, &Noise::new())).side_effects.len(), 1);
}

#[test]
fn another_object_is_a_side_effect() {
    let before = [deployment("web", ["a", "b"], "c"), config("x", "info")];
    let after = [deployment("web", ["a2", "b"], "c"), config("x", "warn")];
    let object = ObjectRef::new("apps/v1", "Deployment", "p", "web");
    let edits = [edit("spec.template.spec.containers[web].image", json!("a"), json!("a2"))];
    assert_eq!(judge(&object, &edits, &before[0], &diff(&before, &after, &Noise::new())).side_effects.len(), 1);
}

#[test]
fn a_new_map_is_reached_leaf_by_leaf() {
    let object = ObjectRef::new("apps/v1", "Deployment", "p", "web");
    let old = deployment("web", ["a", "b"], "c");
    let mut new = old.clone();
    new["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({"limits": {"memory": "64Mi", "cpu": 1}});
    let wanted = json!({"memory": "64Mi", "cpu": "1"});
    let path = Path::of("spec.template.spec.containers[web].resources.limits");
    let edits = [FieldEdit { path, op: Op::Add, old: None, new: Some(wanted) }];
    let judged = judge(&object, &edits, &old, &diff(std::slice::from_ref(&old), &[new], &Noise::new()));
    assert!(judged.holds && judged.side_effects.is_empty(), "{judged:?}");
}

#[test]
fn the_nearest_of_the_cleanest_wins_and_a_tie_is_asked() {
    let place = |candidate, side_effects, layer| Probed { candidate, side_effects, layer };
    let shown = |n: usize| format!("f{n}");
    assert_eq!(best(&[place(0, 1, 0), place(1, 0, 2), place(2, 0, 1)], &shown, None), Ok(2));
    let tie = [place(0, 0, 1), place(4, 0, 1)];
    let refusal = best(&tie, &shown, None).err();
    assert_eq!(refusal.map(|r| (r.code, r.details)), Some(("ambiguous", vec!["1. f0".to_owned(), "2. f4".to_owned()])));
    assert_eq!(best(&tie, &shown, Some(2)), Ok(4));
}

//! What an edit keeps, and what it refuses.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn place(path: &str) -> Place {
    Place { document: 0, path: Path::of(path), inner: None }
}

fn set(text: &str, path: &str, new: Value) -> Result<String, YamlError> {
    apply(text, &place(path), &Change::Set(new))
}

fn add(text: &str, path: &str, new: Value) -> Result<String, YamlError> {
    apply(text, &place(path), &Change::Add(new))
}

fn remove(text: &str, path: &str) -> Result<String, YamlError> {
    apply(text, &place(path), &Change::Remove)
}

#[test]
fn only_the_scalar_changes_and_its_quotes_stay() {
    assert_eq!(set("a: \"1.20\"  # tag\n", "a", json!("1.21")).as_deref(), Ok("a: \"1.21\"  # tag\n"));
    assert_eq!(set("a: 'x'\n", "a", json!("it's")).as_deref(), Ok("a: 'it''s'\n"));
    assert_eq!(
        set("l: {memory: 64Mi,  cpu: 1}\n", "l.memory", json!("128Mi")).as_deref(),
        Ok("l: {memory: 128Mi,  cpu: 1}\n")
    );
    assert_eq!(set("- name: web\n  count: 2\n", "[0].count", json!(3)).as_deref(), Ok("- name: web\n  count: 3\n"));
    assert_eq!(set("a:\nb: 1", "a", json!("x")).as_deref(), Ok("a: x\nb: 1"));
}

#[test]
fn carriage_returns_go_and_every_other_byte_stays() {
    // As kubectl writes it: folded at a blank.
    let text =
        "data:\n  run.sh: \"#!/bin/sh\\r\\nC=\\\\r one\\\n    \\ two\n    \\x41 \\\"${X}\\\"\\r\\n\" # why\n  b: 1\n";
    let old = "#!/bin/sh\r\nC=\\r one two A \"${X}\"\r\n";
    let place = || Path::of("data").field("run.sh");
    assert_eq!(parse::document(text).map(|read| place().get(&read).cloned()), Ok(Some(json!(old))));
    let change = |new: &str| apply(text, &Place { document: 0, path: place(), inner: None }, &Change::Set(json!(new)));
    let lean = text.replace("sh\\r\\nC", "sh\\nC").replace("\\r\\n\" #", "\\n\" #");
    assert_eq!(change(&old.replace("\r\n", "\n")), Ok(lean));
    assert!(matches!(change("another text\n"), Err(YamlError::Unsupported(_))));
    // A return within a line is no line end.
    let lone = "a: \"x\\ry\\r\\n\"\n";
    assert_eq!(set(lone, "a", json!("x\ry\n")).as_deref(), Ok("a: \"x\\ry\\n\"\n"));
}

#[test]
fn text_that_would_be_read_as_another_type_gets_quotes() {
    for (new, line) in
        [("on", "a: \"on\"\n"), ("12:30", "a: \"12:30\"\n"), ("1_000", "a: \"1_000\"\n"), ("y", "a: \"y\"\n")]
    {
        assert_eq!(set("a: x\n", "a", json!(new)).as_deref(), Ok(line));
    }
}

#[test]
fn line_ends_and_byte_order_mark_stay() {
    let text = "\u{feff}a: 1\r\nb:\r\n  c: 2 # two\r\n";
    assert_eq!(set(text, "b.c", json!(3)).as_deref(), Ok("\u{feff}a: 1\r\nb:\r\n  c: 3 # two\r\n"));
    assert_eq!(
        add(text, "b.d", json!({"e": 1})).as_deref(),
        Ok("\u{feff}a: 1\r\nb:\r\n  c: 2 # two\r\n  d:\r\n    e: 1\r\n")
    );
    assert_eq!(add("a: 1", "b", json!(2)).as_deref(), Ok("a: 1\nb: 2"));
}

#[test]
fn a_block_at_the_end_of_a_file_gets_no_line_break_from_an_edit_after_it() {
    let text = "a: |\n  one";
    assert!(matches!(add(text, "b", json!(1)), Err(YamlError::Unsupported(_))));
    assert!(matches!(set(text, "a", json!("two\n")), Err(YamlError::Unsupported(_))));
    assert_eq!(add("a: |\n  one\n", "b", json!(1)).as_deref(), Ok("a: |\n  one\nb: 1\n"));
    // Nor does it lose its own when what stands behind it goes.
    let remove = |text: &str| {
        let place = Place { document: 0, path: Path::of("b"), inner: None };
        apply(text, &place, &Change::Remove)
    };
    assert_eq!(remove("a: |\r\n  one\r\nb: 1").as_deref(), Ok("a: |\r\n  one\r\n"));
    assert_eq!(remove("a: |\n  one\nb: 1").as_deref(), Ok("a: |\n  one\n"));
    assert_eq!(remove("a: one\nb: 1").as_deref(), Ok("a: one"));
}

#[test]
fn an_anchor_whose_name_readers_end_at_different_places_is_not_touched() {
    for text in ["a: &an:chor one\n", "a: &b one\nc: [*b:d]\n", "a: one\n---\n&b?c d: 1 # *b?c\n"] {
        assert!(matches!(set(text, "a", json!("two")), Err(YamlError::Unsupported(_))), "{text}");
    }
    let script = "a: one\nrun: |\n  cmd 2>&1; other &\n  ls *.yaml *foo.txt\ncron: '*/5 * * * *'\n";
    assert!(set(script, "a", json!("two")).is_ok());
    // In a value or a comment it is no name.
    for text in ["# see *note:*here\n", "b: \"[*A?\"\n", "b: 'x &a:b'\n", "b: |\n  *a?b\n", "b: see *a:b\n"] {
        assert!(set(&format!("a: one\n{text}"), "a", json!("two")).is_ok(), "{text}");
        assert!(set(&format!("é: &ö {{}}\na: one\n{text}"), "a", json!("two")).is_ok(), "{text}");
    }
}

#[test]
fn the_right_document_is_edited() {
    let text = "a: 1\n---\n# nothing\n---\na: 1\n";
    let third = Place { document: 2, path: Path::of("a"), inner: None };
    assert_eq!(apply(text, &third, &Change::Set(json!(2))).as_deref(), Ok("a: 1\n---\n# nothing\n---\na: 2\n"));
    let second = Place { document: 1, path: Path::of("a"), inner: None };
    assert!(apply(text, &second, &Change::Set(json!(2))).is_err());
}

#[test]
fn a_number_inside_an_inline_patch_changes_alone() {
    let text = "patches:\n- patch: |-\n    # scale\n    - op: replace\n      path: /spec/replicas\n      value: 3   # why\n\n  target:\n    kind: Deployment\n";
    let place = Place { document: 0, path: Path::of("patches[0].patch"), inner: Some(Path::of("[0].value")) };
    assert_eq!(apply(text, &place, &Change::Set(json!(5))), Ok(text.replace("value: 3", "value: 5")));
    let last = Place { document: 0, path: Path::of("p"), inner: Some(Path::of("b")) };
    assert_eq!(apply("p: |-\n  a: 1\n  b: 2", &last, &Change::Set(json!(3))).as_deref(), Ok("p: |-\n  a: 1\n  b: 3"));
    assert_eq!(
        apply("p: |\n  a: 1\n  b: 2\nq: 1\n", &last, &Change::Set(json!(3))).as_deref(),
        Ok("p: |\n  a: 1\n  b: 3\nq: 1\n")
    );
    let new = Place { document: 0, path: Path::of("p"), inner: Some(Path::of("c.d")) };
    assert_eq!(
        apply("p: |\n  a: 1\n  b: 2\nq: 1\n", &new, &Change::Add(json!(3))).as_deref(),
        Ok("p: |\n  a: 1\n  b: 2\n  c:\n    d: 3\nq: 1\n")
    );
    assert_eq!(apply("p: |-\n  a: 1", &new, &Change::Add(json!(3))).as_deref(), Ok("p: |-\n  a: 1\n  c:\n    d: 3"));
}

#[test]
fn new_maps_and_items_follow_the_style_of_the_file() {
    let text = "spec:\n    containers:\n      - name: web\n        image: a  # x\n# end\n";
    assert_eq!(
        add(text, "spec.containers[web].resources.limits.memory", json!("64Mi")).as_deref(),
        Ok(
            "spec:\n    containers:\n      - name: web\n        image: a  # x\n        resources:\n            limits:\n                memory: 64Mi\n# end\n"
        )
    );
    assert_eq!(
        add("patches:\n- path: a.yaml\n", "patches[1].path", json!("b.yaml")).as_deref(),
        Ok("patches:\n- path: a.yaml\n- path: b.yaml\n")
    );
    assert_eq!(add("a: 1\n", "patches[0].path", json!("b.yaml")).as_deref(), Ok("a: 1\npatches:\n- path: b.yaml\n"));
    assert_eq!(
        add("r: {} # none\nb: 1\n", "r.limits.memory", json!("1Gi")).as_deref(),
        Ok("r: # none\n  limits:\n    memory: 1Gi\nb: 1\n")
    );
    assert_eq!(add("r:\nb: 1\n", "r.x", json!(1)).as_deref(), Ok("r:\n  x: 1\nb: 1\n"));
    assert_eq!(add("c:\n- name: a\n", "c[b].x", json!(1)).as_deref(), Ok("c:\n- name: a\n- name: b\n  x: 1\n"));
    assert_eq!(
        add("m:\n  b: |\n    x\n\nc: 1\n", "m.d", json!(1)).as_deref(),
        Ok("m:\n  b: |\n    x\n  d: 1\n\nc: 1\n")
    );
}

#[test]
fn nothing_is_written_over() {
    assert_eq!(add("a: 1\n", "a", json!(2)), Err(YamlError::Occupied("a".to_owned())));
    assert!(add("c: 1\n", "c.d", json!(1)).is_err());
    assert_eq!(set("a: 1\n", "b", json!(2)), Err(YamlError::Missing("b".to_owned())));
}

#[test]
fn long_comments_do_not_matter() {
    let text = format!("{}a:\n{}  b: 1\n", "# x\n".repeat(300), "  # y\n".repeat(300));
    assert_eq!(set(&text, "a.b", json!(2)), Ok(text.replace("b: 1", "b: 2")));
}

#[test]
fn json_stays_json() {
    let text = "{\n  \"spec\": {\n    \"replicas\": 1,\n    \"x\": [\"a\"]\n  }\n}\n";
    assert_eq!(set(text, "spec.replicas", json!(2)), Ok(text.replace(": 1,", ": 2,")));
    assert_eq!(
        add(text, "spec.limits.memory", json!("64Mi")),
        Ok(text.replace("[\"a\"]", "[\"a\"],\n    \"limits\": {\"memory\": \"64Mi\"}"))
    );
    assert_eq!(set("{\n\t\"a\": \"x\"\n}\n", "a", json!("y")).as_deref(), Ok("{\n\t\"a\": \"y\"\n}\n"));
}

#[test]
fn removing_takes_whole_lines() {
    assert_eq!(remove("a: 1\nb: 2 # x\nc: 3\n", "b").as_deref(), Ok("a: 1\nc: 3\n"));
    assert_eq!(remove("a: 1\nb:\n  - x\n  - y", "b[1]").as_deref(), Ok("a: 1\nb:\n  - x"));
    assert_eq!(remove("a: {b: 1, c: 2}\n", "a.c").as_deref(), Ok("a: {b: 1}\n"));
    assert_eq!(remove("a: {b: 1, c: 2}\n", "a.b").as_deref(), Ok("a: {c: 2}\n"));
    assert!(matches!(remove("a:\n  b: 1\nc: 1\n", "a.b"), Err(YamlError::Unsupported(_))));
    assert!(matches!(remove("- a: 1\n  b: 2\n", "[0].a"), Err(YamlError::Unsupported(_))));
}

#[test]
fn shared_nodes_are_refused() {
    let text = "a: &lim\n  memory: 64Mi\nb: *lim\nc:\n  <<: *lim\n  cpu: 1\n";
    for path in ["a.memory", "b.memory"] {
        assert!(matches!(set(text, path, json!("1Gi")), Err(YamlError::Shared(_))), "{path}");
    }
    assert!(set(text, "c.memory", json!("1Gi")).is_err());
    assert_eq!(set("a: &unused 1\n", "a", json!(2)).as_deref(), Ok("a: &unused 2\n"));
}

#[test]
fn what_is_not_read_the_same_by_all_is_refused() {
    for text in ["a: 1\na: 2\n", "a: {{ .x }}\n", "b:\n\ta: 1\n", "a: 1\nb: [\n"] {
        assert!(set(text, "a", json!(3)).is_err(), "{text:?}");
    }
    for text in ["\u{2028}a: 1\nb: 1\n", "a: 1 # x\u{85}b: 2\n", "a: 1\nb: 'x\u{2029}y'\n"] {
        let refused = set(text, "a", json!(3)).unwrap_err().to_string();
        assert!(refused.contains("is a line break to some readers"), "{text:?}: {refused}");
    }
}

fn key() -> impl Strategy<Value = String> {
    "[a-z][a-zA-Z0-9.-]{0,6}".prop_filter("not special", |key| parse::is_plain_string(key, true))
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        "[ -~é]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "on", "y", "12:30", "1_000", "64Mi", "~", "", "a: b", "- x", "#c", "x\ny\n", "'", "\"q\""
        ])
        .prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Value::from),
            prop::collection::btree_map(key(), inner, 1..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A document with comments, blank lines and chosen style.
fn document() -> impl Strategy<Value = (String, Value)> {
    (prop::collection::btree_map(key(), value(), 1..5), 1..5_usize, any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(map, indent, deep_lists, crlf, end)| {
            let eol = if crlf { "\r\n" } else { "\n" };
            let style = Style { eol, json: false, indent, deep_lists };
            let value = Value::Object(map.into_iter().collect());
            let mut text = format!("# head{eol}{}", style.block(&value).join(eol));
            text.push_str(if end { eol } else { "" });
            (text, value)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_set_changes_one_leaf_and_no_byte_outside_its_line((text, value) in document(), pick in any::<prop::sample::Index>(), new in leaf()) {
        let leaves = super::super::scalars::leaves(&value);
        let (path, old) = leaves[pick.index(leaves.len())].clone();
        prop_assume!(!old.is_array() && !old.is_object());
        let place = Place { document: 0, path: path.clone(), inner: None };
        let edited = apply(&text, &place, &Change::Set(new.clone()));
        prop_assert!(edited.is_ok(), "{edited:?}\n{text}");
        let edited = edited.unwrap_or_default();
        let mut wanted = value.clone();
        path.set(&mut wanted, new);
        prop_assert_eq!(parse::document(&edited), Ok(wanted));
        let changed = text.split('\n').zip(edited.split('\n')).filter(|(a, b)| a != b).count();
        prop_assert!(changed <= 1 && text.split('\n').count() == edited.split('\n').count(), "{text}\n{edited}");
    }

    #[test]
    fn an_add_only_inserts((text, value) in document(), pick in any::<prop::sample::Index>(), new in value()) {
        let leaves = super::super::scalars::leaves(&value);
        let (path, _) = leaves[pick.index(leaves.len())].clone();
        let parent = path.parent().unwrap_or_default();
        let path = match parent.get(&value) {
            Some(Value::Object(_)) => parent.field("aifixNew"),
            Some(Value::Array(items)) => parent.index(items.len()),
            _ => return Ok(()),
        };
        let place = Place { document: 0, path: path.clone(), inner: None };
        // A list directly in a list starts on its parent's line; that is refused.
        if let Ok(edited) = apply(&text, &place, &Change::Add(new.clone())) {
            let mut wanted = value.clone();
            grow(&mut wanted, &path.0, &new);
            prop_assert_eq!(parse::document(&edited), Ok(wanted));
            let kept = text.bytes().zip(edited.bytes()).take_while(|(a, b)| a == b).count();
            let tail = text.bytes().rev().zip(edited.bytes().rev()).take_while(|(a, b)| a == b).count();
            prop_assert!(kept + tail >= text.len(), "{text}\n{edited}");
        }
    }
}

#[test]
fn what_readers_would_no_longer_agree_on_is_not_written() {
    let set = |text: &str, path: &str| set(text, path, json!("0o17"));
    // libyaml takes the tab after a quoted text for the start of a token.
    assert!(matches!(set("resources:\n- ../\"../base\n \t  ", "resources[0]"), Err(YamlError::Guard(_))));
    assert!(set("resources:\n- ../\"../base\n    ", "resources[0]").is_ok());
    // A lone carriage return ends a line, or is a character of it.
    assert!(matches!(set("a: b\rc: d\n", "a"), Err(YamlError::Unsupported(_))));
    assert!(set("a: b\r\nc: d\r\n", "a").is_ok());
}

//! Recordings made larger, or hostile, for pages that must stay readable.

use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// What tries to leave a tag, an attribute, a style or a title, and to turn the text around it.
pub(crate) const HOSTILE: &str = "x'\"><script>top.ran = 1</script><img src=http://canary.test/a onerror='top.ran = 1'></style></title></svg>\u{202e}\u{1b}[2J";

/// Writes the recording `from` to `to`, with `copies` more of its Deployments beside `web`.
pub(crate) fn grow(from: &Path, to: &Path, copies: usize) {
    let mut list: Value = serde_json::from_slice(&fs::read(from.join("objects.json")).unwrap()).unwrap();
    let items = list["items"].as_array_mut().unwrap();
    let kinds = ["Pod", "ReplicaSet", "Deployment"];
    let own: Vec<Value> = items.iter().filter(|o| kinds.contains(&o["kind"].as_str().unwrap())).cloned().collect();
    for n in 0..copies {
        items.extend(own.iter().map(|object| copy(object, n)));
    }
    write(from, to, &list.to_string());
}

fn copy(object: &Value, n: usize) -> Value {
    let text = object.to_string().replace("\"web", &format!("\"shop-{n}"));
    let mut copy: Value = serde_json::from_str(&text).unwrap();
    let other = |uid: &Value| json!(format!("{}-{n}", uid.as_str().unwrap()));
    copy["metadata"]["uid"] = other(&copy["metadata"]["uid"]);
    for owner in copy["metadata"]["ownerReferences"].as_array_mut().into_iter().flatten() {
        owner["uid"] = other(&owner["uid"]);
    }
    copy
}

/// Writes the recording `from` to `to`, with names that begin with hostile text instead of `web`.
pub(crate) fn make_hostile(from: &Path, to: &Path) {
    let text = fs::read_to_string(from.join("objects.json")).unwrap();
    let hostile = json!(HOSTILE).to_string();
    write(from, to, &text.replace("\"web", hostile.trim_end_matches('"')));
}

fn write(from: &Path, to: &Path, objects: &str) {
    fs::create_dir_all(to).unwrap();
    fs::write(to.join("objects.json"), objects).unwrap();
    fs::copy(from.join("taken-at"), to.join("taken-at")).unwrap();
}

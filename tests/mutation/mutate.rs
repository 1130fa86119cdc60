//! Changes objects at random places.

use super::chance::Chance;
use super::corpus::{Corpus, Pool, Recording};
use super::strings;
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The content of files, each below one place.
type Below = Vec<(PathBuf, Vec<u8>)>;

/// The files of a snapshot folder.
pub(crate) struct Files {
    objects: Vec<u8>,
    is_yaml: bool,
    logs: Option<Vec<u8>>,
    taken_at: Option<String>,
    /// Another form of a snapshot, instead of all that.
    form: Option<(String, Below)>,
}

impl Files {
    /// Writes them below `folder`, and returns what is to be loaded.
    pub(crate) fn write(&self, folder: &Path) -> PathBuf {
        if let Some((name, files)) = &self.form {
            // Its ending tells a reader what it holds.
            let form = folder.join("form").join(name);
            let _ = fs::remove_dir_all(folder.join("form"));
            for (below, bytes) in files {
                let path = if below.as_os_str().is_empty() { form.clone() } else { form.join(below) };
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, bytes).unwrap();
            }
            return form;
        }
        let folder = &folder.join("snapshot");
        fs::create_dir_all(folder).unwrap();
        let (there, other) = if self.is_yaml { ("yaml", "json") } else { ("json", "yaml") };
        fs::write(folder.join(format!("objects.{there}")), &self.objects).unwrap();
        let _ = fs::remove_file(folder.join(format!("objects.{other}")));
        let taken_at = self.taken_at.as_ref().map(String::as_bytes);
        for (name, bytes) in [("logs.txt", self.logs.as_deref()), ("taken-at", taken_at)] {
            let _ = match bytes {
                Some(bytes) => fs::write(folder.join(name), bytes),
                None => fs::remove_file(folder.join(name)),
            };
        }
        folder.clone()
    }
}

/// A mutated recording, and the recording's name.
pub(crate) fn files(corpus: &Corpus, chance: &mut Chance) -> (String, Files) {
    if chance.below(400) == 0 {
        return form(corpus, chance);
    }
    let recording = chance.pick(&corpus.recordings);
    let mut texts = recording.texts.clone();
    for _ in 0..=chance.below(3) {
        change_items(corpus, recording, &mut texts, chance);
    }
    let is_yaml = chance.below(200) == 0;
    let mut objects = if is_yaml {
        // A few items alone: YAML is read far more slowly.
        texts.truncate(3);
        let items: Vec<Value> = texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        serde_yaml::to_string(&json!({"apiVersion": "v1", "kind": "List", "items": items})).unwrap().into_bytes()
    } else {
        format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{}]}}", texts.join(",")).into_bytes()
    };
    if chance.percent(5) {
        strings::bytes(&mut objects, chance);
    }
    let mut logs = recording.logs.clone();
    if chance.percent(20) {
        // A log of another recording may meet these pods.
        let other = chance.pick(&corpus.recordings).logs.clone().filter(|_| chance.percent(30));
        logs = other.or(logs).map(|text| strings::log(&text, chance));
    }
    let mut logs = logs.map(String::into_bytes);
    if let Some(logs) = logs.as_mut().filter(|_| chance.percent(5)) {
        // A program may write anything.
        strings::bytes(logs, chance);
    }
    let mut taken_at = recording.taken_at.clone();
    if chance.percent(10) {
        taken_at = taken_at.map(|at| strings::text(at.trim(), chance)).filter(|at| !at.is_empty());
    }
    (recording.name.clone(), Files { objects, is_yaml, logs, taken_at, form: None })
}

/// Another form of a snapshot, one of its files damaged.
fn form(corpus: &Corpus, chance: &mut Chance) -> (String, Files) {
    let form = chance.pick(&corpus.forms);
    let mut files = form.files.clone();
    let at = chance.below(files.len());
    strings::bytes(&mut files[at].1, chance);
    let files = Files {
        objects: Vec::new(),
        is_yaml: false,
        logs: None,
        taken_at: None,
        form: Some((form.name.clone(), files)),
    };
    (form.name.clone(), files)
}

/// Changes the list of items, or one of them.
fn change_items(corpus: &Corpus, recording: &Recording, texts: &mut Vec<String>, chance: &mut Chance) {
    let at = chance.below(texts.len());
    match chance.below(20) {
        0 if texts.len() > 1 => drop(texts.remove(at)),
        1 if !texts.is_empty() => texts.push(texts[at].clone()),
        2 => chance.shuffle(texts),
        3 => {
            let other = chance.pick(&corpus.recordings);
            let item = chance.pick(&other.items).clone();
            texts.push(moved(item, recording, chance).to_string());
        }
        _ if texts.is_empty() => {}
        4 => {
            let Ok(mut item) = serde_json::from_str::<Value>(&texts[at]) else { return };
            own(&mut item, chance.pick(&recording.items));
            texts[at] = item.to_string();
        }
        _ => {
            let Ok(mut item) = serde_json::from_str::<Value>(&texts[at]) else { return };
            for _ in 0..=chance.below(4) {
                let pool = if chance.percent(50) { &recording.pool } else { &corpus.pool };
                change(&mut item, pool, chance);
            }
            texts[at] = item.to_string();
        }
    }
}

/// An object of another recording, mostly moved into a namespace of this one.
fn moved(mut item: Value, here: &Recording, chance: &mut Chance) -> Value {
    let namespaces = here.pool.of("namespace");
    if chance.percent(70) && !namespaces.is_empty() && item["metadata"]["namespace"].is_string() {
        item["metadata"]["namespace"] = chance.pick(namespaces).clone();
    }
    item
}

/// The owner of an object is another one, or itself: owners may form a ring.
fn own(item: &mut Value, owner: &Value) {
    let meta = &owner["metadata"];
    let reference = json!([{"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"],
        "uid": meta["uid"], "controller": true}]);
    if let Some(meta) = item["metadata"].as_object_mut() {
        meta.insert("ownerReferences".to_owned(), reference);
    }
}

/// Changes something somewhere below `value`.
fn change(value: &mut Value, pool: &Pool, chance: &mut Chance) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let at = chance.below(map.len());
            let field = map.keys().nth(at).cloned().unwrap_or_default();
            if goes_down(&map[&field], chance) {
                return change(&mut map[&field], pool, chance);
            }
            of_map(map, &field, pool, chance);
        }
        Value::Array(items) if !items.is_empty() => {
            let at = chance.below(items.len());
            if goes_down(&items[at], chance) {
                return change(&mut items[at], pool, chance);
            }
            of_list(items, at, chance);
        }
        other => replace(other, chance),
    }
}

fn goes_down(value: &Value, chance: &mut Chance) -> bool {
    let has_parts = match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    has_parts && chance.percent(85)
}

fn of_map(map: &mut Map<String, Value>, field: &str, pool: &Pool, chance: &mut Chance) {
    match chance.below(20) {
        0..2 => drop(map.remove(field)),
        2 => {
            let value = map.remove(field).unwrap_or_default();
            map.insert(strings::text(field, chance), value);
        }
        3 => {
            let other = map.keys().nth(chance.below(map.len())).cloned().unwrap_or_default();
            let value = map[&other].clone();
            map[field] = value;
        }
        4..12 if !pool.of(field).is_empty() => map[field] = chance.pick(pool.of(field)).clone(),
        _ => replace(&mut map[field], chance),
    }
}

fn of_list(items: &mut Vec<Value>, at: usize, chance: &mut Chance) {
    match chance.below(10) {
        0 => drop(items.remove(at)),
        1 => items.push(items[at].clone()),
        2 => chance.shuffle(items),
        3 => items.clear(),
        4 => {
            let item = items[at].clone();
            let more = chance.below(100);
            items.extend(std::iter::repeat_n(item, more));
        }
        _ => replace(&mut items[at], chance),
    }
}

/// Another value in the place of this one, mostly of the same type.
fn replace(value: &mut Value, chance: &mut Chance) {
    if chance.percent(6) {
        *value = match chance.below(8) {
            0..3 => Value::Null,
            3 => json!(strings::number(chance)),
            4 => json!(strings::hostile(chance)),
            5 => json!([]),
            6 => json!({}),
            _ => (0..chance.below(60)).fold(value.take(), |inner, _| json!([inner])),
        };
        return;
    }
    match value {
        Value::String(text) => *text = strings::text(text, chance),
        Value::Number(_) if chance.below(20) == 0 => *value = json!(1.5e300),
        Value::Number(_) if chance.below(20) == 0 => *value = json!(u64::MAX),
        Value::Number(_) => *value = json!(strings::number(chance)),
        Value::Bool(flag) => *flag = !*flag,
        Value::Array(items) => chance.shuffle(items),
        Value::Object(map) => map.clear(),
        Value::Null => *value = json!({}),
    }
}

//! A place inside an object.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// One step of a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// A key of a map.
    Field(String),
    /// The list item whose merge key has this value: `containers[name=app]`.
    Item { key: String, value: String },
    /// The list item at this position.
    Index(usize),
}

/// A place inside an object, from its root. Printed as a person types it
/// (`spec.template.spec.containers[app].image`); list items that have a merge key
/// are named by it, never by a position that another writer can move.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// Parses `spec.ports[0].port`, `containers[app].image` (merge key `name`) and
    /// `env[name=A].value`. A dot inside a key is written as `["a.b"]`.
    /// Meant for paths written in our own source; text that is not a path is one field.
    pub fn of(text: &str) -> Self {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let Some(end) = inner.find(']') else { break };
                steps.push(bracket(&inner[..end]));
                rest = &inner[end + 1..];
            } else {
                let end = rest.find(['.', '[']).unwrap_or(rest.len());
                if end > 0 {
                    steps.push(Step::Field(rest[..end].to_owned()));
                }
                rest = &rest[end..];
                rest = rest.strip_prefix('.').unwrap_or(rest);
                continue;
            }
            rest = rest.strip_prefix('.').unwrap_or(rest);
        }
        Self(steps)
    }

    /// This path and one field more.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.push(Step::Field(name.to_owned()))
    }

    /// This path and the item whose `name` is `value`.
    #[must_use]
    pub fn item(&self, value: &str) -> Self {
        self.push(Step::Item { key: "name".to_owned(), value: value.to_owned() })
    }

    /// This path and the item at `index`.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.push(Step::Index(index))
    }

    /// This path and one step more.
    #[must_use]
    pub fn push(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// This path followed by `tail`.
    #[must_use]
    pub fn join(&self, tail: &Self) -> Self {
        Self(self.0.iter().chain(&tail.0).cloned().collect())
    }

    /// All steps but the last, `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (_, head) = self.0.split_last()?;
        Some(Self(head.to_vec()))
    }

    /// Whether `self` is `prefix` or lies below it.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.0.starts_with(&prefix.0)
    }

    /// The value at this place, `None` when it is absent.
    pub fn get<'v>(&self, root: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(root, step_into)
    }

    /// Writes `value` at this place. Missing maps on the way are made, missing list items
    /// are not. Returns whether it was written.
    pub fn set(&self, root: &mut Value, value: Value) -> bool {
        let mut here = root;
        for step in &self.0 {
            let next = match step {
                Step::Field(name) => {
                    if here.is_null() {
                        *here = Value::Object(Map::new());
                    }
                    match here {
                        Value::Object(map) => map.entry(name.clone()).or_insert(Value::Null),
                        _ => return false,
                    }
                }
                step => match list_position(here, step) {
                    Some(at) => &mut here[at],
                    None => return false,
                },
            };
            here = next;
        }
        *here = value;
        true
    }

    /// Takes the value at this place out of `root`.
    pub fn remove(&self, root: &mut Value) -> Option<Value> {
        let (last, head) = self.0.split_last()?;
        let mut here = root;
        for step in head {
            here = match step {
                Step::Field(name) => here.get_mut(name)?,
                step => {
                    let at = list_position(here, step)?;
                    here.get_mut(at)?
                }
            };
        }
        match last {
            Step::Field(name) => here.as_object_mut()?.shift_remove(name),
            step => {
                let at = list_position(here, step)?;
                Some(here.as_array_mut()?.remove(at))
            }
        }
    }

    /// The JSON Pointer (RFC 6901) of this place in `root`, `None` when a list item is not there.
    pub fn pointer(&self, root: &Value) -> Option<String> {
        let mut here = Some(root);
        let mut out = String::new();
        for step in &self.0 {
            out.push('/');
            match step {
                Step::Field(name) => out.push_str(&name.replace('~', "~0").replace('/', "~1")),
                step => out.push_str(&list_position(here?, step)?.to_string()),
            }
            here = here.and_then(|value| step_into(value, step));
        }
        Some(out)
    }
}

fn bracket(inner: &str) -> Step {
    if let Some(quoted) = inner.strip_prefix('"').and_then(|s| s.strip_suffix('"')) {
        return Step::Field(quoted.to_owned());
    }
    if let Ok(index) = inner.parse() {
        return Step::Index(index);
    }
    let (key, value) = inner.split_once('=').unwrap_or(("name", inner));
    Step::Item { key: key.to_owned(), value: value.to_owned() }
}

fn step_into<'v>(value: &'v Value, step: &Step) -> Option<&'v Value> {
    match step {
        Step::Field(name) => value.get(name),
        step => value.get(list_position(value, step)?),
    }
}

fn list_position(value: &Value, step: &Step) -> Option<usize> {
    let items = value.as_array()?;
    match step {
        Step::Index(index) => (*index < items.len()).then_some(*index),
        Step::Item { key, value } => items.iter().position(|item| match item.get(key) {
            Some(Value::String(text)) => text == value,
            Some(Value::Number(number)) => number.to_string() == *value,
            _ => false,
        }),
        Step::Field(_) => None,
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if name.contains(['.', '[', '/']) => write!(f, "[\"{name}\"]")?,
                Step::Field(name) => {
                    if at > 0 {
                        f.write_str(".")?;
                    }
                    f.write_str(name)?;
                }
                Step::Item { key, value } if key == "name" && value.parse::<usize>().is_err() => {
                    write!(f, "[{value}]")?;
                }
                Step::Item { key, value } => write!(f, "[{key}={value}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_path_prints_as_it_is_typed() {
        for text in [
            "spec.template.spec.containers[app].resources.limits.memory",
            "spec.ports[0].port",
            "metadata.labels[\"a.b/c\"]",
            "env[port=80].x",
        ] {
            assert_eq!(Path::of(text).to_string(), text);
        }
    }

    #[test]
    fn items_are_found_by_merge_key_after_the_list_moved() {
        let path = Path::of("spec.containers[app].image");
        let mut object = json!({"spec": {"containers": [{"name": "side"}, {"name": "app", "image": "a:1"}]}});
        assert_eq!(path.get(&object), Some(&json!("a:1")));
        assert_eq!(path.pointer(&object).as_deref(), Some("/spec/containers/1/image"));
        assert!(path.set(&mut object, json!("a:2")));
        assert_eq!(path.remove(&mut object), Some(json!("a:2")));
        assert_eq!(path.get(&object), None);
    }

    #[test]
    fn set_makes_maps_but_never_list_items() {
        let mut object = json!({"spec": {"containers": [{"name": "app"}]}});
        assert!(Path::of("spec.containers[app].resources.limits.memory").set(&mut object, json!("64Mi")));
        assert!(!Path::of("spec.containers[other].image").set(&mut object, json!("x")));
        assert_eq!(
            object,
            json!({"spec": {"containers": [{"name": "app", "resources": {"limits": {"memory": "64Mi"}}}]}})
        );
    }
}

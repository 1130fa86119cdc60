//! Values that a controller fills in and only the cluster has.

use super::control::Control;
use super::release::{Post, Release, Values};
use super::roots::Root;
use crate::redact;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A ConfigMap of the cluster: namespace and name.
pub type MapName = (String, String);

/// What is known of a ConfigMap of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filled {
    Missing,
    Read {
        values: BTreeMap<String, String>,
        /// Nothing was left out.
        whole: bool,
    },
}

impl Filled {
    /// Its data; what looks like a secret is left out, by its name or its shape.
    pub fn of(map: &Value) -> Self {
        let data = map["data"].as_object();
        let all = data.into_iter().flatten().filter_map(|(key, value)| Some((key, value.as_str()?)));
        let is_open = |key: &str, value: &str| !redact::is_secret_name(key) && redact::text(value).as_str() == value;
        let open = all.filter(|(key, value)| is_open(key, value));
        let values: BTreeMap<String, String> =
            open.map(|(key, value)| (key.clone(), value.replace('\n', ""))).collect();
        Self::Read { whole: values.len() == data.map_or(0, serde_json::Map::len), values }
    }
}

impl Root {
    /// ConfigMaps whose values a controller of this root fills in, and that are in no render of `rendered`.
    pub fn lacks(&self, rendered: &[Value]) -> BTreeSet<MapName> {
        let own = self.control.iter().flat_map(|control| control.lacks(rendered));
        let above = self.above().into_iter().chain(self.feeds()).flat_map(|root| root.lacks(rendered));
        own.chain(above).collect()
    }

    /// The same root with these ConfigMaps known.
    #[must_use]
    pub fn filled(mut self, known: &BTreeMap<MapName, Filled>) -> Self {
        self.fill(known);
        self
    }

    fn fill(&mut self, known: &BTreeMap<MapName, Filled>) {
        if let Some(control) = &mut self.control {
            let own = known.iter().filter(|((namespace, _), _)| *namespace == control.object.namespace());
            control.filled.extend(own.map(|((_, name), filled)| (name.clone(), filled.clone())));
            control.above.iter_mut().for_each(|above| above.fill(known));
        }
        self.release.iter_mut().for_each(|release| release.fill(known));
    }

    /// All controllers that have a part in it.
    pub fn controls(&self) -> Vec<&Control> {
        let own = self.control.as_deref().into_iter();
        let above = self.above().into_iter().chain(self.feeds()).flat_map(Self::controls);
        own.chain(above).collect()
    }
}

impl Release {
    fn fill(&mut self, known: &BTreeMap<MapName, Filled>) {
        let post =
            self.post.iter_mut().filter_map(|post| if let Post::Field(field) = post { Some(field) } else { None });
        let values = self.values.iter_mut().filter_map(|values| match values {
            Values::Field(field) | Values::Set { value: field, .. } => Some(field),
            Values::File(_) | Values::Fixed(_) => None,
        });
        values.chain(post).for_each(|field| field.root.fill(known));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_looks_like_a_secret_is_left_out() {
        let read = |data: Value| Filled::of(&json!({ "data": data }));
        let values = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let open = json!({"region": "eu\n", "tag": "1.4.2"});
        assert_eq!(read(open), Filled::Read { values: values(&[("region", "eu"), ("tag", "1.4.2")]), whole: true });
        let token = format!("ghp_{}", "a1B2".repeat(9));
        let closed = json!({"region": "eu", "db_password": "hunter2", "value": token});
        assert_eq!(read(closed), Filled::Read { values: values(&[("region", "eu")]), whole: false });
        assert_eq!(Filled::of(&json!({})), Filled::Read { values: BTreeMap::new(), whole: true });
    }
}

//! Every scalar of a file, with its place.

use super::{YamlError, parse};
use crate::model::path::{Path, Step};
use serde_json::Value;

/// Where a value stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which document, from 0.
    pub document: usize,
    /// The place in that document. Lists are by position.
    pub path: Path,
    /// When the string at `path` is itself a YAML document: the place inside it.
    pub inner: Option<Path>,
}

/// One scalar leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    pub place: Place,
    pub value: Value,
}

/// All scalar leaves of a file in order, with those inside strings that are YAML collections
/// themselves (inline patches). Empty maps and lists count as leaves.
///
/// # Errors
/// When the file can't be read.
pub fn of(text: &str) -> Result<Vec<Scalar>, YamlError> {
    let mut all = Vec::new();
    for (document, value) in parse::all(text)?.iter().enumerate() {
        for (path, leaf) in leaves(value) {
            if let Some(inner) = embedded(leaf) {
                for (deep, value) in leaves(&inner) {
                    let place = Place { document, path: path.clone(), inner: Some(deep) };
                    all.push(Scalar { place, value: value.clone() });
                }
            }
            all.push(Scalar { place: Place { document, path, inner: None }, value: leaf.clone() });
        }
    }
    Ok(all)
}

/// The collection that a string of several lines (or a JSON text) holds.
pub fn embedded(value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    let trimmed = text.trim_start();
    if !text.trim_end().contains('\n') && !trimmed.starts_with(['{', '[']) {
        return None;
    }
    parse::document(text).ok().filter(|inner| inner.is_object() || inner.is_array())
}

/// Scalars of a value with their paths by position.
pub fn leaves(value: &Value) -> Vec<(Path, &Value)> {
    fn walk<'v>(value: &'v Value, at: &Path, out: &mut Vec<(Path, &'v Value)>) {
        match value {
            Value::Object(map) if !map.is_empty() => {
                for (key, value) in map {
                    walk(value, &at.push(Step::Field(key.clone())), out);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &at.index(index), out);
                }
            }
            leaf => out.push((at.clone(), leaf)),
        }
    }
    let mut out = Vec::new();
    walk(value, &Path::default(), &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_inside_inline_patches_have_a_place() {
        let text = "patches:\n- target: {kind: Deployment}\n  patch: |-\n    - op: replace\n      path: /spec/replicas\n      value: 3\n";
        let found = of(text).unwrap_or_default();
        let three = found.iter().find(|scalar| scalar.value == 3).map(|scalar| scalar.place.clone());
        assert_eq!(
            three,
            Some(Place { document: 0, path: Path::of("patches[0].patch"), inner: Some(Path::of("[0].value")) })
        );
    }

    #[test]
    fn prose_is_no_document() {
        assert_eq!(embedded(&Value::from("two\nlines")), None);
        assert_eq!(embedded(&Value::from("key: value")), None);
    }
}

//! Data files of policies: read, merged, tightened.

use crate::error::Error;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Every document of a YAML or JSON file; those without content are left out.
///
/// # Errors
/// When it is neither.
pub(super) fn documents(path: &str, text: &str) -> Result<Vec<Value>, Error> {
    let options = serde_saphyr::options! { with_snippet: false };
    let documents: Result<Vec<Value>, String> = if path.ends_with(".json") {
        serde_json::from_str(text).map(|document| vec![document]).map_err(|error| error.to_string())
    } else {
        serde_saphyr::from_multiple_with_options(text, options).map_err(|error| error.to_string())
    };
    let documents =
        documents.map_err(|error| Error::usage(format!("the policy data `{path}` can't be read")).because(error))?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// The one map of a data file.
///
/// # Errors
/// When it is something else.
pub(super) fn map(path: &str, document: Value) -> Result<Value, Error> {
    match document {
        data @ Value::Object(_) => Ok(data),
        _ => Err(Error::usage(format!("the policy data `{path}` is not a map"))),
    }
}

/// The data of one text.
///
/// # Errors
/// When it is no map, or does not fit together.
pub(super) fn read(path: &str, text: &str) -> Result<Value, Error> {
    let mut whole = Value::Object(Map::new());
    for document in documents(path, text)? {
        merge(&mut whole, map(path, document)?, path)?;
    }
    Ok(whole)
}

/// Adds maps to maps.
///
/// # Errors
/// When two different values stand at one place.
pub(super) fn merge(into: &mut Value, from: Value, path: &str) -> Result<(), Error> {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(there) => merge(there, value, path)?,
                    None => drop(into.insert(key, value)),
                }
            }
            Ok(())
        }
        (into, from) if *into == from => Ok(()),
        _ => Err(Error::usage(format!("the policy data `{path}` says otherwise than another data file"))
            .hint("each value may stand in one data file only")),
    }
}

/// Makes what the embedded policies read stricter: names are added to lists, and a number counts
/// when it is smaller.
///
/// # Errors
/// When anything else is said from outside.
pub(super) fn tighten(current: &mut Value, wanted: Value, place: &str, folder: &str) -> Result<(), Error> {
    match (current, wanted) {
        (Value::Object(current), Value::Object(wanted)) => {
            for (key, value) in wanted {
                let place = format!("{place}.{key}");
                let there = current.get_mut(&key).ok_or_else(|| {
                    Error::usage(format!(
                        "the data of the policy folder `{folder}` sets `{place}`, which no policy reads"
                    ))
                    .hint("`aifix policy list` shows what the policies read")
                })?;
                tighten(there, value, &place, folder)?;
            }
            Ok(())
        }
        (Value::Array(current), Value::Array(wanted)) => {
            let known: BTreeSet<String> = current.iter().map(ToString::to_string).collect();
            current.extend(wanted.into_iter().filter(|item| !known.contains(&item.to_string())));
            Ok(())
        }
        (Value::Number(current), Value::Number(wanted)) => {
            if wanted.as_f64() < current.as_f64() {
                *current = wanted;
            }
            Ok(())
        }
        _ => Err(Error::usage(format!("`{place}` in the data of the policy folder `{folder}` has the wrong type"))
            .hint("lists add to ours, and numbers may only be smaller")),
    }
}

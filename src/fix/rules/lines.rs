//! Scripts of a ConfigMap whose lines end as on Windows.

use super::super::case::Case;
use super::super::closeness::split_hash;
use super::super::facts::{judge, text_of};
use crate::model::intent::{FieldEdit, Intent, Op};
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::redact;
use serde_json::Value;

/// Rules of this family.
pub(super) const RULES: &[(&str, super::Rule)] = &[("script-crlf", script)];

/// The carriage returns go from the very key that the container runs; the value itself is never read.
fn script(case: &Case<'_>) -> Result<Vec<Intent>, Refusal> {
    let (program, map, key) = (case.text("program"), case.text("configMap"), case.text("key"));
    let hint = "save it with Unix line ends (dos2unix FILE), or name an interpreter that the image has";
    if !case.is("windows") {
        return Err(judge(format!("why {program} can't be run is not known: its first line was not read"), hint));
    }
    if redact::is_secret_name(key) {
        return Err(judge(format!("key {key} of ConfigMap {map} is called as a secret is"), hint));
    }
    let own = case.on(&ObjectRef::new("v1", "ConfigMap", case.finding.object.namespace(), map))?;
    let edit = FieldEdit { path: Path::of("data").field(key), op: Op::Lf, old: None, new: None };
    let mut review = vec![format!("whatever else reads {key} gets it with other line ends")];
    let mount = case.fact("mount").cloned().unwrap_or(Value::Null);
    if !text_of(&mount, "subPath").is_empty() && split_hash(map).1.is_none() {
        review.push("a subPath keeps the file as it was: after the sync delete the pods once".to_owned());
    }
    let why = format!(
        "container {} runs {program}, which is key {key} of ConfigMap {map}; its first line ends in a carriage return, \
         so that it names an interpreter that no image has",
        case.name()
    );
    Ok(vec![own.intent(format!("Write {key} with Unix line ends"), why, vec![edit], review)])
}

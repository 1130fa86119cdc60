//! What the files of a chart and its values may not say.

use super::template::{Action, actions};
use crate::model::path::Step;
use crate::model::refusal::Refusal;
use crate::yaml::parse;
use crate::yaml::scalars::leaves;
use serde_json::Value;
use std::borrow::Cow;

/// A function of templates that asks the network. Helm lets it answer nothing since 3.11.1 (CVE-2023-25165), and an
/// older one may be installed.
const ASKS: &str = "getHostByName";

/// Text as Helm reads it: any bytes, without the mark at the beginning.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

/// Looks at one file; `name` is the one that Helm sees. A note says what a render can't show.
pub(super) fn check_file(path: &str, name: &str, text: &str) -> Result<Option<String>, Refusal> {
    if name == "values.schema.json" {
        check_schema(path, text)?;
    }
    // The text of a `tpl` stands in quotes.
    if actions(text).any(|action| action.text().contains(ASKS)) {
        return Err(asks(&format!("`{path}`")));
    }
    let looks = actions(text).flat_map(Action::words).any(|word| word == "lookup");
    Ok(looks.then(|| format!("what `{path}` looks up in the cluster: it renders empty here (`lookup`)")))
}

/// Looks at values, which a chart may run as a template (`tpl`).
pub(super) fn check_values(shown: &str, text: &str) -> Result<(), Refusal> {
    let says = |text: &str| text.contains("{{") && text.contains(ASKS);
    let read = || parse::document(text).ok().is_some_and(|values| deep(&values, &says));
    if says(text) || read() { Err(asks(shown)) } else { Ok(()) }
}

/// The same of values that are read already.
pub(super) fn check_value(shown: &str, value: &Value) -> Result<(), Refusal> {
    check_values(shown, &value.to_string())
}

fn deep(value: &Value, says: &dyn Fn(&str) -> bool) -> bool {
    leaves(value).into_iter().any(|(_, leaf)| leaf.as_str().is_some_and(says))
}

fn asks(shown: &str) -> Refusal {
    let text = format!("{shown} asks the network for an address (`{ASKS}`)");
    Refusal::new("nondeterministic", text, "make it a value of the chart")
}

/// A schema may name others by address, and Helm would fetch them; also the language that it is written in.
fn check_schema(path: &str, text: &str) -> Result<(), Refusal> {
    let Ok(schema) = serde_json::from_str::<Value>(text) else {
        let text = format!("`{path}` is no JSON");
        return Err(Refusal::new("render-failed", text, "make it JSON, or take it out of the chart"));
    };
    for (at, leaf) in leaves(&schema) {
        let Some(Step::Field(name)) = at.0.last() else { continue };
        let Some(address) = leaf.as_str() else { continue };
        let is_outside = match name.as_str() {
            // Every validator has these with it.
            "$schema" => {
                !["http://json-schema.org/", "https://json-schema.org/"].iter().any(|known| address.starts_with(known))
            }
            name if name.ends_with("Ref") || name == "$ref" => !address.starts_with('#'),
            _ => false,
        };
        if is_outside {
            let shown = crate::redact::text(address);
            let text = format!("`{path}` reads `{shown}`, which is outside this chart");
            return Err(Refusal::new("remote-source", text, "put the definition into the schema itself"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code<T>(result: Result<T, Refusal>) -> &'static str {
        result.map_or_else(|refusal| refusal.code, |_| "")
    }

    #[test]
    fn a_schema_that_is_read_elsewhere_is_refused() {
        let file = |text: &str| code(check_file("c/values.schema.json", "values.schema.json", text));
        assert_eq!(file(r##"{"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/a"}"##), "");
        assert_eq!(file(r#"{"$schema": "http://127.0.0.1/a"}"#), "remote-source");
        assert_eq!(file(r#"{"properties": {"a": {"\u0024ref": "file:///etc/hostname"}}}"#), "remote-source");
        assert_eq!(file("{"), "render-failed");
        assert_eq!(file(&lossy(b"\xef\xbb\xbf{\"$ref\": \"a.json\", \"x\": \"\xff\"}")), "remote-source");
    }

    #[test]
    fn what_asks_the_network_is_found_in_quotes_and_values_too() {
        let file = |text: &str| code(check_file("c/templates/a.yaml", "a.yaml", text));
        assert_eq!(file("{{ getHostByName .Values.a }}"), "nondeterministic");
        assert_eq!(file("{{ tpl \"{{ getHostByName \\\"a\\\" }}\" . }}"), "nondeterministic");
        assert_eq!(file("# getHostByName is not used\n{{/* getHostByName */}}"), "");
        let values = |text: &str| code(check_values("`v.yaml`", text));
        assert_eq!(values("a: '{{ getHostByName \"a\" }}'\n"), "nondeterministic");
        assert_eq!(values("a: \"\\x7b{ \\x67etHostByName 1 }}\"\n"), "nondeterministic");
        assert_eq!(values("a: getHostByName\n"), "");
    }

    #[test]
    fn what_is_looked_up_is_noted_once() {
        let note = check_file("c/templates/a.yaml", "a.yaml", "{{ lookup 1 }}{{ lookup 2 }}").unwrap();
        assert!(note.unwrap().contains("c/templates/a.yaml"));
    }
}

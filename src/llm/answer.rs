//! What a model may say, and how it is read.

use super::failure::Failure;
use super::wire::Way;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Which answers a prompt allows: what can be chosen, and which evidence can be named. The schema is
/// sent; no server is trusted to hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// One of these texts, or none.
    Choice { texts: Vec<String>, evidence: Vec<u32> },
    /// A new value for one of these paths, or none.
    Edit { paths: Vec<String>, evidence: Vec<u32> },
    /// Sentences that each name some of this evidence.
    Sentences { evidence: Vec<u32> },
}

/// What stands for "nothing of this".
pub const NONE: &str = "none";

/// Characters of a reason that are kept.
const REASON: usize = 160;

/// Sentences of a narrative at most.
pub const SENTENCES: usize = 6;

/// Characters of one sentence that are kept.
const SENTENCE: usize = 240;

/// What a model said; nothing of it is believed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// The candidate at this position of [`Shape::Choice`].
    Choice { at: usize, evidence: Vec<u32>, reason: String },
    /// This field should have this value. Neither is checked: `path` may be one that was not offered.
    Edit { path: String, old: String, new: String, evidence: Vec<u32>, reason: String },
    /// Nothing of what was offered.
    Nothing { reason: String },
    /// A narrative.
    Sentences(Vec<Sentence>),
}

impl Said {
    /// It as JSON, for a record; not redacted.
    pub fn value(&self) -> Value {
        match self {
            Self::Choice { at, evidence, reason } => {
                json!({"choice": at + 1, "evidence": evidence, "reason": reason})
            }
            Self::Edit { path, old, new, evidence, reason } => {
                json!({"path": path, "old": old, "new": new, "evidence": evidence, "reason": reason})
            }
            Self::Nothing { reason } => json!({"nothing": true, "reason": reason}),
            Self::Sentences(sentences) => {
                let rows = sentences.iter().map(|one| json!({"text": one.text, "evidence": one.evidence}));
                json!({"sentences": rows.collect::<Vec<_>>()})
            }
        }
    }
}

/// One sentence of a narrative, as the model said it: neither its words nor its numbers are checked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentence {
    /// One line, without recognised secrets.
    pub text: String,
    pub evidence: Vec<u32>,
}

/// Tokens that were counted by the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt: u64,
    pub answer: u64,
    /// Of the prompt, those that the server had read before.
    pub cached: u64,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub said: Said,
    /// The model that really answered: servers ignore the name that was asked for.
    pub model: String,
    pub usage: Usage,
    /// How it was asked for.
    pub way: Way,
    /// It was given before, to the same request.
    pub remembered: bool,
}

impl Shape {
    /// The JSON Schema of the answer. No sample value and no description stands in it: small models
    /// repeat them as values. It keeps to what OpenAI's strict mode knows, hence no `maxLength`.
    ///
    /// NOTE: llama.cpp takes a pattern for the text between the quotes as it is: one that allows `"` or
    /// `\` makes broken JSON, which it then answers with 500.
    pub fn schema(&self) -> Value {
        let mut properties = Map::new();
        for name in self.names() {
            let schema = match (*name, self) {
                ("choice", Self::Choice { texts, .. }) => json!({"type": "string", "enum": with_none(texts)}),
                ("path", Self::Edit { paths, .. }) => json!({"type": "string", "enum": with_none(paths)}),
                ("evidence", Self::Choice { evidence, .. } | Self::Edit { evidence, .. }) => numbers(evidence, 0),
                ("reason", _) => words(REASON),
                ("sentences", Self::Sentences { evidence }) => {
                    let item = object(&json!({"text": words(SENTENCE), "evidence": numbers(evidence, 1)}));
                    json!({"type": "array", "items": item, "minItems": 1, "maxItems": SENTENCES})
                }
                _ => json!({"type": "string"}),
            };
            properties.insert((*name).to_owned(), schema);
        }
        object(&Value::Object(properties))
    }

    /// The shape for the prompt itself, where no server enforces a schema. What can be chosen is left out:
    /// it stands in the question.
    pub fn outline(&self) -> Value {
        let numbers = json!({"type": "array", "items": {"type": "integer"}});
        let mut properties = Map::new();
        for name in self.names() {
            let schema = match *name {
                "evidence" => numbers.clone(),
                "sentences" => {
                    let item = object(&json!({"text": {"type": "string"}, "evidence": numbers}));
                    json!({"type": "array", "items": item})
                }
                _ => json!({"type": "string"}),
            };
            properties.insert((*name).to_owned(), schema);
        }
        object(&Value::Object(properties))
    }

    /// Tokens that such an answer needs at most.
    pub fn tokens(&self) -> u32 {
        match self {
            Self::Choice { .. } => 220,
            Self::Edit { .. } => 320,
            Self::Sentences { .. } => 600,
        }
    }

    fn names(&self) -> &'static [&'static str] {
        match self {
            Self::Choice { .. } => &["choice", "evidence", "reason"],
            Self::Edit { .. } => &["path", "old", "new", "evidence", "reason"],
            Self::Sentences { .. } => &["sentences"],
        }
    }

    /// Reads the text of an answer.
    ///
    /// # Errors
    /// For text that is not exactly one JSON object of this shape.
    pub fn read(&self, text: &str) -> Result<Said, Failure> {
        let text = unfenced(text.trim());
        let text = called(text).unwrap_or(text);
        if text.is_empty() {
            return Err(Failure::Silent);
        }
        if !text.starts_with('{') {
            return Err(Failure::Prose(text.to_owned()));
        }
        let value: Value = serde_json::from_str(text).map_err(|error| match error.is_eof() {
            true => Failure::HalfJson(text.to_owned()),
            false => Failure::NotJson(error.to_string()),
        })?;
        if let Some(name) =
            value.as_object().and_then(|map| map.keys().find(|key| !self.names().contains(&key.as_str())))
        {
            return Err(Failure::UnknownField(name.clone()));
        }
        let wrong = |error: serde_json::Error| Failure::WrongShape(error.to_string());
        match self {
            Self::Choice { texts, .. } => {
                // Read from the text, not from the value: a key that stands there twice is an error.
                let said: ChoiceText = serde_json::from_str(text).map_err(wrong)?;
                let reason = line(&said.reason, REASON);
                if said.choice == NONE {
                    return Ok(Said::Nothing { reason });
                }
                let at = texts.iter().position(|text| *text == said.choice);
                let at = at.ok_or_else(|| Failure::WrongShape("`choice` is none of the candidates".to_owned()))?;
                Ok(Said::Choice { at, evidence: said.evidence, reason })
            }
            Self::Edit { .. } => {
                let said: EditText = serde_json::from_str(text).map_err(wrong)?;
                let reason = line(&said.reason, REASON);
                if said.path == NONE {
                    return Ok(Said::Nothing { reason });
                }
                Ok(Said::Edit { path: said.path, old: said.old, new: said.new, evidence: said.evidence, reason })
            }
            Self::Sentences { .. } => {
                let mut said: SentencesText = serde_json::from_str(text).map_err(wrong)?;
                said.sentences.iter_mut().for_each(|sentence| sentence.text = line(&sentence.text, SENTENCE));
                Ok(Said::Sentences(said.sentences))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChoiceText {
    choice: String,
    evidence: Vec<u32>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditText {
    path: String,
    old: String,
    new: String,
    evidence: Vec<u32>,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SentencesText {
    sentences: Vec<Sentence>,
}

/// An object of exactly these properties.
fn object(properties: &Value) -> Value {
    let names: Vec<&String> = properties.as_object().map(|map| map.keys().collect()).unwrap_or_default();
    json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
}

/// Plain words, at most `max` characters.
fn words(max: usize) -> Value {
    json!({"type": "string", "pattern": format!("^[a-zA-Z0-9 .,:;()%/=_-]{{0,{max}}}$")})
}

/// At least `min` of these numbers; an enum of none would allow nothing.
fn numbers(evidence: &[u32], min: usize) -> Value {
    let item =
        if evidence.is_empty() { json!({"type": "integer"}) } else { json!({"type": "integer", "enum": evidence}) };
    let mut schema = json!({"type": "array", "items": item, "maxItems": 4});
    if min > 0 {
        // Small models leave a list empty when they may.
        schema["minItems"] = json!(min);
    }
    schema
}

fn with_none(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).chain([NONE]).collect()
}

fn line(text: &str, max: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    crate::text::clip(crate::redact::text(&line).as_str(), max)
}

/// The inside of a single code fence: servers that do not hold the schema like to add one.
fn unfenced(text: &str) -> &str {
    let inner = text.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let Some(inner) = inner.filter(|inner| !inner.contains("```")) else { return text };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

/// A call of a tool that was written down instead of made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Called<'c> {
    #[serde(rename = "name")]
    _name: &'c str,
    #[serde(borrow)]
    arguments: &'c RawValue,
}

/// What such a call holds, as it came.
fn called(text: &str) -> Option<&str> {
    serde_json::from_str::<Called<'_>>(text).ok().map(|called| called.arguments.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit() -> Shape {
        Shape::Edit { paths: vec!["spec.a".to_owned(), "spec.b".to_owned()], evidence: vec![1, 3] }
    }

    const GOOD: &str = r#"{"path":"spec.a","old":"1","new":"2","evidence":[1],"reason":"r"}"#;

    #[test]
    fn one_object_of_the_asked_shape_is_read_fenced_or_not() {
        let want = Said::Edit {
            path: "spec.a".to_owned(),
            old: "1".to_owned(),
            new: "2".to_owned(),
            evidence: vec![1],
            reason: "r".to_owned(),
        };
        assert_eq!(edit().read(GOOD), Ok(want.clone()));
        assert_eq!(edit().read(&format!("```json\n{GOOD}\n```")), Ok(want.clone()));
        // A tool that was called in words only.
        let called = format!("```json\n{{\"name\": \"answer\", \"arguments\": {GOOD}}}\n```");
        assert_eq!(edit().read(&called), Ok(want));
    }

    #[test]
    fn everything_else_is_named_for_what_it_is() {
        let read = |text: &str| edit().read(text).unwrap_err();
        assert!(matches!(read(""), Failure::Silent));
        assert!(matches!(read("Raise the limit."), Failure::Prose(_)));
        assert!(matches!(read(&GOOD[..30]), Failure::HalfJson(_)));
        assert!(matches!(read(&format!("{GOOD} and more")), Failure::NotJson(_)));
        assert!(matches!(read(&format!("{GOOD}{GOOD}")), Failure::NotJson(_)));
        assert_eq!(read(&GOOD.replace("\"old\"", "\"command\"")), Failure::UnknownField("command".to_owned()));
        for wrong in [
            GOOD.replace("\"2\"", "2"),
            GOOD.replace("[1]", "[-1]"),
            GOOD.replace(",\"reason\":\"r\"", ""),
            GOOD.replace("\"reason\"", "\"old\":\"3\",\"reason\""),
        ] {
            assert!(matches!(read(&wrong), Failure::WrongShape(_)), "{wrong}");
        }
    }

    #[test]
    fn a_choice_must_repeat_a_candidate() {
        let shape = Shape::Choice { texts: vec!["a = 1".to_owned()], evidence: Vec::new() };
        let said = |choice: &str| shape.read(&json!({"choice": choice, "evidence": [], "reason": ""}).to_string());
        assert!(matches!(said("a = 1"), Ok(Said::Choice { at: 0, .. })));
        assert!(matches!(said(NONE), Ok(Said::Nothing { .. })));
        assert!(matches!(said("a = 2"), Err(Failure::WrongShape(_))));
    }

    #[test]
    fn sentences_are_read_as_lines_and_nothing_else_stands_beside_them() {
        let shape = Shape::Sentences { evidence: vec![1, 2] };
        let said = shape.read(r#"{"sentences":[{"text":"The\n app   ends.","evidence":[1,9]}]}"#).unwrap();
        assert_eq!(said, Said::Sentences(vec![Sentence { text: "The app ends.".to_owned(), evidence: vec![1, 9] }]));
        assert_eq!(shape.read(r#"{"sentences":[],"command":"x"}"#), Err(Failure::UnknownField("command".to_owned())));
        for wrong in [
            r#"{}"#,
            r#"{"sentences":["The app ends."]}"#,
            r#"{"sentences":[{"text":"a"}]}"#,
            r#"{"sentences":[{"text":"a","evidence":[1],"run":"x"}]}"#,
            r#"{"sentences":[{"text":"a","evidence":["1"]}]}"#,
        ] {
            assert!(matches!(shape.read(wrong), Err(Failure::WrongShape(_))), "{wrong}");
        }
        let schema = shape.schema();
        assert_eq!(schema["properties"]["sentences"]["maxItems"], 6);
        let item = &schema["properties"]["sentences"]["items"];
        assert_eq!(item["properties"]["evidence"]["items"]["enum"], json!([1, 2]));
        assert_eq!((&item["required"], &item["additionalProperties"]), (&json!(["text", "evidence"]), &json!(false)));
    }

    #[test]
    fn the_outline_has_the_fields_of_the_schema_and_offers_nothing() {
        for shape in [edit(), Shape::Sentences { evidence: vec![1] }] {
            let (outline, schema) = (shape.outline(), shape.schema());
            assert_eq!(outline["required"], schema["required"]);
            assert!(!outline.to_string().contains("enum"), "{outline}");
        }
    }

    #[test]
    fn the_schema_names_every_property_and_forbids_others() {
        let schema = edit().schema();
        let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(json!(names), schema["required"]);
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["path"]["enum"], json!(["spec.a", "spec.b", "none"]));
        assert_eq!(schema["properties"]["evidence"]["items"]["enum"], json!([1, 3]));
    }
}

//! The messages of Anthropic and those compatible.

use super::answer::Usage;
use super::failure::Failure;
use super::settings::Settings;
use super::wire::{Reply, Way, Words, unread};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The version of the format that is spoken.
const VERSION: &str = "2023-06-01";

/// The one tool.
const NAME: &str = "answer";

/// A request. <https://docs.anthropic.com/en/api/messages>
pub(super) fn body(settings: &Settings, way: Way, words: &Words<'_>) -> Value {
    let mut body = json!({
        "system": words.system,
        "messages": [{"role": "user", "content": words.user}],
        "max_tokens": words.shape.tokens(),
    });
    if way == Way::Tool {
        let tool = json!({"name": NAME, "description": "Gives the answer.", "input_schema": words.shape.schema()});
        body["tools"] = json!([tool]);
        body["tool_choice"] = json!({"type": "tool", "name": NAME, "disable_parallel_tool_use": true});
    }
    if !settings.model.is_empty() {
        body["model"] = json!(settings.model);
    }
    if settings.url.host_str() != Some("api.anthropic.com") {
        // Its newest models refuse it.
        body["temperature"] = json!(0);
    }
    body
}

/// The key's header, and the version.
pub(super) fn headers(settings: &Settings) -> Vec<(&'static str, String)> {
    let key = settings.key.iter().map(|key| ("x-api-key", key.secret().to_owned()));
    key.chain([("anthropic-version", VERSION.to_owned())]).collect()
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    model: String,
    content: Vec<Block>,
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Value,
}

/// One block; of other types than these two nothing is read.
#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
    /// As it came: a field that stands there twice must be seen.
    input: Option<Box<RawValue>>,
}

/// Reads an answer with a status of 2xx.
///
/// # Errors
/// When it is no message.
pub(super) fn read(bytes: &[u8]) -> Result<Reply, Failure> {
    let message: Message = serde_json::from_slice(bytes).map_err(|error| unread(bytes, &error))?;
    let count = |name: &str| message.usage.get(name).and_then(Value::as_u64).unwrap_or_default();
    let cached = count("cache_read_input_tokens");
    // What was read from a cache is not counted as input.
    let usage = Usage {
        prompt: count("input_tokens") + cached + count("cache_creation_input_tokens"),
        answer: count("output_tokens"),
        cached,
    };
    let text = match message.stop_reason.as_deref() {
        Some("max_tokens" | "model_context_window_exceeded") => Err(Failure::Cut),
        Some("refusal") => Err(Failure::Filtered { said: String::new() }),
        _ => Ok(text(&message.content)),
    };
    Ok(Reply { text, model: message.model, usage })
}

/// What the tool was called with, else the words: a server may not hold a model to its tool.
fn text(blocks: &[Block]) -> String {
    let of = |kind: &'static str| blocks.iter().filter(move |block| block.kind == kind);
    let called = of("tool_use").find_map(|block| block.input.as_ref());
    called.map_or_else(|| of("text").map(|block| block.text.as_str()).collect(), |input| input.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::answer::Shape;
    use crate::llm::wire;

    fn request(url: &str, way: Way) -> Value {
        let mut settings = Settings::new(url, "m", None).unwrap();
        settings.api = wire::Api::Anthropic;
        let shape = Shape::Edit { paths: vec!["spec.a".to_owned()], evidence: vec![1] };
        let words = Words { system: "s.", user: "u", shape: &shape };
        serde_json::from_slice(&wire::body(&settings, way, &words)).unwrap()
    }

    fn message(stop: &str, blocks: &str) -> Vec<u8> {
        format!(
            r#"{{"type":"message","model":"claude-x","content":[{blocks}],"stop_reason":"{stop}","stop_sequence":null,
            "usage":{{"input_tokens":1,"output_tokens":12,"cache_read_input_tokens":60,"cache_creation_input_tokens":7}}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn the_shape_is_asked_for_as_the_input_of_the_one_tool() {
        let body = request("http://127.0.0.1:1", Way::Tool);
        assert_eq!(body.pointer("/tools/0/input_schema/type"), Some(&json!("object")));
        assert_eq!(body.pointer("/tool_choice/name"), Some(&json!("answer")));
        assert_eq!(
            (&body["system"], &body["max_tokens"], &body["temperature"]),
            (&json!("s."), &json!(320), &json!(0))
        );
        let plain = request("http://127.0.0.1:1", Way::Plain);
        assert!(plain.get("tools").is_none() && plain["system"].as_str().unwrap().contains("JSON Schema: {"));
        assert!(request("https://api.anthropic.com", Way::Tool).get("temperature").is_none());
    }

    #[test]
    fn the_input_of_the_tool_is_the_answer_and_all_that_was_read_is_counted() {
        let blocks = r#"{"type":"thinking","thinking":"x","signature":"y"},
            {"type":"tool_use","id":"t","name":"answer","input":{"a":1,"a":2}}"#;
        let reply = read(&message("tool_use", blocks)).unwrap();
        assert_eq!(reply.text, Ok(r#"{"a":1,"a":2}"#.to_owned()), "what stands there twice is not smoothed over");
        assert_eq!((reply.model.as_str(), reply.usage), ("claude-x", Usage { prompt: 68, answer: 12, cached: 60 }));
    }

    #[test]
    fn words_are_read_where_the_tool_was_not_called() {
        let reply = read(&message("end_turn", r#"{"type":"text","text":"```json\n{}\n```"}"#)).unwrap();
        assert_eq!(reply.text, Ok("```json\n{}\n```".to_owned()));
        assert_eq!(read(&message("end_turn", "")).unwrap().text, Ok(String::new()));
    }

    #[test]
    fn an_answer_that_was_cut_or_refused_is_none() {
        let block = r#"{"type":"tool_use","id":"t","name":"answer","input":{}}"#;
        assert_eq!(read(&message("max_tokens", block)).unwrap().text, Err(Failure::Cut));
        assert_eq!(read(&message("refusal", block)).unwrap().text, Err(Failure::Filtered { said: String::new() }));
        assert!(matches!(read(br#"{"choices":[]}"#), Err(Failure::Garbled(_))));
        let whole = message("end_turn", block);
        assert!(matches!(read(&whole[..whole.len() / 2]), Err(Failure::HalfJson(_))));
    }

    #[test]
    fn the_key_goes_into_its_own_header() {
        let mut settings = Settings::new("https://api.anthropic.com", "m", super::super::ApiKey::new("k")).unwrap();
        let version = ("anthropic-version", "2023-06-01".to_owned());
        assert_eq!(headers(&settings), [("x-api-key", "k".to_owned()), version.clone()]);
        settings.key = None;
        assert_eq!(headers(&settings), [version]);
    }
}

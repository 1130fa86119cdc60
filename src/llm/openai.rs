//! The chat completions of OpenAI and those compatible.

use super::answer::{Answer, Shape, Usage};
use super::failure::Failure;
use super::settings::Settings;
use serde::Deserialize;
use serde_json::{Value, json};

/// The body of a request. The schema must be nested in `json_schema.schema` as an object: llama.cpp
/// answers 200 to other shapes and silently ignores the schema.
/// <https://platform.openai.com/docs/api-reference/chat/create>
pub(super) fn body(settings: &Settings, system: &str, user: &str, shape: &Shape) -> Vec<u8> {
    let mut body = json!({
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": true, "schema": shape.schema()},
        },
        "stream": false,
    });
    if !settings.model.is_empty() {
        body["model"] = json!(settings.model);
    }
    if settings.is_openai() {
        // Its reasoning models refuse `max_tokens` and `temperature`, and think within the same limit.
        body["max_completion_tokens"] = json!(shape.tokens() + 4_000);
    } else {
        body["max_tokens"] = json!(shape.tokens());
        body["temperature"] = json!(0);
    }
    body.to_string().into_bytes()
}

/// Headers besides those of JSON.
pub(super) fn headers(settings: &Settings) -> Vec<(&'static str, String)> {
    settings.key.iter().map(|key| ("authorization", format!("Bearer {}", key.secret()))).collect()
}

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    model: String,
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Value,
}

#[derive(Deserialize)]
struct Choice {
    finish_reason: Option<String>,
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

/// Reads an answer with a status of 2xx.
///
/// # Errors
/// For an answer that is not whole or not of the asked shape.
pub(super) fn read(bytes: &[u8], shape: &Shape) -> Result<Answer, Failure> {
    let completion: Completion =
        serde_json::from_slice(bytes).map_err(|error| match error.is_eof() && bytes.starts_with(b"{") {
            true => Failure::HalfJson(String::from_utf8_lossy(bytes).into_owned()),
            false => Failure::Garbled(error.to_string()),
        })?;
    let Some(choice) = completion.choices.into_iter().next() else { return Err(Failure::Silent) };
    // Before the text is parsed: an answer that was cut can be whole JSON by chance.
    if choice.finish_reason.as_deref() == Some("length") {
        return Err(Failure::Cut);
    }
    let said = shape.read(&choice.message.content.unwrap_or_default())?;
    let count = |pointer: &str| completion.usage.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let usage = Usage {
        prompt: count("/prompt_tokens"),
        answer: count("/completion_tokens"),
        cached: count("/prompt_tokens_details/cached_tokens"),
    };
    Ok(Answer { said, model: completion.model, usage })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::answer::Said;

    fn shape() -> Shape {
        Shape::Edit { paths: vec!["spec.a".to_owned()], evidence: vec![1] }
    }

    fn completion(finish: &str, content: &Value) -> Vec<u8> {
        json!({
            "model": "local", "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}],
            "usage": {"prompt_tokens": 68, "completion_tokens": 12, "prompt_tokens_details": {"cached_tokens": 60}},
            "timings": {}, "object": "chat.completion",
        })
        .to_string()
        .into_bytes()
    }

    #[test]
    fn the_model_that_answered_and_its_tokens_are_kept() {
        let content = json!(r#"{"path":"none","old":"","new":"","evidence":[],"reason":"no"}"#);
        let answer = read(&completion("stop", &content), &shape()).unwrap();
        assert_eq!(answer.said, Said::Nothing { reason: "no".to_owned() });
        assert_eq!((answer.model.as_str(), answer.usage), ("local", Usage { prompt: 68, answer: 12, cached: 60 }));
    }

    #[test]
    fn an_answer_as_llama_cpp_writes_it_is_read() {
        let recorded = r#"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"{\n  \"path\": \"spec.a\",\n  \"old\": \"64Mi\",\n  \"new\": \"128Mi\",\n  \"evidence\": [\n    1\n  ],\n  \"reason\": \"OOMKilled\"\n}"}}],"created":1795504882,"model":"local","system_fingerprint":"b11549-0","object":"chat.completion","usage":{"completion_tokens":44,"prompt_tokens":68,"total_tokens":112,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-x","timings":{"prompt_n":68}}"#;
        let answer = read(recorded.as_bytes(), &shape()).unwrap();
        assert!(matches!(answer.said, Said::Edit { ref new, .. } if new == "128Mi"), "{answer:?}");
    }

    #[test]
    fn a_cut_answer_is_none_even_when_it_parses() {
        let content = json!(r#"{"path":"none","old":"","new":"","evidence":[],"reason":"no"}"#);
        assert_eq!(read(&completion("length", &content), &shape()), Err(Failure::Cut));
    }

    #[test]
    fn an_envelope_without_an_answer_is_silence_and_no_envelope_is_garbled() {
        assert_eq!(read(&completion("stop", &Value::Null), &shape()), Err(Failure::Silent));
        assert_eq!(read(br#"{"choices":[]}"#, &shape()), Err(Failure::Silent));
        assert!(matches!(read(b"<html>", &shape()), Err(Failure::Garbled(_))));
        assert!(matches!(read(b"[]", &shape()), Err(Failure::Garbled(_))));
        let whole = completion("stop", &json!("x"));
        assert!(matches!(read(&whole[..whole.len() / 2], &shape()), Err(Failure::HalfJson(_))));
    }

    #[test]
    fn the_schema_is_nested_where_servers_look_for_it() {
        let settings = Settings::new("http://127.0.0.1:1/v1", "m", None).unwrap();
        let body: Value = serde_json::from_slice(&body(&settings, "s", "u", &shape())).unwrap();
        assert_eq!(body.pointer("/response_format/type"), Some(&json!("json_schema")));
        assert_eq!(body.pointer("/response_format/json_schema/schema/type"), Some(&json!("object")));
        assert_eq!((&body["model"], &body["max_tokens"], &body["temperature"]), (&json!("m"), &json!(320), &json!(0)));
    }

    #[test]
    fn openai_itself_is_asked_in_the_words_its_newest_models_know() {
        let settings = Settings::new("https://api.openai.com/v1", "m", None).unwrap();
        let body: Value = serde_json::from_slice(&body(&settings, "s", "u", &shape())).unwrap();
        assert!(body.get("max_tokens").is_none() && body.get("temperature").is_none(), "{body}");
    }
}

//! The chat completions of OpenAI and those compatible.

use super::answer::Usage;
use super::failure::Failure;
use super::settings::Settings;
use super::wire::{Api, Reply, Way, Words, unread};
use serde::Deserialize;
use serde_json::{Value, json};

/// The name of the schema, and of the tool that takes it.
const NAME: &str = "answer";

/// A request. The schema must be nested in `json_schema.schema` as an object: llama.cpp answers 200 to
/// other shapes and silently ignores the schema.
/// <https://platform.openai.com/docs/api-reference/chat/create>
pub(super) fn body(settings: &Settings, way: Way, words: &Words<'_>) -> Value {
    let mut body = json!({
        "messages": [{"role": "system", "content": words.system}, {"role": "user", "content": words.user}],
    });
    match way {
        Way::Schema => {
            let schema = json!({"name": NAME, "strict": true, "schema": words.shape.schema()});
            body["response_format"] = json!({"type": "json_schema", "json_schema": schema});
        }
        Way::Object => body["response_format"] = json!({"type": "json_object"}),
        Way::Tool => {
            let function = json!({"name": NAME, "strict": true, "parameters": words.shape.schema()});
            body["tools"] = json!([{"type": "function", "function": function}]);
            body["tool_choice"] = json!({"type": "function", "function": {"name": NAME}});
        }
        Way::Plain => {}
    }
    body["stream"] = json!(false);
    if !settings.model.is_empty() {
        body["model"] = json!(settings.model);
    }
    if settings.is_openai() || settings.api == Api::Azure {
        // Its reasoning models refuse `max_tokens` and `temperature`, and think within the same limit.
        body["max_completion_tokens"] = json!(words.shape.tokens() + 4_000);
    } else {
        body["max_tokens"] = json!(words.shape.tokens());
        body["temperature"] = json!(0);
    }
    body
}

/// The key's header.
pub(super) fn headers(settings: &Settings) -> Vec<(&'static str, String)> {
    let header = |key: &super::ApiKey| match settings.api {
        Api::Azure => ("api-key", key.secret().to_owned()),
        _ => ("authorization", format!("Bearer {}", key.secret())),
    };
    settings.key.iter().map(header).collect()
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
    refusal: Option<String>,
    tool_calls: Option<Vec<ToolCall>>,
}

#[derive(Deserialize)]
struct ToolCall {
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    #[serde(default)]
    arguments: String,
}

/// Reads an answer with a status of 2xx.
///
/// # Errors
/// When it is no completion.
pub(super) fn read(bytes: &[u8]) -> Result<Reply, Failure> {
    let completion: Completion = serde_json::from_slice(bytes).map_err(|error| unread(bytes, &error))?;
    let count = |pointer: &str| completion.usage.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let usage = Usage {
        prompt: count("/prompt_tokens"),
        answer: count("/completion_tokens"),
        cached: count("/prompt_tokens_details/cached_tokens"),
    };
    let text = completion.choices.into_iter().next().map_or(Err(Failure::Silent), text);
    Ok(Reply { text, model: completion.model, usage })
}

fn text(choice: Choice) -> Result<String, Failure> {
    // Before the text is parsed: an answer that was cut can be whole JSON by chance.
    match choice.finish_reason.as_deref() {
        Some("length") => return Err(Failure::Cut),
        Some("content_filter") => return Err(Failure::Filtered { said: String::new() }),
        _ => {}
    }
    let Message { content, refusal, tool_calls } = choice.message;
    if let Some(said) = refusal.filter(|said| !said.is_empty()) {
        return Err(Failure::Filtered { said });
    }
    let called = tool_calls.into_iter().flatten().next().map(|call| call.function.arguments);
    Ok(called.or(content).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::answer::Shape;
    use crate::llm::wire;

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

    fn request(url: &str, way: Way) -> Value {
        let settings = Settings::new(url, "m", None).unwrap();
        let shape = shape();
        let words = Words { system: "s.", user: "u", shape: &shape };
        serde_json::from_slice(&wire::body(&settings, way, &words)).unwrap()
    }

    #[test]
    fn the_model_that_answered_and_its_tokens_are_kept() {
        let reply = read(&completion("stop", &json!("{}"))).unwrap();
        assert_eq!(reply.text, Ok("{}".to_owned()));
        assert_eq!((reply.model.as_str(), reply.usage), ("local", Usage { prompt: 68, answer: 12, cached: 60 }));
    }

    #[test]
    fn an_answer_as_llama_cpp_writes_it_is_read() {
        let recorded = r#"{"choices":[{"finish_reason":"stop","index":0,"message":{"role":"assistant","content":"{\n  \"path\": \"spec.a\",\n  \"old\": \"64Mi\",\n  \"new\": \"128Mi\",\n  \"evidence\": [\n    1\n  ],\n  \"reason\": \"OOMKilled\"\n}"}}],"created":1795504882,"model":"local","system_fingerprint":"b11549-0","object":"chat.completion","usage":{"completion_tokens":44,"prompt_tokens":68,"total_tokens":112,"prompt_tokens_details":{"cached_tokens":0}},"id":"chatcmpl-x","timings":{"prompt_n":68}}"#;
        let text = read(recorded.as_bytes()).unwrap().text.unwrap();
        assert!(text.contains("128Mi"), "{text}");
    }

    #[test]
    fn an_answer_that_was_cut_or_filtered_is_none_even_when_it_parses() {
        assert_eq!(read(&completion("length", &json!("{}"))).unwrap().text, Err(Failure::Cut));
        let filtered = Err(Failure::Filtered { said: String::new() });
        assert_eq!(read(&completion("content_filter", &json!("{}"))).unwrap().text, filtered);
        let refused = br#"{"choices":[{"message":{"content":null,"refusal":"I can not help."}}]}"#;
        assert_eq!(read(refused).unwrap().text, Err(Failure::Filtered { said: "I can not help.".to_owned() }));
    }

    #[test]
    fn an_envelope_without_an_answer_is_silence_and_no_envelope_is_garbled() {
        assert_eq!(read(&completion("stop", &Value::Null)).unwrap().text, Ok(String::new()));
        assert_eq!(read(br#"{"choices":[]}"#).unwrap().text, Err(Failure::Silent));
        assert!(matches!(read(b"<html>"), Err(Failure::Garbled(_))));
        assert!(matches!(read(b"[]"), Err(Failure::Garbled(_))));
        let whole = completion("stop", &json!("x"));
        assert!(matches!(read(&whole[..whole.len() / 2]), Err(Failure::HalfJson(_))));
    }

    #[test]
    fn a_call_of_the_tool_is_the_answer() {
        let called = br#"{"choices":[{"finish_reason":"tool_calls","message":{"content":null,
            "tool_calls":[{"id":"c","type":"function","function":{"name":"answer","arguments":"{\"a\":1}"}}]}}]}"#;
        assert_eq!(read(called).unwrap().text, Ok("{\"a\":1}".to_owned()));
    }

    #[test]
    fn each_way_asks_for_the_shape_where_servers_look_for_it() {
        let url = "http://127.0.0.1:1/v1";
        let body = request(url, Way::Schema);
        assert_eq!(body.pointer("/response_format/type"), Some(&json!("json_schema")));
        assert_eq!(body.pointer("/response_format/json_schema/schema/type"), Some(&json!("object")));
        assert_eq!((&body["model"], &body["max_tokens"], &body["temperature"]), (&json!("m"), &json!(320), &json!(0)));
        assert_eq!(body.pointer("/messages/0/content"), Some(&json!("s.")));
        let tool = request(url, Way::Tool);
        assert_eq!(tool.pointer("/tools/0/function/parameters/type"), Some(&json!("object")));
        assert_eq!(tool.pointer("/tool_choice/function/name"), Some(&json!("answer")));
        assert_eq!(request(url, Way::Object)["response_format"], json!({"type": "json_object"}));
        assert!(request(url, Way::Plain).get("response_format").is_none());
        for told in [Way::Object, Way::Plain] {
            let system = request(url, told)["messages"][0]["content"].as_str().unwrap().to_owned();
            assert!(system.contains("JSON Schema: {") && system.contains("\"path\""), "{system}");
            assert!(!system.contains("spec.a"), "what can be chosen stands in the question: {system}");
        }
    }

    #[test]
    fn openai_and_azure_are_asked_in_the_words_their_newest_models_know() {
        for url in ["https://api.openai.com/v1", "https://shop.openai.azure.com"] {
            let body = request(url, Way::Schema);
            assert!(body.get("max_tokens").is_none() && body.get("temperature").is_none(), "{body}");
        }
    }

    #[test]
    fn azure_takes_the_key_in_a_header_of_its_own() {
        let key = || super::super::ApiKey::new("k");
        let of = |url: &str| headers(&Settings::new(url, "m", key()).unwrap());
        assert_eq!(of("https://shop.openai.azure.com"), [("api-key", "k".to_owned())]);
        assert_eq!(of("https://h/v1"), [("authorization", "Bearer k".to_owned())]);
    }
}

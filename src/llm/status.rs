//! What a server's refusal says: its status and its words.

use super::failure::{Failure, foreign};
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;
use std::time::Duration;

/// The numbers in a message; commas can part thousands.
static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\d[\d,]*").ok());

/// The words of a refusal, redacted, and the names that servers give to its kind.
pub(super) struct Said {
    pub(super) text: String,
    /// `code` and `type`, in lower case.
    names: String,
    numbers: Option<(u64, u64)>,
}

impl Said {
    /// Reads a body of any shape: OpenAI's and Anthropic's `error` with a `message`, a bare text, none.
    pub(super) fn new(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = body.get("error").unwrap_or(&body);
        let message =
            error.as_str().or_else(|| error.get("message")?.as_str()).or_else(|| error.get("detail")?.as_str());
        let names = ["code", "type"].iter().filter_map(|name| error.get(*name)?.as_str()).collect::<Vec<_>>().join(" ");
        // llama.cpp tells both numbers.
        let number = |name: &str| error.get(name).and_then(Value::as_u64);
        let numbers = number("n_prompt_tokens").zip(number("n_ctx"));
        Self { text: foreign(message.unwrap_or_default()), names: names.to_lowercase(), numbers }
    }

    fn has(&self, words: &[&str]) -> bool {
        let text = self.text.to_lowercase();
        words.iter().any(|word| text.contains(word) || self.names.contains(word))
    }

    /// How many tokens a prompt has and a context holds, when the words tell that it is too long.
    fn too_long(&self) -> Option<Failure> {
        let words = [
            "context_length_exceeded",
            "exceed_context_size",
            "maximum context length",
            "context size",
            "context window",
            "prompt is too long",
            "input is too long",
            "input length and `max_tokens` exceed",
        ];
        if self.numbers.is_none() && !self.has(&words) {
            return None;
        }
        let (needs, holds) = self.numbers.or_else(|| self.told()).unzip();
        Some(Failure::TooLong { needs, holds })
    }

    /// The two sizes in the words: the context is the smaller one.
    fn told(&self) -> Option<(u64, u64)> {
        let found = NUMBER.as_ref()?.find_iter(&self.text);
        let numbers: Vec<u64> = found.filter_map(|n| n.as_str().replace(',', "").parse().ok()).collect();
        let (first, second) = (*numbers.first()?, *numbers.get(1)?);
        (first != second && first.min(second) >= 128).then_some((first.max(second), first.min(second)))
    }
}

/// What a status and its body come to.
pub(super) fn read(code: u16, wait: Option<Duration>, body: &[u8]) -> Failure {
    let said = Said::new(body);
    let quota =
        ["insufficient_quota", "exceeded your current quota", "credit balance", "insufficient credit", "billing"];
    let model = ["model_not_found", "deploymentnotfound", "not a valid model", "no endpoints found"];
    let names_model =
        said.has(&model) || said.has(&["model"]) && said.has(&["not found", "does not exist", "not_found_error"]);
    let filter = ["content_filter", "content management policy", "content_policy", "responsibleaipolicy"];
    if matches!(code, 400 | 413 | 422)
        && let Some(too_long) = said.too_long()
    {
        return too_long;
    }
    let Said { text, .. } = &said;
    let text = text.clone();
    match code {
        402 => Failure::NoQuota { code, said: text },
        400 | 403 | 429 if said.has(&quota) => Failure::NoQuota { code, said: text },
        400 | 403 if said.has(&filter) => Failure::Filtered { said: text },
        400 | 404 if names_model => Failure::NoModel { code, said: text },
        401 | 403 => Failure::Unauthorised { code, said: text },
        404 => Failure::NotFound { said: text },
        429 => Failure::Limited { wait },
        503 | 529 => Failure::Busy { code, said: text },
        500..=599 => Failure::ServerError { code, said: text },
        _ => Failure::Rejected { code, said: text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn read(code: u16, body: &str) -> Failure {
        super::read(code, None, body.as_bytes())
    }

    #[test]
    fn the_servers_own_words_are_kept_redacted_and_short() {
        let body = r#"{"error":{"message":"Incorrect API key provided: sk-abcdefghijklmnopqrstuvwx","code":"x"}}"#;
        let error = read(401, body).into_error("h:1");
        assert_eq!(error.message, "the model at h:1 refused the key (401)");
        assert_eq!(crate::redact::unnumbered(&error.causes.join("|")), "Incorrect API key provided: <secret>");
        assert_eq!(error.kind, Kind::Usage);
    }

    #[test]
    fn a_context_that_is_too_small_tells_both_numbers_whoever_says_it() {
        for (body, needs, holds) in [
            (r#"{"error":{"code":400,"message":"too long","n_prompt_tokens":36028,"n_ctx":2048}}"#, 36028, 2048),
            (
                r#"{"error":{"message":"This model's maximum context length is 4,097 tokens. However, your messages resulted in 5012 tokens.","code":"context_length_exceeded"}}"#,
                5012,
                4097,
            ),
            (
                r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 205000 tokens > 200000 maximum"}}"#,
                205_000,
                200_000,
            ),
            (
                r#"{"object":"error","message":"This model's maximum context length is 2048 tokens. However, you requested 2600 tokens (2280 in the messages, 320 in the completion)."}"#,
                2600,
                2048,
            ),
        ] {
            assert_eq!(read(400, body), Failure::TooLong { needs: Some(needs), holds: Some(holds) }, "{body}");
        }
        let untold = r#"{"error":{"message":"Input is too long for requested model."}}"#;
        assert_eq!(read(400, untold), Failure::TooLong { needs: None, holds: None });
    }

    #[test]
    fn quota_model_filter_and_key_are_told_apart() {
        let openai = |code: &str, message: &str| format!(r#"{{"error":{{"message":"{message}","code":"{code}"}}}}"#);
        let anthropic = |kind: &str, message: &str| {
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"r"}}"#)
        };
        let name = |failure: Failure| format!("{failure:?}").split([' ', '(']).next().unwrap_or_default().to_owned();
        for (code, body, want) in [
            (429, openai("insufficient_quota", "You exceeded your current quota"), "NoQuota"),
            (400, anthropic("invalid_request_error", "Your credit balance is too low"), "NoQuota"),
            (402, openai("402", "Insufficient credits"), "NoQuota"),
            (429, openai("rate_limit_exceeded", "Rate limit reached for requests"), "Limited"),
            (429, anthropic("rate_limit_error", "This request would exceed your rate limit"), "Limited"),
            (404, openai("model_not_found", "The model `gpt-9` does not exist"), "NoModel"),
            (404, openai("", "model 'x' not found, try pulling it first"), "NoModel"),
            (404, openai("DeploymentNotFound", "The API deployment for this resource does not exist."), "NoModel"),
            (404, anthropic("not_found_error", "model: claude-9"), "NoModel"),
            (400, openai("400", "x/y is not a valid model ID"), "NoModel"),
            (404, openai("", "File Not Found"), "NotFound"),
            (400, openai("content_filter", "The response was filtered"), "Filtered"),
            (401, anthropic("authentication_error", "invalid x-api-key"), "Unauthorised"),
            (403, anthropic("permission_error", "not allowed"), "Unauthorised"),
            (529, anthropic("overloaded_error", "Overloaded"), "Busy"),
            (503, openai("", "Loading model"), "Busy"),
            (500, anthropic("api_error", "Internal server error"), "ServerError"),
            (400, openai("", "no"), "Rejected"),
        ] {
            assert_eq!(name(read(code, &body)), want, "{code} {body}");
        }
    }

    #[test]
    fn a_body_of_any_other_shape_is_no_trouble() {
        assert_eq!(read(500, "<html>"), Failure::ServerError { code: 500, said: String::new() });
        assert_eq!(read(502, r#"{"error":"down"}"#), Failure::ServerError { code: 502, said: "down".into() });
        assert_eq!(read(302, ""), Failure::Rejected { code: 302, said: String::new() });
        assert_eq!(read(418, r#"{"error":[1]}"#), Failure::Rejected { code: 418, said: String::new() });
    }
}

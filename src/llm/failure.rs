//! Why a model gave no usable answer, in plain words.

use crate::doors::http::HttpError;
use crate::error::{Error, Kind};
use crate::{redact, text};
use serde_json::Value;
use std::time::Duration;

/// Why a model gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nothing listens there, or the name is unknown.
    Absent(String),
    /// The certificate or the handshake.
    Tls(String),
    /// The connection ended before the answer did.
    Broken(String),
    /// No whole answer within this time.
    Slow(Duration),
    /// 401 or 403: the key.
    Unauthorised { code: u16, said: String },
    /// 404: the URL, or the model's name.
    NotFound { said: String },
    /// 429; what it asked to wait, and how long it was worth waiting for.
    Limited { wait: Option<Duration> },
    /// 503 while a model is loaded, for example.
    Busy { said: String },
    /// Any other 5xx.
    ServerError { code: u16, said: String },
    /// Any other status: the request was not understood. A redirect too.
    Rejected { code: u16, said: String },
    /// The prompt has more tokens than the server's context.
    TooLong { needs: u64, holds: u64 },
    /// More bytes than any answer needs.
    Endless { limit: usize },
    /// Calls or time are used up.
    Spent,
    /// `finish_reason: length`.
    Cut,
    /// The server's answer itself, not the model's, is no JSON.
    Garbled(String),
    /// No text at all, or a refusal of the model.
    Silent,
    /// The answer begins as JSON and stops.
    HalfJson(String),
    /// JSON with an error in it, or with more after it.
    NotJson(String),
    /// Text where JSON was asked for.
    Prose(String),
    /// A field that was not asked for.
    UnknownField(String),
    /// A field is missing, twice there, or of another type.
    WrongShape(String),
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Unreachable(why) => Self::Absent(foreign(&why)),
            HttpError::Tls(why) => Self::Tls(foreign(&why)),
            HttpError::Broken(why) => Self::Broken(foreign(&why)),
            HttpError::Timeout(waited) => Self::Slow(waited),
            HttpError::TooLarge(limit) => Self::Endless { limit },
            HttpError::Status { code, retry_after, body } => from_status(code, retry_after, &body),
        }
    }
}

fn from_status(code: u16, wait: Option<Duration>, body: &[u8]) -> Failure {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = body.get("error").unwrap_or(&body);
    let said = error.as_str().or_else(|| error.get("message")?.as_str());
    let said = foreign(said.unwrap_or_default());
    // llama.cpp tells both numbers.
    let number = |name: &str| error.get(name).and_then(Value::as_u64);
    match (code, number("n_prompt_tokens"), number("n_ctx")) {
        (400, Some(needs), Some(holds)) => Failure::TooLong { needs, holds },
        (401 | 403, ..) => Failure::Unauthorised { code, said },
        (404, ..) => Failure::NotFound { said },
        (429, ..) => Failure::Limited { wait },
        (503, ..) => Failure::Busy { said },
        (500..=599, ..) => Failure::ServerError { code, said },
        _ => Failure::Rejected { code, said },
    }
}

/// Foreign text that goes into messages: redacted, one line, bounded.
fn foreign(said: &str) -> String {
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    text::clip(redact::text(&line).as_str(), 200)
}

impl Failure {
    /// Whether the model answered, and the answer is what is wrong: asking again can help.
    pub fn is_of_the_answer(&self) -> bool {
        self.kind() == Kind::Refused
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Absent(_)
            | Self::Tls(_)
            | Self::Broken(_)
            | Self::Slow(_)
            | Self::Limited { .. }
            | Self::Busy { .. }
            | Self::ServerError { .. }
            | Self::Garbled(_) => Kind::Unreachable,
            Self::Unauthorised { .. } | Self::NotFound { .. } | Self::Rejected { .. } | Self::TooLong { .. } => {
                Kind::Usage
            }
            Self::Endless { .. }
            | Self::Spent
            | Self::Cut
            | Self::Silent
            | Self::HalfJson(_)
            | Self::NotJson(_)
            | Self::Prose(_)
            | Self::UnknownField(_)
            | Self::WrongShape(_) => Kind::Refused,
        }
    }

    /// One sentence, without a full stop; `host` is `host:port` of the server.
    pub fn message(&self, host: &str) -> String {
        match self {
            Self::Absent(_) => format!("the model at {host} can't be reached"),
            Self::Tls(_) => format!("the connection to the model at {host} is not trusted"),
            Self::Broken(_) => format!("the model at {host} closed the connection before it had answered"),
            Self::Slow(waited) => format!("the model at {host} gave no whole answer within {}", human(*waited)),
            Self::Unauthorised { code, .. } => format!("the model at {host} refused the key ({code})"),
            Self::NotFound { .. } => format!("there is no such model or path at {host} (404)"),
            Self::Limited { wait: Some(wait) } => {
                format!("the model at {host} is rate limited (429): it asks to wait {}", human(*wait))
            }
            Self::Limited { wait: None } => format!("the model at {host} is rate limited (429)"),
            Self::Busy { .. } => format!("the model at {host} is not ready yet (503)"),
            Self::ServerError { code, .. } => format!("the model at {host} failed ({code})"),
            Self::Rejected { code, .. } => format!("the model at {host} did not take the request ({code})"),
            Self::TooLong { needs, holds } => {
                format!("the prompt of {needs} tokens does not fit the {holds} tokens of the model at {host}")
            }
            Self::Endless { limit } => {
                format!("the answer of the model at {host} does not end: more than {limit} bytes")
            }
            Self::Spent => format!("the calls and the time for the model at {host} are used up"),
            Self::Cut => "the model's answer was cut off before its end".to_owned(),
            Self::Garbled(_) => format!("{host} did not answer as a model server does"),
            Self::Silent => "the model gave no answer".to_owned(),
            Self::HalfJson(_) => "the model's answer is half a JSON object".to_owned(),
            Self::NotJson(_) => "the model's answer is not one JSON object".to_owned(),
            Self::Prose(_) => "the model answered with prose instead of JSON".to_owned(),
            Self::UnknownField(name) => {
                format!("the model's answer has a field that was not asked for: `{}`", text::clip(&foreign(name), 40))
            }
            Self::WrongShape(_) => "the model's answer does not have the shape that was asked for".to_owned(),
        }
    }

    fn cause(&self) -> Option<String> {
        match self {
            Self::Absent(why) | Self::Tls(why) | Self::Broken(why) | Self::Garbled(why) => Some(why.clone()),
            Self::Unauthorised { said, .. }
            | Self::NotFound { said }
            | Self::Busy { said }
            | Self::ServerError { said, .. }
            | Self::Rejected { said, .. } => Some(said.clone()),
            Self::HalfJson(text) | Self::NotJson(text) | Self::Prose(text) | Self::WrongShape(text) => {
                Some(text::clip(&foreign(text), 120))
            }
            _ => None,
        }
        .filter(|cause| !cause.is_empty())
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Absent(_) => "check `--llm-url` and that the server runs; `--llm never` goes without a model",
            Self::Tls(_) => {
                "check the certificate, or name its authority with `ca-file` in the `[llm]` table of your settings"
            }
            Self::Broken(_) => "look at the server's log: it may have run out of memory",
            Self::Slow(_) => "a smaller model or a faster server is needed; `--llm never` goes without a model",
            Self::Unauthorised { .. } => "set AIFIX_LLM_API_KEY to a key of this server",
            Self::NotFound { .. } => {
                "check `--llm-model`, and that `--llm-url` ends where `/chat/completions` begins, often in `/v1`"
            }
            Self::Limited { .. } => "wait and try again, or raise the limit of your key",
            Self::Busy { .. } => "wait until the model is loaded and try again",
            Self::ServerError { .. } => "look at the server's log, or try again",
            Self::Rejected { .. } => {
                "check `--llm-model`: the server must know structured output (`response_format: json_schema`)"
            }
            Self::TooLong { .. } => "give the server a context of at least 4096 tokens",
            Self::Garbled(_) => "check that `--llm-url` names an OpenAI-compatible server",
            Self::Spent | Self::Endless { .. } | Self::Cut | Self::Silent | Self::HalfJson(_) | Self::NotJson(_) => {
                "nothing was changed; try again, use a more capable model, or `--llm never`"
            }
            Self::Prose(_) | Self::UnknownField(_) | Self::WrongShape(_) => {
                "nothing was changed; use a model or a server that holds a JSON Schema"
            }
        }
    }

    /// The error of this failure; `host` is `host:port` of the server.
    pub fn into_error(self, host: &str) -> Error {
        let error = Error::new(self.kind(), self.message(host)).hint(self.hint());
        match self.cause() {
            Some(cause) => error.because(cause),
            None => error,
        }
    }
}

fn human(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{} ms", duration.as_millis());
    }
    text::duration(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_words_are_kept_redacted_and_short() {
        let body = br#"{"error":{"message":"Incorrect API key provided: sk-abcdefghijklmnopqrstuvwx","code":"x"}}"#;
        let error = from_status(401, None, body).into_error("h:1");
        assert_eq!(error.message, "the model at h:1 refused the key (401)");
        assert_eq!(error.causes, ["Incorrect API key provided: <secret>"]);
        assert_eq!(error.kind, Kind::Usage);
    }

    #[test]
    fn a_context_that_is_too_small_tells_both_numbers() {
        let body = br#"{"error":{"code":400,"message":"too long","n_prompt_tokens":36028,"n_ctx":2048}}"#;
        assert_eq!(from_status(400, None, body), Failure::TooLong { needs: 36028, holds: 2048 });
    }

    #[test]
    fn a_body_of_any_other_shape_is_no_trouble() {
        assert_eq!(from_status(500, None, b"<html>"), Failure::ServerError { code: 500, said: String::new() });
        assert_eq!(
            from_status(502, None, br#"{"error":"down"}"#),
            Failure::ServerError { code: 502, said: "down".into() }
        );
        assert_eq!(from_status(302, None, b""), Failure::Rejected { code: 302, said: String::new() });
    }
}

//! Why a model gave no usable answer, in plain words.

use super::status;
use crate::doors::http::HttpError;
use crate::error::{Error, Kind};
use crate::{redact, text};
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
    /// The proxy lets nobody through without a name and a password.
    Proxy,
    /// A redirect, to this `host:port`.
    Moved { code: u16, to: String },
    /// 401 or 403: the key.
    Unauthorised { code: u16, said: String },
    /// The same, when none was sent.
    KeyWanted { said: String },
    /// Nothing is left of what was paid for.
    NoQuota { code: u16, said: String },
    /// 404: the URL.
    NotFound { said: String },
    /// The model's name.
    NoModel { code: u16, said: String },
    /// A filter of the server stopped the prompt or the answer, or the model declined.
    Filtered { said: String },
    /// 429; what it asked to wait, and how long it was worth waiting for.
    Limited { wait: Option<Duration> },
    /// 503 while a model is loaded, or 529 while too many ask.
    Busy { code: u16, said: String },
    /// Any other 5xx.
    ServerError { code: u16, said: String },
    /// Any other status: the request was not understood.
    Rejected { code: u16, said: String },
    /// The prompt has more tokens than the server's context; how many, when it tells.
    TooLong { needs: Option<u64>, holds: Option<u64> },
    /// More bytes than any answer needs.
    Endless { limit: usize },
    /// Calls or time are used up.
    Spent,
    /// The tokens of this run are.
    Dear { budget: u64 },
    /// The answer reached its limit of tokens.
    Cut,
    /// The server's answer itself, not the model's, is no JSON.
    Garbled(String),
    /// No text at all.
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
            HttpError::Proxy => Self::Proxy,
            HttpError::Status { code, elsewhere: Some(to), .. } if (300..400).contains(&code) => {
                Self::Moved { code, to: foreign(&to) }
            }
            HttpError::Status { code, retry_after, body, .. } => status::read(code, retry_after, &body),
        }
    }
}

/// Foreign text that goes into messages: redacted, one line, bounded.
pub(super) fn foreign(said: &str) -> String {
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    text::clip(redact::text(&line).as_str(), 200)
}

impl Failure {
    /// Whether the model answered, and the answer is what is wrong: asking again can help.
    pub fn is_of_the_answer(&self) -> bool {
        self.kind() == Kind::Refused && !matches!(self, Self::Spent | Self::Dear { .. } | Self::Filtered { .. })
    }

    /// Whether the answer shows that the server did not hold the model to the shape.
    pub(super) fn is_of_the_shape(&self) -> bool {
        matches!(self, Self::NotJson(_) | Self::Prose(_) | Self::UnknownField(_) | Self::WrongShape(_))
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
            Self::Unauthorised { .. }
            | Self::KeyWanted { .. }
            | Self::NoQuota { .. }
            | Self::Proxy
            | Self::Moved { .. }
            | Self::NotFound { .. }
            | Self::NoModel { .. }
            | Self::Rejected { .. }
            | Self::TooLong { .. } => Kind::Usage,
            Self::Endless { .. }
            | Self::Filtered { .. }
            | Self::Spent
            | Self::Dear { .. }
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
            Self::Proxy => format!("the proxy before {host} asks for a name and a password (407)"),
            Self::Moved { code, to } => {
                format!("{host} points to {to} ({code}): nothing is sent to a place that nobody agreed to")
            }
            Self::Unauthorised { code, .. } => format!("the model at {host} refused the key ({code})"),
            Self::KeyWanted { .. } => format!("the model at {host} wants a key, and none was sent"),
            Self::NoQuota { code, .. } => format!("the account of the key at {host} has nothing left ({code})"),
            Self::NotFound { .. } => format!("there is no such path at {host} (404)"),
            Self::NoModel { code, .. } => format!("there is no such model at {host} ({code})"),
            Self::Filtered { .. } => format!("the model at {host} declined, or a filter of its server stopped it"),
            Self::Limited { wait: Some(wait) } => {
                format!("the model at {host} is rate limited (429): it asks to wait {}", human(*wait))
            }
            Self::Limited { wait: None } => format!("the model at {host} is rate limited (429)"),
            Self::Busy { code: 529, .. } => format!("the model at {host} is overloaded (529)"),
            Self::Busy { code, .. } => format!("the model at {host} is not ready yet ({code})"),
            Self::ServerError { code, .. } => format!("the model at {host} failed ({code})"),
            Self::Rejected { code, .. } => format!("the model at {host} did not take the request ({code})"),
            Self::TooLong { needs: Some(needs), holds: Some(holds) } => {
                format!("the prompt of {needs} tokens does not fit the {holds} tokens of the model at {host}")
            }
            Self::TooLong { .. } => format!("the prompt does not fit the context of the model at {host}"),
            Self::Endless { limit } => {
                format!("the answer of the model at {host} does not end: more than {limit} bytes")
            }
            Self::Spent => format!("the calls and the time for the model at {host} are used up"),
            Self::Dear { budget } => {
                format!("another call to the model at {host} would pass the budget of {budget} tokens")
            }
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
            | Self::KeyWanted { said }
            | Self::NoQuota { said, .. }
            | Self::NotFound { said }
            | Self::NoModel { said, .. }
            | Self::Busy { said, .. }
            | Self::ServerError { said, .. }
            | Self::Rejected { said, .. } => Some(said.clone()),
            Self::HalfJson(text)
            | Self::NotJson(text)
            | Self::Prose(text)
            | Self::WrongShape(text)
            | Self::Filtered { said: text } => Some(text::clip(&foreign(text), 120)),
            _ => None,
        }
        .filter(|cause| !cause.is_empty())
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::Absent(_) => "check `--llm-url` and that the server runs; `--llm never` goes without a model",
            Self::Tls(_) => {
                "check the certificate, or name its authority with `ca-file` in the table [llm] of your settings"
            }
            Self::Broken(_) => "look at the server's log: it may have run out of memory",
            Self::Slow(_) => "a smaller model or a faster server is needed; `--llm never` goes without a model",
            Self::Proxy => {
                "write them into the variable: HTTPS_PROXY=http://name:password@host:port, or name the host in NO_PROXY"
            }
            Self::Moved { .. } => "name the place itself with `--llm-url` if it is the right one",
            Self::Unauthorised { .. } => {
                "the key may be wrong, expired, or of another server: set AIFIX_LLM_API_KEY to a key of this one"
            }
            Self::KeyWanted { .. } => {
                "set AIFIX_LLM_API_KEY, or name a `key-file` or a `key-command` in the table [llm] of your settings"
            }
            Self::NoQuota { .. } => "look at the account's plan and billing; `--llm never` goes without a model",
            Self::NotFound { .. } => {
                "`--llm-url` must end where `/chat/completions` or `/messages` begins, often in `/v1`; see `--llm-api`"
            }
            Self::NoModel { .. } => "check `--llm-model`: the name must be one that this server and this key know",
            Self::Filtered { .. } => "nothing was changed; use another model, or go without one: `--llm never`",
            Self::Limited { .. } => "wait and try again, or raise the limit of your key",
            Self::Busy { .. } => "wait until the model is loaded, or fewer ask it, and try again",
            Self::ServerError { .. } => "look at the server's log, or try again",
            Self::Rejected { .. } => "check `--llm-model`, and whether `--llm-api` is the protocol of this server",
            Self::TooLong { .. } => "give the server a context of at least 4096 tokens",
            Self::Garbled(_) => "check that `--llm-url` names a model server, and `--llm-api` its protocol",
            Self::Dear { .. } => "raise `--llm-budget-tokens`, or go without a model: `--llm never`",
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
    fn a_redirect_tells_where_it_points_and_a_proxy_what_it_wants() {
        let moved = HttpError::Status {
            code: 307,
            retry_after: None,
            elsewhere: Some("evil.example:443".to_owned()),
            body: Vec::new(),
        };
        let error = Failure::from(moved).into_error("h:1");
        assert!(error.message.starts_with("h:1 points to evil.example:443 (307)"), "{error:?}");
        let error = Failure::from(HttpError::Proxy).into_error("h:1");
        assert!(error.message.contains("(407)") && error.hints[0].contains("HTTPS_PROXY"), "{error:?}");
    }

    #[test]
    fn what_a_filter_or_a_budget_stopped_is_not_asked_again() {
        for failure in [Failure::Spent, Failure::Dear { budget: 1 }, Failure::Filtered { said: String::new() }] {
            assert!(!failure.is_of_the_answer(), "{failure:?}");
        }
        assert!(Failure::Cut.is_of_the_answer() && Failure::Silent.is_of_the_answer());
    }
}

//! Why a forge did not do it, in plain words.

use super::Kind;
use super::client::Client;
use crate::doors::http::HttpError;
use crate::error::{self, Error};
use crate::{redact, text};
use serde_json::Value;
use std::time::Duration;

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection, no whole answer, or no trust: the door's own words.
    Lost(HttpError),
    /// A redirect: the repository was renamed, or the address is that of a sign-in page.
    Moved(u16),
    /// No token, or one that is not known.
    Unauthorised { said: String },
    /// A token that is known and may not.
    Forbidden { said: String },
    /// Not there, or not to be seen with this token.
    Absent { said: String },
    /// There is one already.
    Conflict { said: String },
    /// The request was understood and is not taken.
    Rejected { code: u16, said: String },
    /// Too many requests.
    Limited { wait: Option<Duration>, said: String },
    /// The forge itself failed.
    Broken { code: u16, said: String },
    /// An answer that is no JSON, or lacks what was asked for.
    Garbled,
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Status { code, retry_after, body, .. } => from_status(code, retry_after, &body),
            lost => Self::Lost(lost),
        }
    }
}

fn from_status(code: u16, wait: Option<Duration>, body: &[u8]) -> Failure {
    let said = said(body);
    // GitHub answers 403 for its rate limits, too, and tells how long to wait only for one kind of them.
    let is_limit = wait.is_some() || said.to_lowercase().contains("rate limit");
    match code {
        300..=399 => Failure::Moved(code),
        401 => Failure::Unauthorised { said },
        403 if is_limit => Failure::Limited { wait, said },
        403 => Failure::Forbidden { said },
        404 | 410 => Failure::Absent { said },
        429 => Failure::Limited { wait, said },
        409 => Failure::Conflict { said },
        422 if said.contains("already exists") => Failure::Conflict { said },
        500..=599 => Failure::Broken { code, said },
        _ => Failure::Rejected { code, said },
    }
}

/// The forge's own words: `message`, which is a text, a list or a map of lists, and `errors`.
fn said(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut words = Vec::new();
    for key in ["message", "error", "errors", "error_description"] {
        gather(body.get(key).unwrap_or(&Value::Null), &mut words);
    }
    let line = words.join("; ").split_whitespace().collect::<Vec<_>>().join(" ");
    text::clip(redact::text(&line).as_str(), 300)
}

fn gather(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::String(text) => words.push(text.clone()),
        Value::Array(items) => items.iter().take(5).for_each(|item| gather(item, words)),
        // GitHub's `{"resource": ..., "code": "custom", "message": ...}`, `{"field": "head", "code": "invalid"}`.
        Value::Object(map) if map.contains_key("code") => {
            let part = |key: &str| map.get(key).and_then(Value::as_str);
            let field = [part("field"), part("code")].into_iter().flatten().collect::<Vec<_>>().join(" ");
            words.push(part("message").map_or(field, str::to_owned));
        }
        Value::Object(map) => map.values().take(5).for_each(|item| gather(item, words)),
        _ => {}
    }
}

impl Failure {
    /// Whether what was to be made may be there already.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// Whether the forge does not know what was named, or does not show it.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }

    /// Whether a forge that takes no drafts refused one.
    pub(super) fn is_of_drafts(&self) -> bool {
        matches!(self, Self::Rejected { code: 422, said } if said.to_lowercase().contains("draft"))
    }

    fn kind(&self) -> error::Kind {
        match self {
            Self::Lost(_) | Self::Limited { .. } | Self::Broken { .. } | Self::Garbled => error::Kind::Unreachable,
            Self::Moved(_) | Self::Unauthorised { .. } | Self::Forbidden { .. } | Self::Absent { .. } => {
                error::Kind::Usage
            }
            Self::Conflict { .. } | Self::Rejected { .. } => error::Kind::Refused,
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Lost(HttpError::Unreachable(_)) => "it can't be reached".to_owned(),
            Self::Lost(HttpError::Tls(_)) => "its certificate is not trusted".to_owned(),
            Self::Lost(HttpError::Broken(_)) => "it closed the connection before it had answered".to_owned(),
            Self::Lost(other) => other.to_string(),
            Self::Moved(code) => format!("it answered with a redirect ({code}), which is not followed"),
            Self::Unauthorised { .. } => "it does not know the token (401)".to_owned(),
            Self::Forbidden { .. } => "the token may not do that (403)".to_owned(),
            Self::Absent { .. } => {
                "the repository or branch is not there, or the token may not see it (404)".to_owned()
            }
            Self::Conflict { .. } => "there is one already".to_owned(),
            Self::Rejected { code, .. } => format!("it refused ({code})"),
            Self::Limited { wait: Some(wait), .. } => {
                let seconds = i64::try_from(wait.as_secs()).unwrap_or(i64::MAX);
                format!("too many requests: it asks to wait {}", text::duration(seconds))
            }
            Self::Limited { wait: None, .. } => "too many requests".to_owned(),
            Self::Broken { code, .. } => format!("it failed ({code})"),
            Self::Garbled => "its answer is not that of a forge".to_owned(),
        }
    }

    fn said(&self) -> Option<String> {
        match self {
            Self::Lost(HttpError::Unreachable(why) | HttpError::Tls(why) | HttpError::Broken(why)) => {
                Some(text::clip(redact::text(why).as_str(), 300))
            }
            Self::Unauthorised { said }
            | Self::Forbidden { said }
            | Self::Absent { said }
            | Self::Conflict { said }
            | Self::Rejected { said, .. }
            | Self::Limited { said, .. }
            | Self::Broken { said, .. } => Some(said.clone()),
            _ => None,
        }
        .filter(|said| !said.is_empty())
    }

    fn hint(&self, client: &Client) -> String {
        let right = match client.kind {
            Kind::GitHub => "`repo`, or for a fine-grained one write access to pull requests",
            Kind::GitLab => "`api`",
            Kind::Gitea => "`write:repository`, and `write:issue` for labels",
        };
        match self {
            Self::Lost(HttpError::Tls(_)) => format!(
                "name its authority: `ca-file` in the table [forge.\"{}\"] of your settings, or `git config http.sslCAInfo`",
                client.host().split(':').next().unwrap_or_default()
            ),
            Self::Lost(_) => "check the network and the proxy, then run this again".to_owned(),
            Self::Moved(_) => {
                "the repository may have been renamed: `git remote set-url NAME URL` with its new address".to_owned()
            }
            Self::Unauthorised { .. } if !client.can_sign_in() => format!("set {}", client.source()),
            Self::Unauthorised { .. } => {
                format!("it came from {}: it may have run out, or be another host's", client.source())
            }
            Self::Forbidden { said } if said.contains("GitHub Actions is not permitted") => {
                "allow it in the settings of the repository: Actions, General, `Allow GitHub Actions to create and \
                 approve pull requests`"
                    .to_owned()
            }
            Self::Forbidden { .. } | Self::Absent { .. } => {
                format!("the token of {} needs the right {right}; check the remote, too", client.source())
            }
            Self::Limited { .. } => "wait, then run this again: nothing is done twice".to_owned(),
            Self::Broken { .. } => "run this again in a while: nothing is done twice".to_owned(),
            Self::Garbled => "check that the remote's host is a forge, or name its kind: --forge KIND".to_owned(),
            Self::Conflict { .. } | Self::Rejected { .. } => "open it by hand, at the address below".to_owned(),
        }
    }

    /// The error of what was tried.
    pub(super) fn into_error(self, doing: &str, client: &Client) -> Error {
        let (kind, host) = (client.kind.name(), client.host());
        let error = Error::new(self.kind(), format!("can't {doing} at {host} ({kind}): {}", self.why()));
        let error = match self.said() {
            Some(said) => error.because(text::Sanitised::line(&said)),
            None => error,
        };
        error.hint(self.hint(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_every_forge_are_read() {
        for (body, want) in [
            (
                r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"A pull request already exists for o:b."}],"documentation_url":"x"}"#,
                "Validation Failed; A pull request already exists for o:b.",
            ),
            (
                r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","field":"head","code":"invalid"}]}"#,
                "Validation Failed; head invalid",
            ),
            (
                r#"{"message":["Another open merge request already exists for this source branch: !1"]}"#,
                "Another open merge request already exists for this source branch: !1",
            ),
            (r#"{"message":{"base":["too long","bad"]}}"#, "too long; bad"),
            (r#"{"error":"insufficient_scope","error_description":"more"}"#, "insufficient_scope; more"),
            ("<html>x</html>", ""),
            ("[1]", ""),
        ] {
            assert_eq!(said(body.as_bytes()), want);
        }
        assert_eq!(
            redact::unnumbered(&said(br#"{"message":"bad token ghp_abcdefghijklmnopqrstuvwxyz0123"}"#)),
            "bad token <secret>"
        );
    }

    #[test]
    fn a_rate_limit_is_no_missing_right() {
        let body = br#"{"message":"API rate limit exceeded for user ID 1."}"#;
        assert!(matches!(from_status(403, None, body), Failure::Limited { wait: None, .. }));
        let body = br#"{"message":"You have exceeded a secondary limit"}"#;
        let wait = Some(Duration::from_secs(60));
        assert!(matches!(from_status(403, wait, body), Failure::Limited { wait: Some(_), .. }));
        let body = br#"{"message":"Resource not accessible by integration"}"#;
        assert!(matches!(from_status(403, None, body), Failure::Forbidden { .. }));
    }
}

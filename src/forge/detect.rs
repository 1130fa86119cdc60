//! What a host is, by its own answer; no token is sent.

use super::Kind;
use crate::doors::http::{self, Http, HttpError, Method, Url};
use crate::error::Error;
use serde_json::Value;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(10);
const LIMIT: usize = 64 << 10;

/// What each kind answers below its own path, signed in or not.
const QUESTIONS: [(Kind, &str); 3] =
    [(Kind::Gitea, "api/v1/version"), (Kind::GitLab, "api/v4/version"), (Kind::GitHub, "api/v3/meta")];

/// Asks a host what it is.
///
/// # Errors
/// Unreachable when it does not answer, a usage error when it is none of the forges.
pub async fn detect(http: &Http, base: &Url) -> Result<Kind, Error> {
    let host = http::host(base);
    for (kind, path) in QUESTIONS {
        let mut url = base.clone();
        url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
        let headers = [("accept", "application/json".to_owned())];
        let body = match http.send(Method::GET, &url, &headers, None, LIMIT, DEADLINE).await {
            Ok(answer) => Some(answer.body),
            Err(HttpError::Status { code: 401 | 403, body, .. }) => Some(body),
            Err(HttpError::Status { .. } | HttpError::TooLarge(_)) => None,
            Err(error) => {
                return Err(Error::unreachable(format!("can't ask {host} which forge it is"))
                    .because(error)
                    .hint("check the network and the proxy, or name it: --forge github, gitlab or gitea"));
            }
        };
        let answer: Value = body.and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default();
        if is_answer_of(kind, &answer) {
            return Ok(kind);
        }
    }
    Err(Error::usage(format!("{host} is no forge that is known"))
        .because("it answers neither as Gitea, nor as GitLab, nor as GitHub does")
        .hint("name it: --forge github, gitlab or gitea; or push without --pr"))
}

/// Whether it is the answer of this kind, to somebody who signed in or to a stranger.
fn is_answer_of(kind: Kind, answer: &Value) -> bool {
    let has = |name: &str| answer.get(name).is_some_and(Value::is_string);
    match kind {
        Kind::Gitea | Kind::GitLab => has("version") || has("message"),
        Kind::GitHub => {
            let documentation = answer.get("documentation_url").and_then(Value::as_str).unwrap_or_default();
            answer.get("verifiable_password_authentication").is_some() || documentation.contains("docs.github.com")
        }
    }
}

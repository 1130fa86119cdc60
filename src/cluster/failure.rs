//! Why a request brought nothing, in plain words.

use super::protobuf;
use crate::error::Error;
use crate::{redact, text};
use serde::Deserialize;
use std::time::Duration;

/// Where on the way a request got lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    Refused,
    Name,
    Tls,
    Other,
}

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error("timed out after {}", seconds(*.0))]
    Timeout(Duration),
    #[error("{1}")]
    Transport(Lost, String),
    #[error("{}", answer(*.code, .message))]
    Answer { code: u16, message: String },
    #[error("the answer could not be read: {0}")]
    Garbled(String),
    #[error("the answer could not be read: {0}")]
    Unread(#[from] protobuf::Unread),
    #[error("the server had stopped answering")]
    Gone,
}

fn seconds(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{} s", duration.as_secs())
    } else {
        format!("{} ms", duration.as_millis())
    }
}

fn answer(code: u16, message: &str) -> String {
    let what = match code {
        401 => "unauthorized".to_owned(),
        403 => "forbidden".to_owned(),
        404 => "not found".to_owned(),
        410 => "expired".to_owned(),
        429 => "too many requests".to_owned(),
        code => format!("the server answered {code}"),
    };
    if message.is_empty() { what } else { format!("{what}: {message}") }
}

impl Failure {
    /// The HTTP status, when there was an answer.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Answer { code, .. } => Some(*code),
            _ => None,
        }
    }
}

/// Foreign text that goes into messages: redacted, one line, bounded.
pub(super) fn foreign(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    text::clip(redact::text(&line).as_str(), 400)
}

/// A failure from an answer's status and body, which is a `Status` when it comes from Kubernetes.
pub(super) fn from_body(code: u16, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Status {
        message: Option<String>,
    }
    let written = if protobuf::is(body) { protobuf::object(body).ok() } else { None };
    let body = written.as_deref().map_or(body, str::as_bytes);
    let message = serde_json::from_slice::<Status>(body).ok().and_then(|status| status.message);
    Failure::Answer { code, message: foreign(&message.unwrap_or_default()) }
}

/// A failure from an error of the client.
pub(super) fn from_kube(error: &kube::Error) -> Failure {
    let mut lost = Lost::Other;
    let mut texts: Vec<String> = Vec::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        if io == Some(std::io::ErrorKind::ConnectionRefused) {
            lost = Lost::Refused;
        }
        if text.contains("dns error") || text.contains("failed to lookup address") {
            lost = Lost::Name;
        }
        if text.contains("certificate") || text.contains("handshake") || text.contains("InvalidContentType") {
            lost = Lost::Tls;
        }
        // An outer text often repeats the inner one at its end.
        if let Some(outer) = texts.last_mut() {
            *outer = outer.strip_suffix(&text).unwrap_or(outer).trim_end_matches([':', ' ']).to_owned();
        }
        texts.push(text);
        next = error.source();
    }
    texts.retain(|text| !text.is_empty() && !matches!(text.as_str(), "ServiceError" | "client error (Connect)"));
    Failure::Transport(lost, foreign(&texts.join(": ")))
}

/// The error of a cluster that answered nothing.
pub(super) fn unreachable(failure: &Failure, context: &str, server: &str) -> Error {
    let cluster = format!("the cluster of context {context} ({server})");
    let error = match failure {
        Failure::Answer { code: 401, .. } => {
            return Error::unreachable(format!("your credentials for context {context} were refused: log in again"))
                .because(failure)
                .hint(format!("check them with `kubectl --context {context} auth whoami`"));
        }
        Failure::Answer { code: 400 | 404, .. } => {
            Error::unreachable(format!("{server} answers, but not as a Kubernetes API server does"))
                .hint("check `server` of this cluster in the kubeconfig, also its `https://`")
        }
        Failure::Answer { .. } => Error::unreachable(format!("{cluster} could not answer"))
            .hint("try again in a moment; `kubectl get --raw /readyz` tells how the API server is"),
        Failure::Garbled(_) | Failure::Unread(_) => {
            Error::unreachable(format!("{cluster} gave an answer that is none of Kubernetes"))
                .hint("a proxy or a login page may stand between: check `server` and HTTPS_PROXY")
        }
        Failure::Transport(Lost::Refused, _) => Error::unreachable(format!("{cluster} refused the connection"))
            .hint("check that the cluster runs and that the context is the right one: `kubectl config get-contexts`"),
        Failure::Transport(Lost::Name, _) => Error::unreachable(format!("the name of {cluster} was not found"))
            .hint("check the network or the VPN, and `server` of this cluster in the kubeconfig"),
        Failure::Transport(Lost::Tls, _) => Error::unreachable(format!("no safe connection to {cluster}"))
            .hint("check `certificate-authority` of this cluster, and whether a proxy replaces certificates"),
        Failure::Transport(Lost::Other, _) => Error::unreachable(format!("{cluster} closed the connection"))
            .hint("check the network, the proxy and that the cluster runs"),
        Failure::Timeout(_) | Failure::Gone => Error::unreachable(format!("{cluster} did not answer"))
            .hint("check the network or the VPN; `--request-timeout` waits longer"),
    };
    error.because(failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_its_status_and_the_servers_message_in_one_line() {
        let body = br#"{"kind":"Status","message":"pods is forbidden:\n token: abcdefgh12345678"}"#;
        assert_eq!(
            redact::unnumbered(&from_body(403, body).to_string()),
            "forbidden: pods is forbidden: token: <secret>"
        );
        assert_eq!(from_body(502, b"<html>").to_string(), "the server answered 502");
        let packed = b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x13\x1a\x11pods is forbidden";
        assert_eq!(from_body(403, packed).to_string(), "forbidden: pods is forbidden");
    }

    #[test]
    fn refused_credentials_say_to_log_in_again() {
        let error = unreachable(&Failure::Answer { code: 401, message: String::new() }, "prod", "host");
        assert_eq!(error.message, "your credentials for context prod were refused: log in again");
        assert_eq!(error.kind, crate::error::Kind::Unreachable);
    }
}

//! What is removed before anything leaves or is stored.

use crate::model::path::{Path, Step};
use regex::{Captures, Regex};
use serde_json::Value;
use std::fmt;
use std::sync::LazyLock;

/// Text with every recognised secret replaced. The only text that is stored or sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted(String);

impl Redacted {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for Redacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What stands where a secret stood.
pub const MASK: &str = "<secret>";

/// A shape of secret: its regex has a group `s` that holds what is removed (the whole match without one).
static SHAPES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // PEM blocks, also on one line with escaped line breaks.
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)",
        // JSON Web Tokens (RFC 7519): two base64url JSON objects and a signature.
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?",
        // Credentials in URLs: scheme://user:password@host, scheme://token@host.
        r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://(?P<s>[^\s/@'\x22<>]+)@",
        // Authorization headers.
        r"(?i)\b(?:bearer|basic|token)\s+(?P<s>[A-Za-z0-9+/_.~=-]{16,})",
        // Tokens with a well-known prefix: AWS, GitHub, GitLab, Slack, Stripe, Google, OpenAI, Anthropic, npm, PyPI, age.
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{20,}\b|\bgithub_pat_[A-Za-z0-9_]{20,}\b|\bglpat-[A-Za-z0-9_-]{16,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|\bAIza[A-Za-z0-9_-]{30,}",
        r"\bsk-[A-Za-z0-9_-]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}|\bAGE-SECRET-KEY-1[A-Z0-9]{20,}",
        // name=value and name: value where the name says secret.
        r#"(?i)\b[a-z0-9_.-]*(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token|refresh[_-]?token|client[_-]?secret|private[_-]?key|credentials?|pwd)["']?\s*[=:]\s*["']?(?P<s>[^\s"',;&}<>]{4,})"#,
        // Kubeconfig data.
        r"(?i)\b(?:client-key-data|client-certificate-data|id-token|refresh-token|token)\s*:\s*(?P<s>[A-Za-z0-9+/_.=-]{8,})",
    ]
    .iter()
    .filter_map(|shape| Regex::new(shape).ok())
    .collect()
});

/// Names of environment variables and fields whose value is a secret.
static SECRET_NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key|credential|connection_?string|dsn|(?:^|_)pwd(?:$|_)|(?:^|_)pass(?:$|_)|_key$)").ok()
});

/// Removes every recognised secret from `text`.
pub fn text(text: &str) -> Redacted {
    let mut out = text.to_owned();
    for shape in SHAPES.iter() {
        if !shape.is_match(&out) {
            continue;
        }
        out = shape
            .replace_all(&out, |found: &Captures<'_>| {
                let whole = &found[0];
                let Some(secret) = found.name("s") else { return MASK.to_owned() };
                let value = secret.as_str();
                // A reference is not the secret: `password: not found` and `secret "db"` stay readable.
                if value.starts_with('<') || value.starts_with('$') || is_plain_word(value) || is_prose(whole, value) {
                    return whole.to_owned();
                }
                let start = secret.start() - found.get(0).map_or(0, |m| m.start());
                format!("{}{MASK}{}", &whole[..start], &whole[start + value.len()..])
            })
            .into_owned();
    }
    Redacted(out)
}

/// `fetch token: unexpected status`: after a colon and a blank, a lower-case word is no token.
fn is_prose(whole: &str, value: &str) -> bool {
    whole.to_lowercase().starts_with("token:") && value.len() < 20 && value.bytes().all(|b| b.is_ascii_lowercase())
}

/// Words that follow `password:` in messages and are no password.
fn is_plain_word(value: &str) -> bool {
    const WORDS: [&str; 22] = [
        "not",
        "found",
        "missing",
        "unset",
        "null",
        "none",
        "true",
        "false",
        "must",
        "required",
        "invalid",
        "empty",
        "is",
        "key",
        "name",
        "data",
        "couldn't",
        "cannot",
        "failed",
        "does",
        "authentication",
        "permission",
    ];
    WORDS.contains(&value.to_lowercase().trim_end_matches(['.', ',', ':', ')']))
}

/// Whether a variable or field of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    SECRET_NAME.as_ref().is_some_and(|shape| shape.is_match(name))
}

/// Removes secrets from every string of a JSON value: values of variables and fields whose name
/// says secret, the values of Secret objects, and recognised shapes anywhere.
pub fn value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(self::text(text).into_string()),
        Value::Array(items) => Value::Array(items.iter().map(self::value).collect()),
        Value::Object(map) => {
            let is_secret = map.get("kind").and_then(Value::as_str) == Some("Secret");
            let env_name = map.get("name").and_then(Value::as_str).is_some_and(is_secret_name);
            let entries = map.iter().map(|(key, item)| {
                let masked = match item {
                    Value::Object(data) if is_secret && matches!(key.as_str(), "data" | "stringData") => {
                        Value::Object(data.keys().map(|key| (key.clone(), Value::String(MASK.to_owned()))).collect())
                    }
                    Value::String(_) if env_name && key == "value" => Value::String(MASK.to_owned()),
                    Value::String(text) if is_secret_name(key) && looks_random(text) => Value::String(MASK.to_owned()),
                    item => self::value(item),
                };
                (key.clone(), masked)
            });
            Value::Object(entries.collect())
        }
        other => other.clone(),
    }
}

/// The value of one field as it may be shown: the value of a variable or field whose name says secret
/// is masked, recognised shapes are removed from any other.
pub fn field(path: &Path, value: &Value) -> Value {
    let named_secret = path.0.iter().any(|step| match step {
        Step::Item { value, .. } => is_secret_name(value),
        Step::Field(_) | Step::Index(_) => false,
    });
    let last_is_value = matches!(path.0.last(), Some(Step::Field(name)) if name == "value");
    match value {
        Value::String(_) if named_secret && last_is_value => Value::String(MASK.to_owned()),
        value => self::value(value),
    }
}

/// Whether text mixes letters and digits in one long word, as names do not.
fn looks_random(text: &str) -> bool {
    text.len() >= 12
        && !text.contains(char::is_whitespace)
        && text.chars().any(|c| c.is_ascii_digit())
        && text.chars().any(|c| c.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_removed_and_their_surroundings_stay() {
        for (text, want) in [
            ("postgres://app:hunter2@db:5432/x refused", "postgres://<secret>@db:5432/x refused"),
            ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer <secret>"),
            ("DB_PASSWORD=s3cr3t! retry", "DB_PASSWORD=<secret> retry"),
            ("key AKIAABCDEFGHIJKLMNOP used", "key <secret> used"),
            ("x -----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY----- y", "x <secret> y"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-def", "<secret>"),
            ("https://ghp_abcdefghijklmnopqrstuvwxyz0123@host/o/r.git", "https://<secret>@host/o/r.git"),
        ] {
            assert_eq!(super::text(text).as_str(), want);
        }
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "couldn't find key password in Secret prod/db",
            "secret \"db\" not found",
            "failed to fetch anonymous token: unexpected status: 401 Unauthorized",
            "image@sha256:98334c585f6cc11758ed97966d151a30dd1e7569fef03093a8eac23ea0acff1f",
            "main@sha1:0123456789abcdef0123456789abcdef01234567",
            "pod web-6b46dcddd9-lt8jr_prod(0cc9698d-e860-40ef-a8e4-f6364e91f322)",
            "http://10.0.0.1:8080/healthz",
        ] {
            assert_eq!(super::text(text).as_str(), text);
        }
    }

    #[test]
    fn a_changed_variable_whose_name_says_secret_is_masked() {
        let path = Path::of("spec.containers[app].env[DB_PASSWORD].value");
        assert_eq!(field(&path, &json!("x")), json!(MASK));
        assert_eq!(field(&Path::of("spec.containers[app].env[MODE].value"), &json!("x")), json!("x"));
    }

    #[test]
    fn values_of_secret_variables_and_objects_are_removed() {
        let object =
            json!({"kind": "Pod", "env": [{"name": "API_TOKEN", "value": "abc"}, {"name": "MODE", "value": "fast"}]});
        assert_eq!(
            value(&object)["env"],
            json!([{"name": "API_TOKEN", "value": MASK}, {"name": "MODE", "value": "fast"}])
        );
        let secret = json!({"kind": "Secret", "data": {"p": "aHVudGVyMg=="}});
        assert_eq!(value(&secret)["data"], json!({"p": MASK}));
    }
}

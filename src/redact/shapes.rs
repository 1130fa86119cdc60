//! Shapes of secrets in text.

use super::MASK;
use super::names::{is_reference, is_secret_argument, is_secret_variable};
use regex::{Captures, Regex};
use std::sync::LazyLock;

/// What decides whether a match is a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Known by its look: always one.
    Certain,
    /// After a name: a reference or a plain word is none.
    Named,
    /// The user part of a URL.
    Url,
    /// The word after a flag.
    Flag,
    /// `name: X, value: Y`, when the group `n` says secret.
    Pair,
}

/// A regex has a group `s` that holds what is removed (the whole match without one).
const SHAPES: &[(Kind, &str)] = &[
    // PEM blocks, also on one line with escaped line breaks.
    (Kind::Certain, r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\z)"),
    // JSON Web Tokens (RFC 7519): two base64url JSON objects and a signature.
    (Kind::Certain, r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    // Credentials in URLs: scheme://user:password@host, scheme://token@host. A password may hold `@`.
    (Kind::Url, r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://(?P<s>[^\s/'\x22<>]+)@"),
    // Headers, to the end of their quotes or line: no credential has an end that can be told otherwise.
    (
        Kind::Named,
        r#"(?i)["'](?:proxy-)?authorization\\*["']\s*:\s*\\*["'](?:(?:basic|bearer|digest|token|negotiate)\s+)?(?P<s>[^"'\\\n]+)"#,
    ),
    (
        Kind::Named,
        r"(?i)\b(?:proxy-)?authorization\s*[:=]\s*(?:(?:basic|bearer|digest|token|negotiate)\s+)?(?P<s>[^\s][^\r\n]*)",
    ),
    (Kind::Named, r"(?i)\b(?:set-)?cookie\s*:\s*(?P<s>[^\s][^\r\n]*)"),
    (Kind::Named, r"(?i)\b(?:bearer|basic|token)\s+(?P<s>[A-Za-z0-9+/_.~=-]{16,})"),
    // Tokens with a well-known prefix: AWS, GitHub, GitLab, Slack, Stripe, Google, OpenAI, Anthropic, npm, PyPI, age.
    (Kind::Certain, r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    (Kind::Certain, r"\bgh[pousr]_[A-Za-z0-9]{20,}\b|\bgithub_pat_[A-Za-z0-9_]{20,}\b|\bglpat-[A-Za-z0-9_-]{16,}"),
    (
        Kind::Certain,
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|\bAIza[A-Za-z0-9_-]{30,}",
    ),
    (
        Kind::Certain,
        r"\bsk-[A-Za-z0-9_-]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}|\bAGE-SECRET-KEY-1[A-Z0-9]{20,}",
    ),
    // An item of a list in flow style or JSON, also in a string: {"name":"DB_PASSWORD","value":"x"}.
    (
        Kind::Pair,
        r#"\\*["']?\bname\\*["']?\s*:\s*\\*["']?(?P<n>[A-Za-z0-9_.-]+)\\*["']?\s*,\s*\\*["']?value\\*["']?\s*:\s*(?P<s>\\+".*?\\+"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"',}\]\\][^,}\]\n]*)"#,
    ),
    (
        Kind::Pair,
        r#"\\*["']?\bvalue\\*["']?\s*:\s*(?P<s>\\+".*?\\+"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"',}\]\\][^,}\]\n]*?)\s*,\s*\\*["']?name\\*["']?\s*:\s*\\*["']?(?P<n>[A-Za-z0-9_.-]+)"#,
    ),
    // name=value and name: value where the name says secret. After `=` any length, as in PGPASSWORD=abc.
    (
        Kind::Named,
        r#"(?i)\b[a-z0-9_.-]*(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|auth[_-]?token|access[_-]?token|refresh[_-]?token|client[_-]?secret|private[_-]?key|credentials?|pwd)\\*["']?\s*(?:=\s*\\*["']?(?P<s>[^\s"',;&}<>\\]+)|:\s*\\*["']?(?P<t>[^\s"',;&}<>\\]{4,}))"#,
    ),
    (
        Kind::Named,
        r#"\b[A-Z][A-Z0-9_]*_(?:AUTH|COOKIE|DSN|KEY|PASS|PAT|PW|SALT|SID|TOKEN)\s*=\s*["']?(?P<s>[^\s"',;&}<>]+)"#,
    ),
    // Flags and the word after them, in a command line and in an array.
    (
        Kind::Flag,
        r#"(?i)--?(?:[a-z0-9]+-)*(?:password|passwd|token|secret|key)(?:=|\s+|\\*["']\s*,\s*)\\*["']?(?P<s>[^\s"',;\\\]]+)"#,
    ),
    (
        Kind::Named,
        r#"\b(?:mysql(?:dump|admin)?|mariadb(?:-dump|-admin)?)\b["'\s,](?:[^\n|;&]*?[\s"'])?-p(?P<s>[^\s"',|;&]+)"#,
    ),
    (Kind::Named, r#"\bredis-cli\b["'\s,](?:[^\n|;&]*?[\s"'])?-a["'\s,]*(?P<s>[^\s"',|;&]+)"#),
    // Kubeconfig data.
    (
        Kind::Named,
        r"(?i)\b(?:client-key-data|client-certificate-data|id-token|refresh-token|token)\s*:\s*(?P<s>[A-Za-z0-9+/_.=-]{8,})",
    ),
];

static COMPILED: LazyLock<Vec<(Kind, Regex)>> =
    LazyLock::new(|| SHAPES.iter().filter_map(|(kind, shape)| Some((*kind, Regex::new(shape).ok()?))).collect());

/// `text` with every known shape masked.
pub(super) fn without(text: &str) -> String {
    let mut out = text.to_owned();
    for (kind, shape) in COMPILED.iter() {
        if shape.is_match(&out) {
            out = shape.replace_all(&out, |found: &Captures<'_>| masked(*kind, found)).into_owned();
        }
    }
    out
}

fn masked(kind: Kind, found: &Captures<'_>) -> String {
    let whole = &found[0];
    let Some(secret) = found.name("s").or_else(|| found.name("t")) else { return MASK.to_owned() };
    let text = secret.as_str();
    let value = text.trim_start_matches(['\\', '"', '\'']).trim_end_matches(['\\', '"', '\'']);
    let is_pair = kind == Kind::Pair;
    if is_pair && !found.name("n").is_some_and(|name| is_secret_variable(name.as_str())) {
        return whole.to_owned();
    }
    let stays = match kind {
        Kind::Certain => false,
        Kind::Url => value.split_once(':').is_some_and(|(_, password)| is_reference(password)),
        Kind::Flag => !is_secret_argument(value) || is_plain_word(value),
        // A reference is not the secret: `password: not found` and `secret "db"` stay readable.
        Kind::Named | Kind::Pair => is_plain_word(value) || is_prose(whole, value),
    };
    if stays || value.is_empty() || value.starts_with('<') || is_reference(value) {
        return whole.to_owned();
    }
    let trimmed = text.len() - text.trim_start_matches(['\\', '"', '\'']).len();
    let start = secret.start() - found.get(0).map_or(0, |m| m.start()) + trimmed;
    format!("{}{MASK}{}", &whole[..start], &whole[start + value.len()..])
}

/// `fetch token: unexpected status`, `may require authorization: server message`: after a colon and a
/// blank, a lower-case word is no token, and two of them are no header.
fn is_prose(whole: &str, value: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    if whole.starts_with("authorization: ") && whole.ends_with(value) && whole.len() == value.len() + 15 {
        let mut words = value.split(' ').map(|word| word.trim_end_matches([',', ':', '.']));
        return words.next().is_some_and(is_word) && words.next().is_some_and(is_word);
    }
    whole.to_lowercase().starts_with("token:") && value.len() < 20 && is_word(value)
}

/// Words that follow `password:` or `--token` in messages and are no password.
fn is_plain_word(value: &str) -> bool {
    const WORDS: &[&str] = &[
        "and",
        "authentication",
        "can",
        "cannot",
        "couldn't",
        "data",
        "does",
        "empty",
        "failed",
        "false",
        "flag",
        "flags",
        "for",
        "found",
        "has",
        "in",
        "instead",
        "invalid",
        "is",
        "key",
        "missing",
        "must",
        "name",
        "none",
        "not",
        "null",
        "option",
        "or",
        "permission",
        "required",
        "requires",
        "to",
        "true",
        "unset",
        "was",
        "with",
    ];
    WORDS.contains(&value.to_lowercase().trim_end_matches(['.', ',', ':', ')']))
}

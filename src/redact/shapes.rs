//! Shapes of secrets in text.

use super::names::{is_reference, is_secret_argument, is_secret_variable};
use super::numbers::is_placeholder;
use super::{mask, tokens};
use regex::{Captures, Regex};
use std::ops::Range;
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

/// A name that says secret, whatever stands before it, and what follows.
macro_rules! concat_named {
    ($rest:expr) => {
        concat!(
            r"(?i)\b[a-z0-9_.-]*(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|account[_-]?key",
            r"|encryption[_-]?key|signing[_-]?key|master[_-]?key|shared[_-]?access[_-]?(?:key|signature)|secret[_-]?key",
            r"(?:[_-]?base)?|auth[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token|session[_-]?token",
            r"|client[_-]?secret|private[_-]?key|credentials?|pwd)",
            $rest
        )
    };
}

/// A regex has a group `s` that holds what is removed (the whole match without one).
const SHAPES: &[(Kind, &str)] = &[
    // PEM and PGP blocks, also on one line with escaped line breaks.
    (
        Kind::Certain,
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)",
    ),
    // JSON Web Tokens (RFC 7519): two base64url JSON objects and a signature.
    (Kind::Certain, r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*"),
    // Credentials in URLs: scheme://user:password@host, scheme://token@host. A password may hold `@`.
    (Kind::Url, r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://(?P<s>[^\s/'\x22<>]+)@"),
    // What signs a URL: Azure, AWS and Google write it so.
    (
        Kind::Named,
        r#"(?i)[?&](?:x-amz-signature|x-amz-security-token|x-amz-credential|x-goog-signature|sig|signature|code|auth|key|token)=(?P<s>[^&\s"'<>\\]{8,})"#,
    ),
    // user:password@tcp(host:3306)/db, as drivers of Go write it.
    (Kind::Certain, r#"\b[A-Za-z0-9_.-]+:(?P<s>[^\s"'<>]+)@(?:tcp|udp|unix)\d?\("#),
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
    // The file of a container registry's logins.
    (Kind::Named, r#""(?:auth|identitytoken|registrytoken)\\*"\s*:\s*\\*"(?P<s>[A-Za-z0-9+/_.=-]{8,})"#),
    // An item of a list in flow style or JSON, also in a string: {"name":"DB_PASSWORD","value":"x"}.
    (
        Kind::Pair,
        r#"\\*["']?\bname\\*["']?\s*:\s*\\*["']?(?P<n>[A-Za-z0-9_.-]+)\\*["']?\s*,\s*\\*["']?value\\*["']?\s*:\s*(?P<s>\\+".*?\\+"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"',}\]\\][^,}\]\n]*)"#,
    ),
    (
        Kind::Pair,
        r#"\\*["']?\bvalue\\*["']?\s*:\s*(?P<s>\\+".*?\\+"|"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"',}\]\\][^,}\]\n]*?)\s*,\s*\\*["']?name\\*["']?\s*:\s*\\*["']?(?P<n>[A-Za-z0-9_.-]+)"#,
    ),
    // name="two words", also escaped: to the end of the quotes.
    (
        Kind::Named,
        concat_named!(r#"\\*["']?\s*[:=]\s*(?:\\+"(?P<s>[^"\\\n]+)\\+"|"(?P<t>[^"\\\n]+)"|'(?P<u>[^'\n]+)')"#),
    ),
    // name=value and name: value where the name says secret. After `=` any length, as in PGPASSWORD=abc.
    (
        Kind::Named,
        concat_named!(r#"\\*["']?\s*(?:=\s*\\*["']?(?P<s>[^\s"',;&}<>\\]+)|:\s*\\*["']?(?P<t>[^\s"',;&}<>\\]{4,}))"#),
    ),
    (
        Kind::Named,
        r#"\b[A-Z][A-Z0-9_]*_(?:AUTH|COOKIE|DSN|KEY|PASS|PAT|PW|SALT|SID|TOKEN)\s*=\s*["']?(?P<s>[^\s"',;&}<>]+)"#,
    ),
    // <password>x</password>
    (Kind::Named, concat_named!(r#"[a-z0-9_.-]*>(?P<s>[^<>\n]+)</"#)),
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
    // curl -u user:password
    (Kind::Named, r#"\bcurl\b["'\s,](?:[^\n|;&]*?[\s"'])?(?:-u|--user)["'\s,=]*[^\s"',:|;&]+:(?P<s>[^\s"',|;&]+)"#),
    // Kubeconfig data.
    (
        Kind::Named,
        r"(?i)\b(?:client-key-data|client-certificate-data|id-token|refresh-token|token)\s*:\s*(?P<s>[A-Za-z0-9+/_.=-]{8,})",
    ),
];

static COMPILED: LazyLock<Vec<(Kind, Regex)>> = LazyLock::new(|| {
    let tokens = tokens::shapes();
    let shapes = SHAPES.iter().map(|(kind, shape)| (*kind, *shape));
    let all = shapes.chain(tokens.iter().map(|shape| (Kind::Certain, shape.as_str())));
    all.filter_map(|(kind, shape)| Some((kind, Regex::new(shape).ok()?))).collect()
});

pub(super) fn prepare() {
    LazyLock::force(&COMPILED);
}

/// `text` with every known shape masked.
pub(super) fn without(text: &str) -> String {
    let mut out = text.to_owned();
    for (kind, shape) in COMPILED.iter() {
        if let Some(masked) = replaced(*kind, shape, &out) {
            out = masked;
        }
    }
    out
}

/// `text` without the secrets of one shape; `None` when there are none. What follows a value is looked at
/// anew, so one value never hides the next.
fn replaced(kind: Kind, shape: &Regex, text: &str) -> Option<String> {
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(found) = shape.captures_at(text, at) {
        let value = value(kind, &found, text);
        at = value.end;
        if !stays(kind, &found, text, &text[value.clone()]) {
            out.push_str(&text[copied..value.start]);
            out.push_str(&mask(&text[value.clone()]));
            copied = value.end;
        }
    }
    (copied > 0).then(|| out + &text[copied..])
}

/// Where the secret of a match stands, without the quotes around it.
fn value(kind: Kind, found: &Captures<'_>, text: &str) -> Range<usize> {
    let group = ["s", "t", "u"].iter().find_map(|group| found.name(group));
    let Some(group) = group.or_else(|| found.get(0)) else { return 0..text.len() };
    let is_quote = ['\\', '"', '\''];
    let inner = group.as_str().trim_start_matches(is_quote);
    let start = group.end() - inner.len();
    let end = start + inner.trim_end_matches(is_quote).len();
    start..if kind == Kind::Named && end == group.end() { extended(text, end) } else { end.max(start) }
}

fn stays(kind: Kind, found: &Captures<'_>, text: &str, value: &str) -> bool {
    let Some(whole) = found.get(0) else { return true };
    // `<secret:1234>` is no secret called 1234.
    let is_ours = text[..whole.start()].ends_with('<') && whole.as_str().starts_with("secret:");
    let is_one = match kind {
        Kind::Certain => true,
        Kind::Url => !value.split_once(':').is_some_and(|(_, password)| is_reference(password)),
        Kind::Flag => is_secret_argument(value) && !is_plain_word(value),
        Kind::Pair if !found.name("n").is_some_and(|name| is_secret_variable(name.as_str())) => false,
        // A reference is not the secret: `password: not found` and `secret "db"` stay readable.
        Kind::Named | Kind::Pair => !is_plain_word(value) && !is_prose(whole.as_str(), value),
    };
    is_ours || !is_one || value.is_empty() || is_shown(value) || is_reference(value)
}

/// Where a value ends that holds marks: `a,b;c` is one, but `a; user=b` and `a}` end before the mark.
fn extended(text: &str, mut end: usize) -> usize {
    while text[end..].starts_with([',', ';', '&', '}', ']', ')', '<']) && !is_separator(&text[end..]) {
        let rest = &text[end + 1..];
        let stop = |c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '\\' | ',' | ';' | '&' | '}' | ']' | ')')
        };
        end += 1 + rest.find(stop).unwrap_or(rest.len());
    }
    end
}

/// Whether a mark separates a value from what follows: the next name, a blank, the end.
fn is_separator(rest: &str) -> bool {
    let mut rest: &str = &rest[..rest.char_indices().nth(80).map_or(rest.len(), |(at, _)| at)];
    if rest.starts_with("</") || rest.starts_with("<secret") {
        return true;
    }
    rest = rest.trim_start_matches([',', ';', '&', '}', ']', ')', '<']);
    let name = rest.find(['=', ':']).map_or("", |at| &rest[..at]);
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"_.- ".contains(&b);
    rest.is_empty()
        || rest.starts_with(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'))
        || !name.is_empty() && name.bytes().all(is_name)
}

/// A placeholder of ours, or of a manual: `<token>`.
fn is_shown(value: &str) -> bool {
    let inner = value.split_once('>').map_or("", |(inner, _)| inner);
    value.starts_with('<') && (is_placeholder(&format!("{inner}>")) || value.ends_with('>') && !inner.contains(' '))
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

//! Names whose value is a secret.

use regex::Regex;
use std::sync::LazyLock;

/// Words that say secret wherever they stand in a name, whatever their case. Short words count only
/// as whole words in capitals or between underscores: a container may be called `auth-proxy`.
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)",
        r"|(?i:connection_?string|authorization|cookie|session_?id|dsn|[_-]key$|(?:^|_)(?:pwd|pw|pass)(?:$|_))",
        r"|(?:^|[_-])(?:AUTH|PAT|SID|SALT|PW|PWD|PASS)(?:$|[_-])|_(?:auth|pat|sid|salt)$",
    ))
    .ok()
});

/// The short words in any case, for names that are surely those of a variable or a header.
static VARIABLE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)(?:^|[_-])(?:auth|pat|sid|salt|pw|pwd|pass)(?:$|[_-])").ok());

/// Ends of field names whose value tells where a secret is, not what it is.
static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:name|names|ref|refs|path|file|dir|seconds|ttl|enabled|class|type|kind|namespace|url|uri|hash|checksum|resourceversion|version|uid)$|^existing|^automount|^checksum/").ok()
});

fn holds(shape: &LazyLock<Option<Regex>>, name: &str) -> bool {
    shape.as_ref().is_some_and(|shape| shape.is_match(name))
}

/// Whether a variable or field of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    holds(&NAME, name)
}

/// Whether a variable or header of this name holds a secret: wider than [`is_secret_name`], which may
/// also be asked about containers.
pub fn is_secret_variable(name: &str) -> bool {
    holds(&NAME, name) || holds(&VARIABLE, name)
}

/// Whether a field of this name holds a secret itself: `secretName` and `tokenPath` only lead to one.
pub(super) fn is_secret_field(name: &str) -> bool {
    holds(&NAME, name) && !holds(&REFERENCE, name)
}

/// Whether a field of this name holds a password and nothing else: `dbPassword`.
pub(super) fn is_password_field(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passwd", "passphrase"].iter().any(|end| name.ends_with(end))
}

/// `--db-password`, `--token`: the word after it is a secret.
pub(super) fn is_secret_flag(word: &str) -> bool {
    let Some(name) = word.strip_prefix('-') else { return false };
    let name = name.to_ascii_lowercase();
    !name.contains(['=', ' ']) && ["password", "passwd", "token", "secret", "key"].iter().any(|end| name.ends_with(end))
}

/// What a word after a flag of secrets must be to be one: not the next flag, no reference, no file.
pub(super) fn is_secret_argument(word: &str) -> bool {
    !word.is_empty() && !word.starts_with(['-', '/']) && !word.starts_with("./") && !is_reference(word)
}

/// `$(NAME)`, `${NAME}` or `$NAME`: where a secret is, not what it is.
pub(super) fn is_reference(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('$') else { return false };
    let name = match rest.as_bytes().first() {
        Some(b'(') => rest[1..].strip_suffix(')').unwrap_or(&rest[1..]),
        Some(b'{') => rest[1..].strip_suffix('}').unwrap_or(&rest[1..]),
        _ => rest,
    };
    let name = name.trim_end_matches([')', '.', ':']);
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// How a command takes a password inside one word or after a short flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    /// `mysql -phunter`
    MySql,
    /// `redis-cli -a hunter`
    Redis,
}

/// The client that one of these words starts.
pub(super) fn client<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<Client> {
    words.into_iter().find_map(|word| match word.rsplit('/').next().unwrap_or(word) {
        "mysql" | "mysqldump" | "mysqladmin" | "mariadb" | "mariadb-dump" | "mariadb-admin" => Some(Client::MySql),
        "redis-cli" => Some(Client::Redis),
        _ => None,
    })
}

//! Placeholders: the same value has the same number in a run.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{LazyLock, Mutex, PoisonError};

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Secret,
    Email,
    Address,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Secret, Self::Email, Self::Address];

    fn word(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Email => "email",
            Self::Address => "address",
        }
    }
}

/// Values that are remembered at most; after that all are forgotten, but no number is given twice.
const REMEMBERED: usize = 1 << 18;

/// Numbers of one run, in the order in which the values were first seen. Of a value only a
/// hash is kept.
#[derive(Default)]
struct Run {
    known: BTreeMap<(Kind, u64), u64>,
    last: BTreeMap<Kind, u64>,
}

static RUN: LazyLock<Mutex<Run>> = LazyLock::new(Mutex::default);

/// What stands where `value` stood: `<secret:1>`. A placeholder stays the one it is.
pub(super) fn placeholder(kind: Kind, value: &str) -> String {
    let mut run = RUN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((kind, number)) = read(value) {
        // Of an earlier run: a new value gets another number.
        let last = run.last.entry(kind).or_default();
        *last = (*last).max(number);
        return value.to_owned();
    }
    if run.known.len() >= REMEMBERED {
        run.known.clear();
    }
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    let hash = hasher.finish();
    let number = match run.known.get(&(kind, hash)) {
        Some(number) => *number,
        None => {
            let last = run.last.entry(kind).or_default();
            *last += 1;
            let number = *last;
            run.known.insert((kind, hash), number);
            number
        }
    };
    format!("<{}:{number}>", kind.word())
}

/// What a whole text says when it is a placeholder; one without a number has 0.
fn read(text: &str) -> Option<(Kind, u64)> {
    let inner = text.strip_prefix('<')?.strip_suffix('>')?;
    let (word, number) = inner.split_once(':').unwrap_or((inner, "0"));
    let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word)?;
    let is_number = (1..=9).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    number.parse().ok().filter(|_| is_number).map(|number| (kind, number))
}

/// Whether a whole text is a placeholder.
pub(super) fn is_placeholder(text: &str) -> bool {
    read(text).is_some()
}

/// Whether a placeholder stands anywhere in `text`.
pub fn is_masked(text: &str) -> bool {
    text.match_indices('<').any(|(at, _)| text[at..].find('>').is_some_and(|end| is_placeholder(&text[at..=at + end])))
}

/// `text` with every numbered placeholder of a secret without its number: to compare texts of two runs.
pub fn unnumbered(text: &str) -> String {
    let mut parts = text.split("<secret:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str("<secret");
        if !rest.starts_with('>') || rest.len() == part.len() {
            out.push(':');
            out.push_str(part);
        } else {
            out.push_str(rest);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_has_the_same_number_and_another_value_another() {
        let [a, b, again] = ["hunter-a", "hunter-b", "hunter-a"].map(|value| placeholder(Kind::Secret, value));
        assert_eq!(a, again);
        assert_ne!(a, b);
        assert!(is_placeholder(&a) && is_masked(&format!("x <y {b} z")) && !is_masked("a <b> <secret:x>"), "{a} {b}");
        assert_eq!(unnumbered(&format!("x {a} <secret:> {b}")), "x <secret> <secret:> <secret>");
    }

    #[test]
    fn a_placeholder_of_an_earlier_run_stays_and_its_number_is_not_given_again() {
        let old = "<secret:70000>";
        assert_eq!(placeholder(Kind::Secret, old), old);
        let new = placeholder(Kind::Secret, "hunter-after-an-old-run");
        assert!(read(&new).is_some_and(|(_, number)| number > 70_000), "{new}");
        assert_eq!(placeholder(Kind::Email, "<secret>"), "<secret>");
    }
}

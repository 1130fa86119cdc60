//! Whether one name is a typo of another.

use crate::text::distance;

/// Words that are never typos of each other: they are all in use, and mean different things.
const NEVER: &str = "dev devel development test testing qa uat int stage staging stg preprod prod prd production live \
    demo sandbox canary stable blue green primary secondary main standby master slave replica leader follower read \
    reader write writer ro rw internal external public private admin user users root client server host hosts port \
    ports name http https ws wss grpc grpcs tcp udp tls ssl min max in out east west north south left right first last \
    old new low high key keys cert pass token source target input output request response start stop create delete \
    allow deny enable disable true false";

/// The only one of `names` that `wanted` is a typo of; `None` when there is none, when there are two,
/// or when one differs from it only in digits (`db-1`, `db-2`).
/// `others` are further names in scope: a word that is used twice is no typo.
pub(crate) fn only_close<'n>(wanted: &str, names: &[&'n str], others: &[&str]) -> Option<&'n str> {
    if names.iter().any(|name| *name != wanted && differ_in_digits(wanted, name)) {
        return None;
    }
    let mut close = names.iter().filter(|name| {
        let rest: Vec<&str> = names.iter().chain(others).copied().filter(|n| n != *name && *n != wanted).collect();
        is_close(wanted, name, &rest)
    });
    let first = close.next()?;
    close.next().is_none().then_some(*first)
}

/// Whether `wanted` is `existing` with other case or separators, or with a typo in one word.
/// `others` are the remaining names of the kind in scope.
pub(crate) fn is_close(wanted: &str, existing: &str, others: &[&str]) -> bool {
    if wanted == existing {
        return false;
    }
    let ((wanted, wanted_hash), (existing, existing_hash)) = (split_hash(wanted), split_hash(existing));
    // Content hashes come and go; the same base with another hash is a stale reference, not a typo.
    if wanted_hash.is_some() != existing_hash.is_some() || wanted == existing {
        return false;
    }
    let (a, b) = (words(wanted), words(existing));
    let digits = |words: &[String]| words.iter().filter(|word| is_digits(word)).cloned().collect::<Vec<_>>();
    if a.concat() == b.concat() && digits(&a) == digits(&b) {
        return true;
    }
    if a.len() != b.len() {
        return false;
    }
    let mut pairs = a.iter().zip(&b).filter(|(u, v)| u != v);
    let (Some((u, v)), None) = (pairs.next(), pairs.next()) else { return false };
    is_typo(u, v) && !others.iter().any(|other| words(other).contains(u))
}

fn is_typo(u: &str, v: &str) -> bool {
    let letters = |word: &str| word.chars().all(char::is_alphabetic);
    let longer = u.chars().count().max(v.chars().count());
    let never = |word: &str| NEVER.split_whitespace().any(|known| known == word);
    letters(u)
        && letters(v)
        && u.chars().next() == v.chars().next()
        && longer >= 4
        && distance(u, v) <= if longer <= 7 { 1 } else { 2 }
        && !never(u)
        && !never(v)
}

fn is_digits(word: &str) -> bool {
    word.chars().all(|c| c.is_ascii_digit())
}

fn differ_in_digits(a: &str, b: &str) -> bool {
    let (a, b) = (words(a), words(b));
    a != b && a.len() == b.len() && a.iter().zip(&b).all(|(u, v)| u == v || (is_digits(u) && is_digits(v)))
}

/// Split at separators, at a change from lower to upper case, and between letters and digits; lower case.
fn words(name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut last: Option<char> = None;
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.' | '/' | ':') || c.is_whitespace() {
            last = None;
            continue;
        }
        let new_word = last.is_none_or(|last| {
            (last.is_lowercase() && c.is_uppercase()) || last.is_ascii_digit() != c.is_ascii_digit()
        });
        match out.last_mut().filter(|_| !new_word) {
            Some(word) => word.extend(c.to_lowercase()),
            None => out.push(c.to_lowercase().collect()),
        }
        last = Some(c);
    }
    out
}

/// A name and the content hash that kustomize put after it. Its alphabet has no vowels, so that
/// `app-production` is no hash: kyaml `hasher/hasher.go`, `encode`.
pub(crate) fn split_hash(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('-') {
        Some((base, hash)) if hash.len() == 10 && hash.chars().all(|c| "bcdfghkmt2456789".contains(c)) => {
            (base, Some(hash))
        }
        _ => (name, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_close() {
        for (wanted, existing) in [
            ("app-confg", "app-config"),
            ("LOGLEVEL", "LOG_LEVEL"),
            ("logLevel", "log-level"),
            ("webb", "web"),
            ("passwd", "password"),
            ("orders-databse-v2", "orders-database-v2"),
            ("confg-92b5ckh6mt", "config-7g4f5d8k2m"),
        ] {
            assert!(is_close(wanted, existing, &[]), "{wanted} {existing}");
        }
    }

    #[test]
    fn names_that_mean_something_else_are_not_close() {
        for (wanted, existing) in [
            ("orders-db-dev", "orders-db-prd"),
            ("nginx-internal", "nginx-external"),
            ("DB_HOST", "DB_PORT"),
            ("db-rw", "db-ro"),
            ("http", "https"),
            ("amd64", "arm64"),
            ("us-east-1a", "us-east-1b"),
            ("db-1", "db-2"),
            ("cart", "dart"),
            ("app", "apq"),
            ("config-92b5ckh6mt", "config-7g4f5d8k2m"),
            ("config", "config"),
        ] {
            assert!(!is_close(wanted, existing, &[]), "{wanted} {existing}");
        }
    }

    #[test]
    fn a_word_that_is_used_twice_is_no_typo() {
        assert!(is_close("order-api", "orders-api", &["cart"]));
        assert!(!is_close("order-api", "orders-api", &["order-db"]));
    }

    #[test]
    fn only_one_candidate_may_be_close() {
        assert_eq!(only_close("app-confg", &["app-config", "web"], &[]), Some("app-config"));
        assert_eq!(only_close("app-confg", &["app-config", "app_config"], &[]), None);
        assert_eq!(only_close("confg-1", &["config-1", "confg-2"], &[]), None, "confg-2 may be meant");
    }
}

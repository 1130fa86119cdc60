//! E-mail and IP addresses, which are removed when asked for.

use super::numbers::{Kind, placeholder};
use regex::{Captures, Regex};
use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is removed besides secrets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Also {
    pub emails: bool,
    pub addresses: bool,
}

static EMAILS: AtomicBool = AtomicBool::new(false);
static ADDRESSES: AtomicBool = AtomicBool::new(false);

/// Removes these too from now on, for the whole run.
pub fn also(also: Also) {
    EMAILS.fetch_or(also.emails, Ordering::Relaxed);
    ADDRESSES.fetch_or(also.addresses, Ordering::Relaxed);
}

/// What was asked for.
pub(super) fn asked() -> Also {
    Also { emails: EMAILS.load(Ordering::Relaxed), addresses: ADDRESSES.load(Ordering::Relaxed) }
}

static EMAIL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b[a-z0-9][a-z0-9._%+-]{0,63}@(?:[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?\.)+[a-z]{2,24}\b").ok()
});

/// What may be an address; [`IpAddr`] decides.
static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b\d{1,3}(?:\.\d{1,3}){3}\b|(?:\b[0-9a-f]{1,4}|:):(?:[0-9a-f]{0,4}:){0,6}(?:[0-9a-f]{1,4}\b|:)?")
        .ok()
});

/// `text` without the addresses of `also`.
pub(super) fn without(text: &str, also: Also) -> String {
    let mut out = text.to_owned();
    if also.emails
        && let Some(shape) = EMAIL.as_ref()
    {
        out = shape.replace_all(&out, |found: &Captures<'_>| placeholder(Kind::Email, &found[0])).into_owned();
    }
    if also.addresses
        && let Some(shape) = ADDRESS.as_ref()
    {
        let masked = |found: &Captures<'_>| match found[0].parse::<IpAddr>() {
            Ok(address) if !address.is_unspecified() && found[0].contains(|c: char| c.is_ascii_digit()) => {
                placeholder(Kind::Address, &found[0])
            }
            _ => found[0].to_owned(),
        };
        out = shape.replace_all(&out, masked).into_owned();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let out = without(text, Also { emails: true, addresses: true });
        Regex::new(r":\d+>").unwrap().replace_all(&out, ">").into_owned()
    }

    #[test]
    fn addresses_of_people_and_machines_are_removed() {
        for (text, want) in [
            ("mail ada.l+x@shop.example.com.", "mail <email>."),
            ("dial tcp 10.0.12.7:5432: refused", "dial tcp <address>:5432: refused"),
            ("[2001:db8::1]:443 and fe80::1", "[<address>]:443 and <address>"),
            ("2001:db8:0:0:1:2:3:4", "<address>"),
        ] {
            assert_eq!(shown(text), want);
        }
    }

    #[test]
    fn times_versions_paths_and_images_stay() {
        for text in ["16:46:58Z", "v1.2.3 and 300.1.1.1", "std::fs::read", "web@sha256:98334c58", "a::b", "0.0.0.0:80"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn nothing_is_removed_that_was_not_asked_for() {
        let text = "ada@shop.example.com at 10.0.0.1";
        assert_eq!(without(text, Also::default()), text);
    }
}

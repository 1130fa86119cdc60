//! The user's Git configuration, as Git itself resolved it.

use super::url::RepoUrl;
use crate::error::Error;
use std::collections::BTreeSet;

/// Every value of `git config --list`, in Git's order: the last one wins.
///
/// Git reads it for us: only Git knows where its system file is, which includes apply and what
/// the environment adds.
#[derive(Debug, Clone, Default)]
pub(super) struct Config(Vec<(String, String)>);

impl Config {
    /// Reads the output of `git config --list --null`. A key without a value means `true`.
    pub(super) fn parse(output: &[u8]) -> Self {
        let entries = output.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()).filter_map(|entry| {
            let entry = std::str::from_utf8(entry).ok()?;
            let (key, value) = entry.split_once('\n').unwrap_or((entry, "true"));
            Some((key.to_owned(), value.to_owned()))
        });
        Self(entries.collect())
    }

    /// The value of a key; section and variable are in lower case.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.all(key).last().filter(|value| !value.is_empty())
    }

    fn all<'c>(&'c self, key: &str) -> impl Iterator<Item = &'c str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Those entries that `wanted` picks by their key, as `key=value`.
    pub(super) fn pick(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        self.0.iter().filter(|(key, _)| wanted(key)).map(|(key, value)| format!("{key}={value}")).collect()
    }

    /// Names of the remotes that have an address, sorted.
    pub(super) fn remote_names(&self) -> BTreeSet<&str> {
        self.0.iter().filter_map(|(key, _)| key.strip_prefix("remote.")?.strip_suffix(".url")).collect()
    }

    /// The addresses that a remote is fetched from and pushed to.
    ///
    /// As in Git, the first `url` counts, `insteadOf` rewrites both, and `pushInsteadOf` only an
    /// address that is not written as `pushUrl` (`git help config`).
    pub(super) fn remote(&self, name: &str) -> Option<Result<Remote, Error>> {
        let url = self.all(&format!("remote.{name}.url")).next()?;
        let push = match self.all(&format!("remote.{name}.pushurl")).next() {
            Some(push) => self.rewrite(push, ".insteadof").unwrap_or_else(|| push.to_owned()),
            None => self
                .rewrite(url, ".pushinsteadof")
                .or_else(|| self.rewrite(url, ".insteadof"))
                .unwrap_or_else(|| url.to_owned()),
        };
        let fetch = self.rewrite(url, ".insteadof").unwrap_or_else(|| url.to_owned());
        Some(RepoUrl::parse(&fetch).and_then(|url| {
            let push_url = RepoUrl::parse(&push)?;
            Ok(Remote { name: name.to_owned(), url, push_url })
        }))
    }

    /// `url.<base>.insteadOf = <prefix>`: the longest prefix wins.
    fn rewrite(&self, url: &str, variable: &str) -> Option<String> {
        let rules = self.0.iter().filter_map(|(key, prefix)| {
            let base = key.strip_prefix("url.")?.strip_suffix(variable)?;
            Some((base, url.strip_prefix(prefix.as_str())?))
        });
        // The shortest rest is that of the longest prefix.
        rules.min_by_key(|(_, rest)| rest.len()).map(|(base, rest)| format!("{base}{rest}"))
    }
}

/// A configured remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub name: String,
    /// Where it is fetched from, after `insteadOf`.
    pub url: RepoUrl,
    /// Where it is pushed to, after `pushUrl`, `pushInsteadOf` and `insteadOf`.
    pub push_url: RepoUrl,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[&str]) -> Config {
        Config::parse(entries.join("\0").replace('=', "\n").as_bytes())
    }

    fn urls(entries: &[&str]) -> (String, String) {
        let remote = config(entries).remote("origin").unwrap().unwrap();
        (remote.url.to_string(), remote.push_url.to_string())
    }

    #[test]
    fn the_last_value_wins_and_a_bare_key_is_true() {
        let config = config(&["user.name=a", "commit.gpgsign", "user.name=b", "push.x="]);
        assert_eq!(config.get("user.name"), Some("b"));
        assert_eq!(config.get("commit.gpgsign"), Some("true"));
        assert_eq!(config.get("push.x"), None);
    }

    #[test]
    fn addresses_are_rewritten_as_git_does() {
        let url = "remote.origin.url=gh:o/r";
        assert_eq!(
            urls(&[url, "url.https://h/.insteadof=gh:", "url.https://long/.insteadof=gh:o/"]),
            ("https://long/r".into(), "https://long/r".into())
        );
        assert_eq!(
            urls(&[url, "url.https://h/.insteadof=gh:", "url.ssh://h/.pushinsteadof=gh:"]),
            ("https://h/o/r".into(), "ssh://h/o/r".into())
        );
        assert_eq!(
            urls(&["remote.origin.url=https://a/o/r", "remote.origin.pushurl=p:o/r", "url.ssh://h/.pushinsteadof=p:"]),
            ("https://a/o/r".into(), "p:o/r".into())
        );
    }

    #[test]
    fn a_dangerous_address_is_an_error_of_its_remote_only() {
        let config = config(&["remote.bad.url=ext::sh -c x", "remote.ok.url=https://h/o"]);
        assert!(config.remote("bad").unwrap().is_err());
        assert!(config.remote("ok").unwrap().is_ok());
        assert!(config.remote("none").is_none());
    }
}

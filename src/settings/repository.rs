//! The repository's own file: `.aifix.toml`.

use super::file::PullRequests;
use crate::error::Error;
use crate::text::Sanitised;
use serde::Deserialize;

/// Its name at the root of the repository.
pub const NAME: &str = ".aifix.toml";
/// The folder of policies that counts without being named.
pub const POLICIES: &str = ".aifix/policies";

/// What a repository may say of itself; nothing else, as whoever may push to it writes it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Repository {
    /// Folders or files of policies, from the root. They can only deny.
    pub policies: Vec<String>,
    /// `[pull-request]`: labels, reviewers.
    pub pull_request: PullRequests,
}

/// Reads it; `revision` is the commit that it stands in.
///
/// # Errors
/// A usage error when it is no TOML, or says what a repository may not say.
pub fn parse(text: &str, revision: &str) -> Result<Repository, Error> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        Error::usage(format!("`{NAME}` of commit {} can't be used", revision.get(..10).unwrap_or(revision)))
            .because(Sanitised::line(error.message()))
            .hint("a repository may set `policies`, and `labels` and `reviewers` of [pull-request]")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_sets_what_it_may_and_nothing_else() {
        let read =
            parse("[pull-request]\nlabels = ['fix']\nreviewers = ['ada', 'acme/ops']\n", "0123456789ab").unwrap();
        assert_eq!(read.pull_request.reviewers.unwrap(), ["ada", "acme/ops"]);
        assert_eq!(parse("policies = ['policy']\n", "0123456789ab").unwrap().policies, ["policy"]);
        for text in ["[llm]\nurl = 'http://x'\n", "[pull-request]\ntoken = 'x'\n", "[forge.h]\nurl = 'http://x'\n", "x"]
        {
            let error = parse(text, "0123456789ab").unwrap_err();
            assert!(error.message.contains("0123456789 can't"), "{error:?}");
        }
    }
}

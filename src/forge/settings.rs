//! Which token goes to which host, and what a host is.

use super::Kind;
use crate::doors::http::{self, Url};
use crate::error::Error;
use crate::repo::{Credential, RepoUrl};
use crate::settings::environment::Environment;
use crate::text::{self, Sanitised};
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;

/// A token that cannot be printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// A token as it was read; blanks around it are dropped. `None` for an empty one.
    fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The token, for the one header that carries it.
    pub(super) fn secret(&self) -> &str {
        self.0.trim()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What the user's file says of one host: the table `[forge."git.example.com"]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Given {
    kind: Option<Kind>,
    /// Where its web is, when it is not `https://` and the host of the remote.
    url: Option<String>,
    token: Option<Token>,
    /// A file of certificates in PEM that are trusted besides those of the system.
    ca_file: Option<PathBuf>,
}

/// How we sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SignIn {
    Token(Token),
    /// What a helper of Git knows.
    Helper(Credential),
}

/// A host, and what may be sent to it.
#[derive(Debug, Clone)]
pub struct Host {
    /// `None`: it is to be asked.
    pub kind: Option<Kind>,
    /// Where its pages are; its path, if any, ends with no `/`.
    pub base: Url,
    pub ca_file: Option<PathBuf>,
    pub(super) sign_in: Option<SignIn>,
    /// Where the token was found, or the names that were looked for.
    pub(super) source: String,
}

impl Host {
    /// What is written down about the host of a remote: `kind` is the flag's, `tables` is `[forge]` of the
    /// user's file. `None` for a remote without a host.
    ///
    /// A token in the environment goes to the one host that it belongs to. `AIFIX_FORGE_TOKEN` goes to the host
    /// of the remote, whichever it is.
    ///
    /// # Errors
    /// A usage error when a table or an address can't be used.
    pub fn resolve(
        remote: &RepoUrl,
        kind: Option<Kind>,
        environment: &Environment,
        tables: &toml::Table,
    ) -> Result<Option<Self>, Error> {
        let Some(web) = remote.web() else { return Ok(None) };
        let name = remote.host().unwrap_or_default();
        let given = match tables.get(name) {
            Some(table) => Given::deserialize(table.clone()).map_err(|error| {
                Error::usage(format!(
                    "the table [forge.\"{}\"] of the user's file can't be used",
                    Sanitised::line(name)
                ))
                .because(error.message())
            })?,
            None => Given::default(),
        };
        let base = address(given.url.as_deref().unwrap_or(&web))?;
        let variable = |name: &str| environment.get(name).map(|value| value.to_string_lossy().into_owned());
        let is_at = |name: &str| {
            variable(name).and_then(|text| address(&text).ok()).is_some_and(|other| other.origin() == base.origin())
        };
        let is_public = |name: &str| base.scheme() == "https" && base.host_str() == Some(name) && base.port().is_none();
        let (is_of_github, is_of_gitlab) = (is_at("GITHUB_SERVER_URL"), is_at("CI_SERVER_URL"));
        // The runners of Gitea and Forgejo set what GitHub's set.
        let is_played = ["GITEA_ACTIONS", "FORGEJO_ACTIONS"].iter().any(|name| environment.get(name).is_some());
        let kind = kind.or(given.kind).or(match base.host_str().unwrap_or_default() {
            "github.com" => Some(Kind::GitHub),
            host if host.ends_with(".ghe.com") => Some(Kind::GitHub),
            "gitlab.com" => Some(Kind::GitLab),
            "codeberg.org" | "gitea.com" => Some(Kind::Gitea),
            _ if is_of_github => Some(if is_played { Kind::Gitea } else { Kind::GitHub }),
            _ if is_of_gitlab => Some(Kind::GitLab),
            _ => None,
        });
        let mut names = vec!["AIFIX_FORGE_TOKEN"];
        if is_public("github.com") || is_of_github {
            names.push("GITHUB_TOKEN");
        }
        if is_public("gitlab.com") || is_of_gitlab {
            names.push("GITLAB_TOKEN");
        }
        let found = names.iter().find_map(|name| Some(((*name).to_owned(), Token::new(&variable(name)?)?)));
        let written = given.token.filter(|token| !token.secret().is_empty());
        let written = written.map(|token| ("the user's file".to_owned(), token));
        let (source, sign_in) = match found.or(written) {
            Some((source, token)) => (source, Some(SignIn::Token(token))),
            None => (text::or(&names), None),
        };
        Ok(Some(Self { kind, base, ca_file: given.ca_file, sign_in, source }))
    }

    /// Whether what is sent can be read on the way. This machine is no way.
    pub fn is_in_the_clear(&self) -> bool {
        self.base.scheme() == "http" && !http::is_loopback(&self.base)
    }

    /// Whether there is a token or a password for it.
    pub fn can_sign_in(&self) -> bool {
        self.sign_in.is_some()
    }

    /// Takes what a helper of Git knows.
    pub fn sign_in_with(&mut self, credential: Credential) {
        self.sign_in = Some(SignIn::Helper(credential));
        "Git's credential helper".clone_into(&mut self.source);
    }

    /// Forgets the token.
    pub fn stay_a_stranger(&mut self) {
        self.sign_in = None;
    }
}

/// The address of a host, without what it must not hold.
fn address(text: &str) -> Result<Url, Error> {
    // NOTE: what was typed can hold a password, so it is not repeated.
    let wrong = |why: &str| {
        Error::usage("the address of a forge can't be used").because(why).hint("write it as `https://git.example.com`")
    };
    let mut url = Url::parse(text.trim()).map_err(|_| wrong("it is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("it must begin with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it holds credentials"));
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

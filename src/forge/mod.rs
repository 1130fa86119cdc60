//! Pull requests at the host of a repository.
//!
//! GitHub, GitLab, Gitea and Forgejo by their REST interfaces. Every request goes below the one address that
//! the user's remote or settings name; an address in an answer is neither followed nor shown. What a forge
//! answers is data: numbers and states are read from it, its words are quoted in errors, redacted.

mod client;
mod detect;
mod failure;
mod gitea;
mod github;
mod gitlab;
mod settings;
#[cfg(test)]
mod tests;

pub use detect::detect;
pub use settings::{Host, Token};

use crate::doors::http::{Http, Method, Url};
use crate::error::Error;
use client::Client;
use failure::Failure;
use serde::Deserialize;

/// What a host of repositories is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    #[value(name = "github")]
    GitHub,
    #[value(name = "gitlab")]
    GitLab,
    /// Forgejo too
    #[serde(alias = "forgejo")]
    #[value(alias = "forgejo")]
    Gitea,
}

impl Kind {
    /// `GitHub`, `GitLab` or `Gitea`.
    pub fn name(self) -> &'static str {
        match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
            Self::Gitea => "Gitea",
        }
    }
}

/// How a pull request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    Merged,
    /// Closed without a merge.
    Closed,
}

/// A pull request of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    pub state: State,
    pub draft: bool,
    /// Its text as it stands there. Foreign.
    pub body: String,
}

/// The last word of one reviewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Foreign.
    pub by: String,
    /// Else changes are asked for.
    pub approves: bool,
}

/// A pull request, its merge and its reviews.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    pub request: PullRequest,
    /// The commit that the merge made on the base branch.
    pub merged: Option<String>,
    /// Who merged it; foreign.
    pub by: Option<String>,
    pub reviews: Vec<Review>,
}

/// What a pull request says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    pub title: String,
    pub body: String,
    /// Not ready to be merged before a person looked.
    pub draft: bool,
}

/// The branch to merge and the branch to merge it into.
#[derive(Debug, Clone, Copy)]
pub struct Branches<'b> {
    pub head: &'b str,
    pub base: &'b str,
}

/// What opening a pull request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    New(PullRequest),
    /// Somebody else opened one for the same branches first.
    Already(PullRequest),
}

/// One repository at its forge.
#[derive(Debug, Clone)]
pub struct Forge {
    client: Client,
}

impl Forge {
    /// A repository at its forge. Sends nothing.
    ///
    /// # Errors
    /// A usage error when the address names no repository of such a forge.
    pub fn new(http: Http, kind: Kind, host: Host, path: &str) -> Result<Self, Error> {
        Client::new(http, kind, host, path).map(|client| Self { client })
    }

    /// The same, for a branch that lies in a fork.
    ///
    /// # Errors
    /// A usage error when the address names no repository of the same forge.
    pub fn with_fork(self, path: &str) -> Result<Self, Error> {
        self.client.with_fork(path).map(|client| Self { client })
    }

    /// Whether the forge shows us the repository.
    ///
    /// # Errors
    /// When it does not answer, does not know the token, or does not show the repository.
    pub async fn check(&self) -> Result<(), Error> {
        let answer = self.client.call(Method::GET, &[], &[], None).await;
        answer.map(|_| ()).map_err(|failure| self.error("look at the repository", failure))
    }

    pub fn kind(&self) -> Kind {
        self.client.kind
    }

    /// `host:port`, as messages show it.
    pub fn host(&self) -> String {
        self.client.host()
    }

    /// Whether there is a token or a password for it.
    pub fn can_sign_in(&self) -> bool {
        self.client.can_sign_in()
    }

    /// The names of what may hold a token.
    pub fn token_names(&self) -> &str {
        self.client.source()
    }

    /// The latest pull request of these branches, an open one before all others.
    ///
    /// # Errors
    /// When the forge does not answer, or does not let us see the repository.
    pub async fn find(&self, branches: Branches<'_>) -> Result<Option<PullRequest>, Error> {
        self.found(branches).await.map_err(|failure| self.error("look for a pull request", failure))
    }

    /// How a pull request stands, who merged it and what reviewers said last.
    ///
    /// # Errors
    /// When the forge does not answer, or does not show it.
    pub async fn follow(&self, number: u64) -> Result<Followed, Error> {
        let followed = match self.client.kind {
            Kind::GitHub | Kind::Gitea => github::follow(&self.client, number).await,
            Kind::GitLab => gitlab::follow(&self.client, number).await,
        };
        followed.map_err(|failure| self.error("look at the pull request", failure))
    }

    async fn found(&self, branches: Branches<'_>) -> Result<Option<PullRequest>, Failure> {
        match self.client.kind {
            Kind::GitHub => github::find(&self.client, branches).await,
            Kind::GitLab => gitlab::find(&self.client, branches).await,
            Kind::Gitea => gitea::find(&self.client, branches).await,
        }
    }

    /// Opens a pull request.
    ///
    /// # Errors
    /// When the forge does not answer or refuses.
    pub async fn open(&self, branches: Branches<'_>, text: &Text) -> Result<Opened, Error> {
        let opened = match self.client.kind {
            Kind::GitHub => github::open(&self.client, branches, text).await,
            Kind::GitLab => gitlab::open(&self.client, branches, text).await,
            Kind::Gitea => gitea::open(&self.client, branches, text).await,
        };
        let failure = match opened {
            Ok(request) => return Ok(Opened::New(request)),
            Err(failure) => failure,
        };
        if failure.is_conflict()
            && let Ok(Some(request)) = self.found(branches).await
            && request.state == State::Open
        {
            return Ok(Opened::Already(request));
        }
        Err(self.error("open a pull request", failure))
    }

    /// Gives an open pull request a new title and text. Whether it is a draft stays as it is.
    ///
    /// # Errors
    /// When the forge does not answer or refuses.
    pub async fn update(&self, request: &PullRequest, text: &Text) -> Result<(), Error> {
        let text = Text { draft: request.draft, ..text.clone() };
        let updated = match self.client.kind {
            Kind::GitHub => github::update(&self.client, request.number, &text).await,
            Kind::GitLab => gitlab::update(&self.client, request.number, &text).await,
            Kind::Gitea => gitea::update(&self.client, request.number, &text).await,
        };
        updated.map_err(|failure| self.error("update the pull request", failure))
    }

    /// Adds labels; those that it has stay.
    ///
    /// # Errors
    /// When the forge does not answer or refuses.
    pub async fn label(&self, number: u64, labels: &[String]) -> Result<(), Error> {
        let labelled = match self.client.kind {
            Kind::GitHub => github::label(&self.client, number, labels).await,
            Kind::GitLab => gitlab::label(&self.client, number, labels).await,
            Kind::Gitea => gitea::label(&self.client, number, labels).await,
        };
        labelled.map_err(|failure| self.error("label the pull request", failure))
    }

    /// Asks people to review it; a name with a `/` is that of a team.
    ///
    /// # Errors
    /// When the forge does not answer, does not know somebody or refuses.
    pub async fn ask(&self, number: u64, reviewers: &[String]) -> Result<(), Error> {
        let asked = match self.client.kind {
            // Gitea takes GitHub's request.
            Kind::GitHub | Kind::Gitea => github::ask(&self.client, number, reviewers).await,
            Kind::GitLab => gitlab::ask(&self.client, number, reviewers).await,
        };
        asked.map_err(|failure| self.error("ask for a review of the pull request", failure))
    }

    /// The page of a pull request.
    pub fn address(&self, number: u64) -> String {
        let number = number.to_string();
        let segments: &[&str] = match self.client.kind {
            Kind::GitHub => &["pull", &number],
            Kind::GitLab => &["-", "merge_requests", &number],
            Kind::Gitea => &["pulls", &number],
        };
        self.client.page(segments).to_string()
    }

    /// The page on which a person opens a pull request by hand.
    pub fn form(&self, branches: Branches<'_>) -> String {
        let url: Url = match self.client.kind {
            Kind::GitHub => github::form(&self.client, branches),
            Kind::GitLab => gitlab::form(&self.client, branches),
            Kind::Gitea => gitea::form(&self.client, branches),
        };
        url.to_string()
    }

    fn error(&self, doing: &str, failure: Failure) -> Error {
        failure.into_error(doing, &self.client)
    }
}

/// A text of an answer that is there and not empty.
fn said(answer: &serde_json::Value, pointer: &str) -> Option<String> {
    answer.pointer(pointer)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Names of people, and names of teams without what stands before the `/`.
fn people_and_teams(reviewers: &[String]) -> (Vec<&str>, Vec<&str>) {
    let teams = reviewers.iter().filter_map(|name| Some(name.split_once('/')?.1)).collect();
    (reviewers.iter().map(String::as_str).filter(|name| !name.contains('/')).collect(), teams)
}

/// The open one, else the newest; they come newest first.
fn first(requests: impl Iterator<Item = PullRequest>) -> Option<PullRequest> {
    let all: Vec<PullRequest> = requests.collect();
    let open = all.iter().position(|request| request.state == State::Open).unwrap_or(0);
    all.into_iter().nth(open)
}

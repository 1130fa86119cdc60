//! Requests to one forge: one base, one deadline, one retry.

use super::Kind;
use super::failure::Failure;
use super::settings::{Host, SignIn};
use crate::doors::http::{self, Http, HttpError, Method, Url};
use crate::error::Error;
use crate::text::Sanitised;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use std::time::Duration;

/// How long one request may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// The longest wait that a forge may ask for and get.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer at most: twenty pull requests with the longest texts.
const LIMIT: usize = 4 << 20;

/// A client of one repository at one forge.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) kind: Kind,
    http: Http,
    host: Host,
    /// Where its interface begins.
    api: Url,
    /// The user, group or organisation; with subgroups at GitLab.
    pub(super) owner: String,
    pub(super) name: String,
    /// The repository that holds the branch, when it is another one.
    pub(super) fork: Option<Box<Self>>,
}

impl Client {
    pub(super) fn new(http: Http, kind: Kind, mut host: Host, path: &str) -> Result<Self, Error> {
        let none = || {
            Error::usage(format!("`{}` names no repository of {}", Sanitised::line(path), kind.name()))
                .hint("check the remote: `git remote -v`")
        };
        let (mut owner, name) = path.rsplit_once('/').ok_or_else(none)?;
        if kind == Kind::GitLab {
            let folder = host.base.path().trim_matches('/');
            owner = owner.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')).unwrap_or(owner);
        } else if let Some((folder, last)) = owner.rsplit_once('/') {
            // Only GitLab has groups in groups: what stands before the last two names is where the forge is.
            if host.base.path().trim_matches('/').is_empty() {
                host.base.set_path(folder);
            }
            owner = last;
        }
        if owner.is_empty() || name.is_empty() {
            return Err(none());
        }
        let mut api = host.base.clone();
        match (kind, api.host_str().unwrap_or_default().to_owned()) {
            (Kind::GitHub, name) if name == "github.com" || name.ends_with(".ghe.com") => {
                api.set_host(Some(&format!("api.{name}"))).map_err(|_| none())?;
            }
            (Kind::GitHub, _) => push(&mut api, &["api", "v3"]),
            (Kind::GitLab, _) => push(&mut api, &["api", "v4"]),
            (Kind::Gitea, _) => push(&mut api, &["api", "v1"]),
        }
        Ok(Self { kind, http, host, api, owner: owner.to_owned(), name: name.to_owned(), fork: None })
    }

    /// The same, for branches of a fork at the same forge.
    pub(super) fn with_fork(mut self, path: &str) -> Result<Self, Error> {
        let fork = Self::new(self.http.clone(), self.kind, self.host.clone(), path)?;
        if fork.api != self.api {
            return Err(Error::usage(format!("`{}` is no fork at the same forge", Sanitised::line(path))));
        }
        self.fork = Some(Box::new(fork));
        Ok(self)
    }

    /// `ada/shop`.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// A branch as the forge names it from here: that of a fork with its owner, `ada:branch`.
    pub(super) fn head(&self, branch: &str) -> String {
        match &self.fork {
            Some(fork) if fork.name == self.name => format!("{}:{branch}", fork.owner),
            Some(fork) if self.kind == Kind::Gitea => format!("{}:{branch}", fork.path()),
            Some(fork) => format!("{}:{}:{branch}", fork.owner, fork.name),
            None => branch.to_owned(),
        }
    }

    pub(super) fn host(&self) -> String {
        http::host(&self.host.base)
    }

    pub(super) fn can_sign_in(&self) -> bool {
        self.host.can_sign_in()
    }

    /// Where the token was found.
    pub(super) fn source(&self) -> &str {
        &self.host.source
    }

    /// A page of the repository.
    pub(super) fn page(&self, segments: &[&str]) -> Url {
        let mut url = self.host.base.clone();
        push(&mut url, &self.owner.split('/').chain([self.name.as_str()]).collect::<Vec<_>>());
        push(&mut url, segments);
        url
    }

    /// Sends one request below the repository and reads the answer as JSON; an empty one is null.
    pub(super) async fn call(
        &self,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let project = self.path();
        let mut url = self.api.clone();
        match self.kind {
            Kind::GitLab => push(&mut url, &["projects", &project]),
            Kind::GitHub | Kind::Gitea => push(&mut url, &["repos", &self.owner, &self.name]),
        }
        push(&mut url, segments);
        self.send(method, url, query, body).await
    }

    /// The same, outside of the repository.
    pub(super) async fn get(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        let mut url = self.api.clone();
        push(&mut url, segments);
        self.send(Method::GET, url, query, None).await
    }

    async fn send(
        &self,
        method: Method,
        mut url: Url,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let headers = self.headers();
        let body = body.map(|body| body.to_string().into_bytes());
        let ask = || self.http.send(method.clone(), &url, &headers, body.clone(), LIMIT, DEADLINE);
        let mut sent = ask().await;
        // What was refused for its rate was not done: it may be asked again.
        if let Err(HttpError::Status { code: 403 | 429 | 503, retry_after: Some(wait), .. }) = &sent
            && *wait <= PATIENCE
        {
            tokio::time::sleep(*wait).await;
            sent = ask().await;
        }
        let answer = sent.map_err(Failure::from)?;
        if answer.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.body).map_err(|_| Failure::Garbled)
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = match self.kind {
            Kind::GitHub => vec![
                ("accept", "application/vnd.github+json".to_owned()),
                ("x-github-api-version", "2022-11-28".to_owned()),
            ],
            Kind::GitLab | Kind::Gitea => vec![("accept", "application/json".to_owned())],
        };
        let authorization = match (&self.host.sign_in, self.kind) {
            (None, _) => return headers,
            (Some(SignIn::Token(token)), Kind::Gitea) => format!("token {}", token.secret()),
            (Some(SignIn::Token(token)), _) => format!("Bearer {}", token.secret()),
            // Gitea also takes the password of an account, the others tokens alone.
            (Some(SignIn::Helper(known)), Kind::Gitea) => {
                format!("Basic {}", BASE64.encode(format!("{}:{}", known.user, known.password)))
            }
            (Some(SignIn::Helper(known)), _) => format!("Bearer {}", known.password),
        };
        headers.push(("authorization", authorization));
        headers
    }
}

/// Adds segments to the path of a URL; a `/` in one of them is escaped.
fn push(url: &mut Url, segments: &[&str]) {
    // NOTE: only a URL that can't be a base has no segments, and http and https can.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
}

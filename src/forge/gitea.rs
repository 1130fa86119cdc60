//! Pull requests of Gitea and Forgejo (REST v1).

use super::client::Client;
use super::failure::Failure;
use super::{Branches, PullRequest, State, Text};
use crate::doors::http::{Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// What makes a pull request a draft (`WORK_IN_PROGRESS_PREFIXES`).
const DRAFT: &str = "WIP: ";
/// How often, and how long apart, a repository is looked at whose first push the forge has not digested.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Deserialize)]
struct Found {
    number: u64,
    state: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged: bool,
    body: Option<String>,
    head: Head,
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "ref")]
    name: String,
    repo: Option<HeadRepository>,
}

#[derive(Deserialize)]
struct HeadRepository {
    full_name: String,
}

impl From<Found> for PullRequest {
    fn from(found: Found) -> Self {
        let state = match (found.state.as_str(), found.merged) {
            (_, true) => State::Merged,
            ("open", false) => State::Open,
            (_, false) => State::Closed,
        };
        Self { number: found.number, state, draft: found.draft, body: found.body.unwrap_or_default() }
    }
}

pub(super) fn read(value: Value) -> Result<PullRequest, Failure> {
    Found::deserialize(value).map(PullRequest::from).map_err(|_| Failure::Garbled)
}

/// One pull request by its branches is the oldest of them: when that one is closed, the open ones are listed.
pub(super) async fn find(client: &Client, branches: Branches<'_>) -> Result<Option<PullRequest>, Failure> {
    let head = client.head(branches.head);
    let path = ["pulls", branches.base, &head];
    let oldest = match client.call(Method::GET, &path, &[], None).await {
        Err(failure) if failure.is_absence() => {
            digested(client, failure).await?;
            return Ok(None);
        }
        answer => read(answer?)?,
    };
    if oldest.state == State::Open {
        return Ok(Some(oldest));
    }
    let query =
        [("state", "open"), ("base_branch", branches.base), ("sort", "recentupdate"), ("page", "1"), ("limit", "20")];
    let list = client.call(Method::GET, &["pulls"], &query, None).await?;
    let open = Vec::<Found>::deserialize(list).map_err(|_| Failure::Garbled)?;
    let is_ours = |found: &Found| match (&client.fork, &found.head.repo) {
        (None, _) => true,
        (Some(fork), Some(repository)) => repository.full_name.eq_ignore_ascii_case(&fork.path()),
        (Some(_), None) => false,
    };
    let same = open.into_iter().find(|found| found.head.name == branches.head && is_ours(found));
    Ok(Some(same.map_or(oldest, PullRequest::from)))
}

/// Nothing is found in a repository that is not to be seen, in one that has no such pull request, and in one
/// whose first push the forge has not digested: that one still calls itself empty, and is waited for.
async fn digested(client: &Client, failure: Failure) -> Result<(), Failure> {
    for _ in 0..TRIES {
        let repository = client.call(Method::GET, &[], &[], None).await.map_err(|_| failure.clone())?;
        if repository.get("empty") != Some(&Value::Bool(true)) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(failure)
}

fn title(text: &Text) -> String {
    format!("{}{}", if text.draft { DRAFT } else { "" }, text.title)
}

pub(super) async fn open(client: &Client, branches: Branches<'_>, text: &Text) -> Result<PullRequest, Failure> {
    let body =
        json!({"title": title(text), "body": text.body, "head": client.head(branches.head), "base": branches.base});
    read(client.call(Method::POST, &["pulls"], &[], Some(&body)).await?)
}

pub(super) async fn update(client: &Client, number: u64, text: &Text) -> Result<(), Failure> {
    let body = json!({"title": title(text), "body": text.body});
    client.call(Method::PATCH, &["pulls", &number.to_string()], &[], Some(&body)).await.map(|_| ())
}

/// A label that is not there is passed over in silence, so what was added is compared.
pub(super) async fn label(client: &Client, number: u64, labels: &[String]) -> Result<(), Failure> {
    let path = ["issues", &number.to_string(), "labels"];
    let now = client.call(Method::POST, &path, &[], Some(&json!({"labels": labels}))).await?;
    let names: Vec<&str> =
        now.as_array().into_iter().flatten().filter_map(|label| label.get("name")?.as_str()).collect();
    match labels.iter().find(|label| !names.contains(&label.as_str())) {
        Some(missing) => Err(Failure::Rejected { code: 404, said: format!("there is no label {missing}") }),
        None => Ok(()),
    }
}

pub(super) fn form(client: &Client, branches: Branches<'_>) -> Url {
    let mut url = client.page(&["compare"]);
    url.set_path(&format!("{}/{}...{}", url.path(), branches.base, client.head(branches.head)));
    url
}

//! Pull requests of GitHub (REST, 2022-11-28).

use super::client::Client;
use super::failure::Failure;
use super::{Branches, PullRequest, State, Text, people_and_teams};
use crate::doors::http::{Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Found {
    number: u64,
    state: String,
    #[serde(default)]
    draft: bool,
    body: Option<String>,
    merged_at: Option<String>,
}

impl From<Found> for PullRequest {
    fn from(found: Found) -> Self {
        let state = match (found.state.as_str(), &found.merged_at) {
            ("open", _) => State::Open,
            (_, Some(_)) => State::Merged,
            (_, None) => State::Closed,
        };
        Self { number: found.number, state, draft: found.draft, body: found.body.unwrap_or_default() }
    }
}

fn read(value: Value) -> Result<PullRequest, Failure> {
    Found::deserialize(value).map(PullRequest::from).map_err(|_| Failure::Garbled)
}

pub(super) async fn find(client: &Client, branches: Branches<'_>) -> Result<Option<PullRequest>, Failure> {
    let head = owned(client, branches);
    let query = [
        ("state", "all"),
        ("head", head.as_str()),
        ("base", branches.base),
        ("sort", "created"),
        ("direction", "desc"),
        ("per_page", "20"),
    ];
    let list = client.call(Method::GET, &["pulls"], &query, None).await?;
    let found = Vec::<Found>::deserialize(list).map_err(|_| Failure::Garbled)?;
    Ok(super::first(found.into_iter().map(PullRequest::from)))
}

/// A branch with its owner.
fn owned(client: &Client, branches: Branches<'_>) -> String {
    let owner = client.fork.as_ref().map_or(&client.owner, |fork| &fork.owner);
    format!("{owner}:{}", branches.head)
}

pub(super) async fn open(client: &Client, branches: Branches<'_>, text: &Text) -> Result<PullRequest, Failure> {
    let body = |draft: bool| {
        let mut body = json!({"title": text.title, "body": text.body, "base": branches.base, "draft": draft});
        match &client.fork {
            // Two repositories of one owner are told apart by name.
            Some(fork) => {
                body["head"] = owned(client, branches).into();
                body["head_repo"] = fork.name.as_str().into();
            }
            None => body["head"] = branches.head.into(),
        }
        body
    };
    match client.call(Method::POST, &["pulls"], &[], Some(&body(text.draft))).await {
        // Private repositories of some plans have none.
        Err(failure) if text.draft && failure.is_of_drafts() => {
            read(client.call(Method::POST, &["pulls"], &[], Some(&body(false))).await?)
        }
        opened => read(opened?),
    }
}

pub(super) async fn update(client: &Client, number: u64, text: &Text) -> Result<(), Failure> {
    let body = json!({"title": text.title, "body": text.body});
    client.call(Method::PATCH, &["pulls", &number.to_string()], &[], Some(&body)).await.map(|_| ())
}

pub(super) async fn label(client: &Client, number: u64, labels: &[String]) -> Result<(), Failure> {
    let path = ["issues", &number.to_string(), "labels"];
    client.call(Method::POST, &path, &[], Some(&json!({"labels": labels}))).await.map(|_| ())
}

pub(super) async fn ask(client: &Client, number: u64, reviewers: &[String]) -> Result<(), Failure> {
    let (people, teams) = people_and_teams(reviewers);
    let path = ["pulls", &number.to_string(), "requested_reviewers"];
    client
        .call(Method::POST, &path, &[], Some(&json!({"reviewers": people, "team_reviewers": teams})))
        .await
        .map(|_| ())
}

pub(super) fn form(client: &Client, branches: Branches<'_>) -> Url {
    let mut url = client.page(&["compare"]);
    // NOTE: `...` between two branches, whose own `/` stay as they are.
    url.set_path(&format!("{}/{}...{}", url.path(), branches.base, client.head(branches.head)));
    url.set_query(Some("expand=1"));
    url
}

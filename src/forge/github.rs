//! Pull requests of GitHub (REST, 2022-11-28).

use super::client::Client;
use super::failure::Failure;
use super::{Branches, Followed, PullRequest, Review, State, Text, people_and_teams, said};
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

/// One pull request with its merge and its reviews. Gitea takes the same requests.
pub(super) async fn follow(client: &Client, number: u64) -> Result<Followed, Failure> {
    let path = ["pulls", &number.to_string()];
    let found = client.call(Method::GET, &path, &[], None).await?;
    let request = match client.kind {
        super::Kind::Gitea => super::gitea::read(found.clone())?,
        _ => read(found.clone())?,
    };
    let merged = request.state == State::Merged;
    let mut reviews: Vec<Review> = Vec::new();
    let path = ["pulls", &number.to_string(), "reviews"];
    let said_of = [("per_page", "100"), ("limit", "50")];
    let list = client.call(Method::GET, &path, &said_of, None).await?;
    for one in list.as_array().ok_or(Failure::Garbled)? {
        let approves = match said(one, "/state").unwrap_or_default().as_str() {
            "APPROVED" => true,
            "CHANGES_REQUESTED" | "REQUEST_CHANGES" => false,
            // Dismissed, pending, or a comment.
            _ => continue,
        };
        if one.get("dismissed") == Some(&Value::Bool(true)) {
            continue;
        }
        let Some(by) = said(one, "/user/login") else { continue };
        // They come oldest first: the last word counts.
        reviews.retain(|review| review.by != by);
        reviews.push(Review { by, approves });
    }
    Ok(Followed {
        merged: said(&found, "/merge_commit_sha").filter(|_| merged),
        by: said(&found, "/merged_by/login").filter(|_| merged),
        request,
        reviews,
    })
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

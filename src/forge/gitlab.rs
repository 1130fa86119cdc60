//! Merge requests of GitLab (REST v4).

use super::client::Client;
use super::failure::Failure;
use super::{Branches, PullRequest, State, Text};
use crate::doors::http::{Method, Url};
use serde::Deserialize;
use serde_json::{Value, json};

/// What makes a merge request a draft.
const DRAFT: &str = "Draft: ";

#[derive(Deserialize)]
struct Found {
    iid: u64,
    state: String,
    #[serde(default)]
    draft: bool,
    description: Option<String>,
}

impl From<Found> for PullRequest {
    fn from(found: Found) -> Self {
        let state = match found.state.as_str() {
            // `locked`: it is being merged.
            "opened" | "locked" => State::Open,
            "merged" => State::Merged,
            _ => State::Closed,
        };
        Self { number: found.iid, state, draft: found.draft, body: found.description.unwrap_or_default() }
    }
}

#[derive(Deserialize)]
struct User {
    id: u64,
}

pub(super) async fn find(client: &Client, branches: Branches<'_>) -> Result<Option<PullRequest>, Failure> {
    let query = [
        ("state", "all"),
        ("source_branch", branches.head),
        ("target_branch", branches.base),
        ("order_by", "created_at"),
        ("sort", "desc"),
        ("per_page", "20"),
    ];
    let list = client.call(Method::GET, &["merge_requests"], &query, None).await?;
    let found = Vec::<Found>::deserialize(list).map_err(|_| Failure::Garbled)?;
    Ok(super::first(found.into_iter().map(PullRequest::from)))
}

fn title(text: &Text) -> String {
    format!("{}{}", if text.draft { DRAFT } else { "" }, text.title)
}

pub(super) async fn open(client: &Client, branches: Branches<'_>, text: &Text) -> Result<PullRequest, Failure> {
    let body = json!({
        "source_branch": branches.head,
        "target_branch": branches.base,
        "title": title(text),
        "description": text.body,
    });
    let opened: Value = client.call(Method::POST, &["merge_requests"], &[], Some(&body)).await?;
    Found::deserialize(opened).map(PullRequest::from).map_err(|_| Failure::Garbled)
}

pub(super) async fn update(client: &Client, number: u64, text: &Text) -> Result<(), Failure> {
    let body = json!({"title": title(text), "description": text.body});
    client.call(Method::PUT, &["merge_requests", &number.to_string()], &[], Some(&body)).await.map(|_| ())
}

pub(super) async fn label(client: &Client, number: u64, labels: &[String]) -> Result<(), Failure> {
    let body = json!({"add_labels": labels.join(",")});
    client.call(Method::PUT, &["merge_requests", &number.to_string()], &[], Some(&body)).await.map(|_| ())
}

/// GitLab takes the numbers of people, not their names.
pub(super) async fn ask(client: &Client, number: u64, reviewers: &[String]) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for name in reviewers {
        let found = client.get(&["users"], &[("username", name)]).await?;
        let users = Vec::<User>::deserialize(found).map_err(|_| Failure::Garbled)?;
        let Some(user) = users.first() else {
            return Err(Failure::Rejected { code: 404, said: format!("there is no user {name}") });
        };
        ids.push(user.id);
    }
    let body = json!({"reviewer_ids": ids});
    client.call(Method::PUT, &["merge_requests", &number.to_string()], &[], Some(&body)).await.map(|_| ())
}

pub(super) fn form(client: &Client, branches: Branches<'_>) -> Url {
    let mut url = client.page(&["-", "merge_requests", "new"]);
    url.query_pairs_mut()
        .append_pair("merge_request[source_branch]", branches.head)
        .append_pair("merge_request[target_branch]", branches.base);
    url
}

//! Merge requests of GitLab (REST v4).

use super::client::Client;
use super::failure::Failure;
use super::{Branches, Followed, PullRequest, Review, State, Text, said};
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
    source_project_id: Option<u64>,
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

/// GitLab tells projects apart by number.
async fn project(client: &Client) -> Result<u64, Failure> {
    let answer = client.call(Method::GET, &[], &[], None).await?;
    answer.get("id").and_then(Value::as_u64).ok_or(Failure::Garbled)
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
    let fork = match &client.fork {
        Some(fork) if !found.is_empty() => Some(project(fork).await?),
        _ => None,
    };
    let is_ours = |one: &Found| fork.is_none() || one.source_project_id == fork;
    Ok(super::first(found.into_iter().filter(is_ours).map(PullRequest::from)))
}

/// One merge request with its merge and its approvals.
pub(super) async fn follow(client: &Client, number: u64) -> Result<Followed, Failure> {
    let number = number.to_string();
    let found = client.call(Method::GET, &["merge_requests", &number], &[], None).await?;
    let request = Found::deserialize(found.clone()).map(PullRequest::from).map_err(|_| Failure::Garbled)?;
    let approvals = client.call(Method::GET, &["merge_requests", &number, "approvals"], &[], None).await?;
    let approved = approvals.get("approved_by").and_then(Value::as_array);
    let names = approved.into_iter().flatten().filter_map(|one| said(one, "/user/username"));
    // A merge without a merge commit leaves the squashed one, or the last of the branch.
    let merged = ["/merge_commit_sha", "/squash_commit_sha", "/sha"].iter().find_map(|at| said(&found, at));
    let by = ["/merge_user/username", "/merged_by/username"].iter().find_map(|at| said(&found, at));
    let is_merged = request.state == State::Merged;
    Ok(Followed {
        merged: merged.filter(|_| is_merged),
        by: by.filter(|_| is_merged),
        request,
        reviews: names.map(|by| Review { by, approves: true }).collect(),
    })
}

fn title(text: &Text) -> String {
    format!("{}{}", if text.draft { DRAFT } else { "" }, text.title)
}

pub(super) async fn open(client: &Client, branches: Branches<'_>, text: &Text) -> Result<PullRequest, Failure> {
    let mut body = json!({
        "source_branch": branches.head,
        "target_branch": branches.base,
        "title": title(text),
        "description": text.body,
    });
    // The project of the branch is asked, and told where the branch is to go.
    let from = match &client.fork {
        Some(fork) => {
            body["target_project_id"] = project(client).await?.into();
            fork.as_ref()
        }
        None => client,
    };
    let opened: Value = from.call(Method::POST, &["merge_requests"], &[], Some(&body)).await?;
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
    let from = client.fork.as_deref().unwrap_or(client);
    let mut url = from.page(&["-", "merge_requests", "new"]);
    url.query_pairs_mut()
        .append_pair("merge_request[source_branch]", branches.head)
        .append_pair("merge_request[target_branch]", branches.base);
    url
}

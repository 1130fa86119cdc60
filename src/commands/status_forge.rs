//! `status`: what the forge tells of a pushed fix.

use super::status_git::Clone;
use super::{Session, forge_of};
use crate::error::Error;
use crate::follow::forge::{ForgeFacts, Review, Standing};
use crate::follow::{Asked, Subject};
use crate::forge::{self, Branches, State};
use crate::settings::file;
use crate::text::Sanitised;

/// Asks for the pull request of the branch, its merge and its reviews.
pub(super) async fn ask(
    subject: &Subject,
    clone: &Clone,
    kind: Option<forge::Kind>,
    session: &Session,
) -> Asked<ForgeFacts> {
    match facts(subject, clone, kind, session).await {
        Ok(asked) => asked,
        Err(error) => Asked::Not(error.to_string().replace('\n', " ")),
    }
}

async fn facts(
    subject: &Subject,
    clone: &Clone,
    kind: Option<forge::Kind>,
    session: &Session,
) -> Result<Asked<ForgeFacts>, Error> {
    let (Ok(repo), Some(remote)) = (&clone.repo, clone.remote_of(&subject.repo)) else {
        return Ok(Asked::Not(format!("this is no clone of {}", Sanitised::line(&subject.repo))));
    };
    let push = clone.remote_of(&subject.remote);
    let fork = push.filter(|push| push.push_url.identity() != remote.url.identity());
    let url = if fork.is_some() { &remote.url } else { &remote.push_url };
    let config = file::read(&session.environment)?;
    let opened = match forge_of::open(url, kind, &config, repo, session).await {
        // A host that is not asked for requests need not be a forge.
        Err(error) if subject.request.is_none() => return Ok(Asked::Not(error.message)),
        opened => opened?,
    };
    let Some(mut forge) = opened else { return Ok(Asked::Not("a folder has no pull requests".to_owned())) };
    if !forge.can_sign_in() {
        return Ok(Asked::Not(format!("no token was found (set {})", forge.token_names())));
    }
    if let Some(fork) = fork {
        forge = forge.with_fork(fork.push_url.path())?;
    }
    let number = match subject.request {
        Some(number) => Some(number),
        None => {
            let branches = Branches { head: &subject.branch, base: &subject.base_branch };
            forge.find(branches).await?.map(|request| request.number)
        }
    };
    let Some(number) = number else { return Ok(Asked::Not("there is no pull request of the branch".to_owned())) };
    let followed = forge.follow(number).await?;
    Ok(Asked::Seen(ForgeFacts {
        number,
        address: forge.address(number),
        standing: match followed.request.state {
            State::Open => Standing::Open,
            State::Merged => Standing::Merged,
            State::Closed => Standing::Closed,
        },
        draft: followed.request.draft,
        merged: followed.merged,
        by: followed.by,
        reviews: followed.reviews.into_iter().map(|one| Review { by: one.by, approves: one.approves }).collect(),
    }))
}

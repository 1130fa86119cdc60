//! Remote, branch and commits that the controller follows.

use super::Session;
use super::look::Seen;
use super::propose::ProposeArgs;
use super::propose_place::Place;
use crate::error::Error;
use crate::fix;
use crate::model::finding::Finding;
use crate::model::tree::Tree;
use crate::repo::{Branch, CommitId, Remote, Repo};
use crate::source::lead::{self, Base, Lead};
use crate::text::Sanitised;
use std::collections::BTreeMap;

/// Commits that may be what runs and are fetched at most.
const REVISIONS: usize = 3;

/// Where the controller takes the object from that a finding's fix changes.
pub(super) fn of(finding: &Finding, args: &ProposeArgs, seen: &Seen) -> Option<Lead> {
    // What is taken back is what a controller applies, not the controller's own object.
    let own = args.revert.then(|| lead::of_controller(&seen.snapshot, &finding.object).ok()?.lead).flatten();
    if own.is_some() {
        return own;
    }
    let intents = fix::candidates(&seen.snapshot, finding).unwrap_or_default();
    let objects = intents.iter().map(|intent| &intent.object).chain([&finding.object]);
    objects.filter_map(|object| lead::find(&seen.snapshot, object).ok()?.lead).next()
}

/// The remote that the controller reads, when the clone knows it by another name than the default.
pub(super) fn remote(repo: &Repo, default: Remote, findings: &[Finding], args: &ProposeArgs, seen: &Seen) -> Remote {
    let wanted = findings.first().and_then(|finding| of(finding, args, seen)?.repository);
    let is_it = |remote: &Remote| wanted.as_deref().is_some_and(|wanted| lead::is_of(wanted, &remote.url.identity()));
    if is_it(&default) { default } else { repo.remotes().into_iter().find(is_it).unwrap_or(default) }
}

impl Place {
    /// Stands on the branch that the controller follows, and fetches the commits that it may have deployed.
    pub(super) async fn follow(
        &mut self,
        finding: &Finding,
        args: &ProposeArgs,
        seen: &Seen,
        session: &Session,
    ) -> Result<(), Error> {
        let lead = of(finding, args, seen).filter(|lead| lead.is_of(&self.identity));
        let branch = match lead.as_ref().map(|lead| &lead.base) {
            Some(Base::Branch(name)) if args.place.base.is_none() => Branch::parse(name)?,
            _ => self.default_branch.clone(),
        };
        if branch != self.base_branch {
            session.ui.say(format_args!("Fetching {branch}, which the cluster follows"));
            self.stand_on(branch, session).await?;
        }
        let before: BTreeMap<String, Tree> = std::mem::take(&mut self.deployed).into_iter().collect();
        let revisions = lead.into_iter().flat_map(|lead| lead.revisions).take(REVISIONS);
        for commit in revisions.filter_map(|(id, _)| CommitId::parse(&id)) {
            if commit == self.base {
                continue;
            }
            let id = commit.to_string();
            if let Some(tree) = before.get(&id) {
                self.deployed.push((id, tree.clone()));
                continue;
            }
            match self.repo.fetch_commit(&self.remote, &commit, false).await.and_then(|()| self.repo.tree(&commit)) {
                Ok(tree) => self.deployed.push((id, tree)),
                Err(error) => session.ui.warn(format_args!(
                    "the deployed commit {} was not read: {}",
                    commit.short(),
                    Sanitised::line(&error.to_string())
                )),
            }
        }
        let known = |id: &str| self.deployed.iter().any(|(known, _)| known == id);
        if let Some(head) = self.repo.head().filter(|head| *head != self.base && !known(&head.to_string())) {
            let id = head.to_string();
            let tree = before.get(&id).cloned().map_or_else(|| self.repo.tree(&head), Ok)?;
            self.deployed.push((id, tree));
        }
        Ok(())
    }
}

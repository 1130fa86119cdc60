//! `propose --push --pr`: the pull request of a branch.

use super::propose::ProposeArgs;
use super::propose_place::Place;
use super::{Session, forge_of};
use crate::error::{Error, Kind};
use crate::forge::{self, Branches, Forge, Opened, PullRequest, State, Text};
use crate::model::intent::Disposition;
use crate::model::proposal::{Outcome, Proposal};
use crate::model::record::Phase;
use crate::model::refusal::Refusal;
use crate::output::pull_request::{self, Around, MARKER};
use crate::repo::{Branch, CommitId};
use crate::settings::file;
use crate::text::Sanitised;
use crate::ui::{Page, Paint};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

/// Whether a pull request asks for the branch.
#[derive(Debug, Args)]
#[command(next_help_heading = "The pull request")]
pub struct RequestArgs {
    /// Open a pull request for the pushed branch; ours that is open already is written anew
    #[arg(long, requires = "push")]
    pub pr: bool,

    /// Open it as a draft, also where facts decide the fix
    #[arg(long, requires = "pr")]
    pub draft: bool,

    /// What the remote's host is [default: known by its name, else asked of it]
    #[arg(long, value_enum, value_name = "KIND", requires = "pr")]
    pub forge: Option<forge::Kind>,
}

/// The forge of the remote, and what every pull request is given.
pub(super) struct Requests {
    forge: Forge,
    /// Whether every one is a draft.
    draft: bool,
    labels: Vec<String>,
    reviewers: Vec<String>,
}

/// The pull request that one proposal is to get, and what is there before anything is pushed.
pub(super) struct Wanted<'r> {
    requests: &'r Requests,
    /// The tip of our own branch that holds this very change.
    pub(super) commit: Option<CommitId>,
    /// The open pull request of the branch.
    open: Option<PullRequest>,
}

/// What was done to a pull request that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Opened,
    /// Ours was open; it is written anew.
    Updated,
    /// Somebody else wrote it; it stays as it is.
    Kept,
}

/// What came of it, after the branch was pushed.
#[derive(Debug)]
pub(super) enum Requested {
    There {
        action: Action,
        number: u64,
        draft: bool,
        url: String,
    },
    /// There is no token: a person opens it here.
    Form {
        url: String,
        tokens: String,
    },
    Failed {
        kind: Kind,
        reason: String,
        url: String,
    },
}

impl Requested {
    pub(super) fn json(&self) -> Value {
        match self {
            Self::There { action, number, draft, url } => {
                json!({"action": action, "url": url, "number": number, "draft": draft, "reason": null})
            }
            Self::Form { url, .. } => {
                json!({"action": "form", "url": url, "number": null, "draft": null, "reason": null})
            }
            Self::Failed { reason, url, .. } => {
                json!({"action": "failed", "url": url, "number": null, "draft": null, "reason": reason})
            }
        }
    }

    /// What the record says of it.
    pub(super) fn entry(&self) -> Option<(Phase, Value)> {
        match self {
            Self::There { action, number, draft, url } => {
                let body = json!({"number": number, "url": url, "action": action, "draft": draft});
                Some((Phase::PullRequest, body))
            }
            Self::Form { .. } => None,
            Self::Failed { reason, .. } => Some((Phase::Failed, json!({"reason": reason}))),
        }
    }

    /// Writes one row, and says what a person does next.
    pub(super) fn tell(&self, page: &mut Page) -> &'static str {
        match self {
            Self::There { action, draft, url, .. } => {
                let words = match action {
                    Action::Opened if *draft => "opened as a draft",
                    Action::Opened => "opened",
                    Action::Updated => "written anew",
                    Action::Kept => "open already, not ours, left as it is",
                };
                page.put(Paint::Plain, "request   ").foreign(Paint::Bold, url);
                page.line(format_args!(" ({words})"));
                "merge the pull request"
            }
            Self::Form { url, tokens } => {
                page.put(Paint::Plain, "request   ").foreign(Paint::Bold, url).end();
                page.line(format_args!("          open it there: no token was found (set {tokens})"));
                "open and merge the pull request"
            }
            Self::Failed { url, .. } => {
                page.put(Paint::Plain, "request   ").put(Paint::Red, "not opened").put(Paint::Plain, "; by hand: ");
                page.foreign(Paint::Bold, url).end();
                "open and merge the pull request"
            }
        }
    }
}

/// The forge of the place, when a pull request is wanted. Nothing is written there; a host of unknown kind is asked
/// what it is.
pub(super) async fn prepare(args: &ProposeArgs, place: &Place, session: &Session) -> Result<Option<Requests>, Error> {
    if !args.request.pr {
        return Ok(None);
    }
    for remote in [&place.remote, &place.push] {
        let is_split = remote.url.identity() != remote.push_url.identity();
        if is_split && (place.fork().is_none() || remote == &place.push) {
            return Err(Error::usage("the repository that the branch is pushed to is not the one that is fetched")
                .because(format!(
                    "`{}` is fetched from {} and pushed to {}",
                    Sanitised::line(&remote.name),
                    remote.url,
                    remote.push_url
                ))
                .hint(format!("name your fork: git remote add fork {}, and add --fork fork", remote.push_url)));
        }
    }
    let config = file::read(&session.environment)?;
    let at = if place.fork().is_some() { &place.remote.url } else { &place.remote.push_url };
    let forge = forge_of::open(at, args.request.forge, &config, &place.repo, session).await?;
    let mut forge = forge.ok_or_else(|| {
        Error::usage(format!("`{at}` is a folder: there is nobody to ask for a pull request"))
            .hint("push without --pr, or name another remote: --remote NAME")
    })?;
    if let Some(fork) = place.fork() {
        if fork.host() != at.host() {
            return Err(Error::usage(format!("`{fork}` is at another host than `{at}`"))
                .hint("a request is opened between repositories of one forge: --fork NAME"));
        }
        forge = forge.with_fork(fork.path())?;
    }
    let own = place.settings.pull_request.clone();
    Ok(Some(Requests {
        forge,
        draft: args.request.draft,
        labels: config.pull_request.labels.or(own.labels).unwrap_or_default(),
        reviewers: config.pull_request.reviewers.or(own.reviewers).unwrap_or_default(),
    }))
}

/// Looks at the branch and its pull request before anybody is asked; what stands in the way of a new one makes a
/// refusal of the outcome. `None` when no pull request is wanted.
pub(super) async fn look<'r>(
    requests: Option<&'r Requests>,
    outcome: &mut Outcome,
    place: &Place,
    session: &Session,
) -> Result<Option<Wanted<'r>>, Error> {
    let (Some(requests), Outcome::Proposed(proposal)) = (requests, &*outcome) else { return Ok(None) };
    match requests.look(proposal, place, session).await? {
        Ok(wanted) => Ok(Some(wanted)),
        Err(refusal) => {
            *outcome = Outcome::Refused { finding: Box::new(proposal.finding.clone()), refusal };
            Ok(None)
        }
    }
}

fn branches<'b>(proposal: &'b Proposal, place: &'b Place) -> Branches<'b> {
    Branches { head: &proposal.branch, base: place.base_branch.as_str() }
}

impl Requests {
    async fn look(
        &self,
        proposal: &Proposal,
        place: &Place,
        session: &Session,
    ) -> Result<Result<Wanted<'_>, Refusal>, Error> {
        let mut wanted = Wanted { requests: self, commit: None, open: None };
        let name = &proposal.branch;
        if place.is_open(name) {
            let branch = Branch::parse(name)?;
            let tip = place.repo.fetch(&place.push, &branch, session.ui.can_ask()).await?;
            if !holds(proposal, &tip, place)? {
                let text = format!("branch {name} is open and holds another change than this one");
                return Ok(Err(already(text, "merge it or delete it, then run this again")));
            }
            wanted.commit = Some(tip);
        }
        if !self.forge.can_sign_in() {
            return Ok(Ok(wanted));
        }
        let Some(request) = self.forge.find(branches(proposal, place)).await? else { return Ok(Ok(wanted)) };
        let (number, url) = (request.number, self.forge.address(request.number));
        match request.state {
            State::Open => wanted.open = Some(request),
            State::Closed => {
                let text = format!("pull request {number} of branch {name} was closed without a merge");
                let hint = format!("reopen it at {url}, or delete the branch and take another name: --branch NAME");
                return Ok(Err(already(text, hint)));
            }
            // Its branch is gone: what it brought was undone since, and is proposed anew.
            State::Merged if wanted.commit.is_none() => {}
            State::Merged => {
                let base = &place.base_branch;
                let text = format!("pull request {number} of branch {name} was merged, and {base} lacks the change");
                return Ok(Err(already(text, format!("look at {url}, delete the branch, then run this again"))));
            }
        }
        Ok(Ok(wanted))
    }
}

impl Wanted<'_> {
    /// Whether a person reviews it before it is merged: it is opened here, as a draft.
    pub(super) fn is_reviewed(&self) -> bool {
        self.requests.forge.can_sign_in()
    }

    /// The question before the push; `remote` is where the branch goes.
    pub(super) fn question(&self, proposal: &Proposal, remote: &str) -> String {
        let (branch, host) = (&proposal.branch, self.requests.forge.host());
        match (&self.open, self.commit) {
            (Some(request), _) if is_ours(request) => {
                format!("Write pull request {} of {branch} at {host} anew?", request.number)
            }
            (_, Some(_)) => format!("Open a pull request at {host} for {branch}, which is there already?"),
            (_, None) => format!("Push {branch} to {remote} and open a pull request at {host}?"),
        }
    }

    /// Opens the pull request of a pushed branch, or writes ours anew. The branch stands whatever comes of it.
    pub(super) async fn ask(
        &self,
        proposal: &Proposal,
        around: &Around<'_>,
        place: &Place,
        session: &Session,
    ) -> Requested {
        let forge = &self.requests.forge;
        let branches = branches(proposal, place);
        let form = forge.form(branches);
        if !forge.can_sign_in() {
            return Requested::Form { url: form, tokens: forge.token_names().to_owned() };
        }
        let text = Text {
            title: pull_request::title(proposal),
            body: pull_request::body(proposal, around),
            draft: self.requests.draft || proposal.disposition == Disposition::Review,
        };
        let progress = session.ui.progress(&format!("Asking {} for a pull request", forge.host()));
        session.in_flight(Some(format!("the branch is pushed, and the pull request may be there: {form}")));
        let written = match &self.open {
            Some(there) => self.requests.rewrite(there.clone(), &text).await,
            None => match forge.open(branches, &text).await {
                Ok(Opened::New(request)) => Ok((Action::Opened, request)),
                Ok(Opened::Already(there)) => self.requests.rewrite(there, &text).await,
                Err(error) => Err(error),
            },
        };
        // Later a person may have taken them away.
        if let Ok((Action::Opened, request)) = &written {
            self.requests.adorn(request, session).await;
        }
        session.in_flight(None);
        drop(progress);
        match written {
            Ok((action, request)) => {
                let url = forge.address(request.number);
                Requested::There { action, number: request.number, draft: request.draft, url }
            }
            Err(error) => {
                let (kind, reason) = (error.kind, error.to_string());
                session.ui.error(&error);
                Requested::Failed { kind, reason, url: form }
            }
        }
    }
}

impl Requests {
    /// Only what aifix wrote is written anew.
    async fn rewrite(&self, there: PullRequest, text: &Text) -> Result<(Action, PullRequest), Error> {
        if !is_ours(&there) {
            return Ok((Action::Kept, there));
        }
        self.forge.update(&there, text).await.map(|()| (Action::Updated, there))
    }

    /// Labels and reviewers: without them the pull request is there all the same.
    async fn adorn(&self, request: &PullRequest, session: &Session) {
        if !self.labels.is_empty()
            && let Err(error) = self.forge.label(request.number, &self.labels).await
        {
            session.ui.warn(format_args!("{error}"));
        }
        if !self.reviewers.is_empty()
            && let Err(error) = self.forge.ask(request.number, &self.reviewers).await
        {
            session.ui.warn(format_args!("{error}"));
        }
    }
}

/// Whether aifix wrote its text.
fn is_ours(request: &PullRequest) -> bool {
    request.body.trim_start().starts_with(MARKER)
}

/// Whether a tip is a commit of aifix whose files are those of the proposal.
fn holds(proposal: &Proposal, tip: &CommitId, place: &Place) -> Result<bool, Error> {
    if place.repo.made_by_aifix(tip) != Some(true) {
        return Ok(false);
    }
    let tree = place.repo.tree(tip)?;
    Ok(proposal.files.iter().all(|file| tree.file(&file.path) == file.after.as_deref()))
}

fn already(text: String, hint: impl Into<String>) -> Refusal {
    Refusal::new("already-proposed", text, hint)
}

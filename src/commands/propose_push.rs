//! The rest of `propose --push`: record, ask, commit, push.

use super::Session;
use super::audit::Records;
use super::look::Seen;
use super::propose::{ProposeArgs, Yes};
use super::propose_place::Place;
use super::propose_request::{Requested, Wanted};
use crate::audit::Store;
use crate::error::{Error, Kind};
use crate::model::intent::Disposition;
use crate::model::proposal::{Outcome, Proposal};
use crate::model::record::{Entry, Phase};
use crate::model::verdict::Decision as Says;
use crate::output::json::Done;
use crate::output::patch;
use crate::output::pull_request::Around;
use crate::proposal::message;
use crate::proposal::record::{self, Circumstances};
use crate::repo::Branch;
use crate::settings::environment;
use crate::settings::flags::ProposalFormat;
use crate::text::Sanitised;
use crate::ui::Paint;
use serde_json::{Value, json};

/// What became of one outcome.
#[derive(Debug)]
pub(super) enum Decision {
    /// It was only shown.
    Shown,
    Refused {
        record: String,
    },
    Declined {
        record: String,
    },
    /// It needs a person, and nobody could be asked.
    Waiting {
        record: String,
        kind: Kind,
    },
    Pushed {
        record: String,
        commit: String,
        request: Option<Requested>,
    },
}

impl Decision {
    pub(super) fn done(&self) -> Done {
        match self {
            Self::Shown => Done::default(),
            Self::Refused { record } | Self::Declined { record } | Self::Waiting { record, .. } => {
                Done { record: Some(record.clone()), ..Done::default() }
            }
            Self::Pushed { record, commit, request } => Done {
                commit: Some(commit.clone()),
                pushed: true,
                pull_request: request.as_ref().map(Requested::json),
                record: Some(record.clone()),
            },
        }
    }

    /// What kept the pull request of a pushed branch from being opened.
    pub(super) fn failed_request(&self) -> Option<Kind> {
        match self {
            Self::Pushed { request: Some(Requested::Failed { kind, .. }), .. } => Some(*kind),
            _ => None,
        }
    }
}

/// Records the outcome, asks, and pushes. The entry `proposed` is durable before anything is committed.
pub(super) async fn decide(
    outcome: &Outcome,
    args: &ProposeArgs,
    place: &Place,
    wanted: Option<&Wanted<'_>>,
    seen: &Seen,
    session: &Session,
) -> Result<Decision, Error> {
    let mut store = Records::of(session)?.make()?;
    let who = place.repo.identity().unwrap_or_default();
    let command = session.command();
    let (git, repository) = (place.repo.git_version().unwrap_or_default(), place.remote.url.to_string());
    let circumstances = Circumstances {
        snapshot: &seen.snapshot,
        command: &command,
        who: &who,
        seen: seen.digest(),
        git: &git,
        repository: &repository,
        base_branch: place.base_branch.as_str(),
    };
    let proposal = match outcome {
        Outcome::Refused { finding, refusal } => {
            let body = record::refused(finding, refusal, &circumstances);
            let entry = append(&mut store, None, Phase::Refused, body)?;
            return Ok(Decision::Refused { record: entry.record });
        }
        Outcome::Proposed(proposal) => proposal,
    };
    let body = record::proposed(proposal, &patch::text(proposal), &circumstances);
    let proposed = append(&mut store, None, Phase::Proposed, body)?;
    let answer = answer(proposal, args, place, wanted, session).await;
    if let Err(reason) = &answer {
        // What has hints was nobody's answer.
        let by = reason.hints.is_empty().then_some(&who);
        let body = json!({"reason": reason.message, "by": by});
        append(&mut store, Some(&proposed.record), Phase::Declined, body)?;
    }
    let (answer, approval) = match answer {
        Ok((answer, approval)) => (answer.json(proposal, &who), approval),
        Err(reason) => return unanswered(reason, proposed.record, session),
    };
    let there = wanted.and_then(|wanted| wanted.commit);
    let commit = match there {
        Some(there) => there.to_string(),
        None => push(proposal, &proposed, &answer, &mut store, place, session).await?,
    };
    let remote = place.push.push_url.to_string();
    let mut body = json!({"commit": commit, "branch": proposal.branch, "remote": remote, "answer": answer});
    if there.is_some() {
        // An earlier record's: its trailer names that one.
        body["reused"] = Value::Bool(true);
    }
    if let Some(approval) = approval {
        body["approval"] = json!(approval.name());
    }
    append(&mut store, Some(&proposed.record), Phase::Pushed, body)?;
    let mut request = None;
    if let Some(wanted) = wanted {
        let (remote, base) = (place.push.name.as_str(), place.base_branch.as_str());
        let around = Around { remote, base, commit: &commit, record: &proposed.hash };
        let asked = wanted.ask(proposal, &around, place, session).await;
        if let Some((phase, body)) = asked.entry() {
            append(&mut store, Some(&proposed.record), phase, body)?;
        }
        request = Some(asked);
    }
    let decision = Decision::Pushed { record: proposed.record, commit, request };
    if args.output == ProposalFormat::Text {
        tell(&decision, proposal, place, session)?;
    }
    Ok(decision)
}

/// What a missing yes comes to.
fn unanswered(reason: Error, record: String, session: &Session) -> Result<Decision, Error> {
    match reason.kind {
        // A person's No is an answer; a question that nobody could be asked is an error.
        Kind::Declined if reason.hints.is_empty() => {
            session.ui.say("Nothing was pushed.");
            Ok(Decision::Declined { record })
        }
        // The next fix may need nobody.
        kind @ (Kind::Declined | Kind::Denied) => {
            session.ui.error(&reason);
            Ok(Decision::Waiting { record, kind })
        }
        _ => Err(reason),
    }
}

/// Commits and pushes the branch.
async fn push(
    proposal: &Proposal,
    proposed: &Entry,
    answer: &Value,
    store: &mut Store,
    place: &Place,
    session: &Session,
) -> Result<String, Error> {
    let branch = Branch::parse(&proposal.branch)?;
    let text = message::write(proposal, &proposed.hash);
    let commit = place.repo.commit(&place.base, &proposal.files, &text, &branch)?;
    let ask = session.ui.can_ask();
    if ask {
        session.ui.say(format_args!("Pushing {}", proposal.branch));
    }
    let progress = (!ask).then(|| session.ui.progress(&format!("Pushing {}", proposal.branch)));
    let shown = Sanitised::line(&place.push.push_url.to_string()).to_string();
    session.in_flight(Some(format!("the branch may have reached the remote: git ls-remote {shown} 'aifix/*'")));
    let pushed = place.repo.push(&place.push, &commit, &branch, ask).await;
    session.in_flight(None);
    drop(progress);
    let commit = commit.to_string();
    if let Err(error) = pushed {
        let body = json!({"commit": commit, "reason": error.to_string(), "answer": answer});
        append(store, Some(&proposed.record), Phase::Failed, body)?;
        return Err(error);
    }
    Ok(commit)
}

/// What was done, and what is next.
fn tell(decision: &Decision, proposal: &Proposal, place: &Place, session: &Session) -> Result<(), Error> {
    let Decision::Pushed { record, commit, request } = decision else { return Ok(()) };
    let mut page = session.ui.page();
    page.put(Paint::Green, "pushed").put(Paint::Plain, format_args!("    {commit} to "));
    page.foreign(Paint::Bold, &proposal.branch);
    page.foreign(Paint::Plain, &format!(" of {}", place.push.push_url)).end();
    let next = request.as_ref().map_or("merge the branch", |request| request.tell(&mut page));
    page.line(format_args!("record    aifix audit show {record}"));
    match proposal.next.commands.as_slice() {
        [] => page.line(format_args!("Next: {next}, and follow it: aifix status {record} --wait 15m")),
        commands => {
            page.line(format_args!("Next: {next}. To let it arrive at once:"));
            for command in commands {
                page.put(Paint::Plain, "  ").foreign(Paint::Bold, command).end();
            }
            page.line(format_args!("Then follow it: aifix status {record} --wait 15m"))
        }
    };
    session.ui.print(page.as_str())
}

fn append(store: &mut Store, record: Option<&str>, phase: Phase, body: Value) -> Result<Entry, Error> {
    store.append(record, phase, &environment::now().to_string(), body)
}

/// How a push was allowed.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// `--yes`, which answers for what facts decide.
    Safe,
    /// `--yes=review`.
    Review,
    /// A person's Yes on the terminal.
    Yes,
    /// A person typed the object's name: policies want an approval.
    Typed,
}

impl Answer {
    /// Who gave it, how, and which policies' demands it meets.
    fn json(self, proposal: &Proposal, who: &str) -> Value {
        let how = match self {
            Self::Safe => "--yes",
            Self::Review => "--yes=review",
            Self::Yes => "yes",
            Self::Typed => "typed",
        };
        let asking = proposal.evaluation.verdicts.iter().filter(|verdict| verdict.decision == Says::NeedsApproval);
        let policies: Vec<&str> = asking.map(|verdict| verdict.policy.as_str()).collect();
        json!({"by": who, "how": how, "policies": policies})
    }
}

/// How a person approves what the policies want approved. `--yes` never does.
#[derive(Debug, Clone, Copy)]
enum Approval {
    /// The object's name was typed at the prompt.
    Typed,
    /// The pull request is a draft: whoever reviews it approves.
    Review,
}

impl Approval {
    fn name(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::Review => "review",
        }
    }
}

/// A person types the object's name.
async fn typed(proposal: &Proposal, session: &Session) -> Result<(), Error> {
    let object = &proposal.intent.object;
    let asking: Vec<&str> = proposal
        .evaluation
        .verdicts
        .iter()
        .filter(|verdict| verdict.decision == Says::NeedsApproval)
        .map(|verdict| verdict.message.as_str())
        .collect();
    if !session.ui.can_ask() {
        return Err(Error::new(Kind::Denied, format!("the fix of {} needs a person's approval", object.qualified()))
            .because(asking.join("; "))
            .hint("run it on a terminal, where the approval is typed; --yes never gives it")
            .hint("or let the review of a pull request give it: --pr opens it as a draft"));
    }
    let question = format!("{} needs approval. Type its name ({}) to push:", object.qualified(), object.name);
    let answer = session.ui.ask_text(&question).await;
    if answer.is_some_and(|answer| answer.trim() == object.name) {
        return Ok(());
    }
    Err(Error::new(Kind::Declined, "the approval was not typed"))
}

/// Whether it may be pushed, and who approves it when the policies want that: `--yes` for what facts decide,
/// `--yes=review` for the rest, else a person.
async fn answer(
    proposal: &Proposal,
    args: &ProposeArgs,
    place: &Place,
    wanted: Option<&Wanted<'_>>,
    session: &Session,
) -> Result<(Answer, Option<Approval>), Error> {
    let approval = match proposal.evaluation.decision() {
        Says::NeedsApproval if wanted.is_some_and(Wanted::is_reviewed) => Some(Approval::Review),
        Says::NeedsApproval => {
            typed(proposal, session).await?;
            return Ok((Answer::Typed, Some(Approval::Typed)));
        }
        _ => None,
    };
    match (args.yes, proposal.disposition) {
        (Some(Yes::Review), _) => return Ok((Answer::Review, approval)),
        (Some(Yes::Safe), Disposition::Safe) => return Ok((Answer::Safe, approval)),
        (Some(Yes::Safe), Disposition::Review) if !session.ui.can_ask() => {
            return Err(Error::new(
                Kind::Declined,
                format!("the fix of {} needs a person's look", proposal.finding.object),
            )
            .because(proposal.intent.review.join("; "))
            .hint("run it on a terminal, or write --yes=review"));
        }
        _ => {}
    }
    if !session.ui.can_ask() {
        return Err(Error::new(Kind::Declined, "there is nobody to ask: this is not a terminal")
            .hint("add --yes to push fixes that facts decide"));
    }
    let remote = Sanitised::line(&place.push.push_url.to_string()).to_string();
    let mut question = wanted
        .map_or_else(|| format!("Push {} to {remote}?", proposal.branch), |wanted| wanted.question(proposal, &remote));
    if approval.is_some() {
        let object = proposal.intent.object.qualified();
        question = format!("{object} needs approval, which the review of a draft gives. {question}");
    }
    let yes = session.ui.confirm(&question).await;
    if yes { Ok((Answer::Yes, approval)) } else { Err(Error::new(Kind::Declined, "answered no")) }
}

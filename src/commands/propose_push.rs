//! The rest of `propose --push`: record, ask, commit, push.

use super::Session;
use super::look::Seen;
use super::propose::{ProposeArgs, Yes};
use super::propose_place::Place;
use crate::audit::Store;
use crate::error::{Error, Kind};
use crate::model::intent::Disposition;
use crate::model::proposal::{Outcome, Proposal};
use crate::model::record::{Entry, Phase};
use crate::model::verdict::Decision as Says;
use crate::output::json::Done;
use crate::output::patch;
use crate::proposal::message;
use crate::proposal::record::{self, Circumstances};
use crate::repo::Branch;
use crate::settings::flags::ProposalFormat;
use crate::settings::{environment, resolve};
use crate::text::Sanitised;
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
    },
}

impl Decision {
    pub(super) fn done(&self) -> Done {
        match self {
            Self::Shown => Done::default(),
            Self::Refused { record } | Self::Declined { record } | Self::Waiting { record, .. } => {
                Done { record: Some(record.clone()), ..Done::default() }
            }
            Self::Pushed { record, commit } => {
                Done { commit: Some(commit.clone()), pushed: true, record: Some(record.clone()) }
            }
        }
    }
}

/// Records the outcome, asks, and pushes. The entry `proposed` is durable before anything is committed.
pub(super) async fn decide(
    outcome: &Outcome,
    args: &ProposeArgs,
    place: &Place,
    seen: &Seen,
    session: &Session,
) -> Result<Decision, Error> {
    let folder = resolve::state_folder(&session.environment)?;
    let key = session.environment.path("AIFIX_AUDIT_KEY_FILE");
    let mut store = Store::open(&folder, key.as_deref())?;
    let who = place.repo.identity().unwrap_or_default();
    let command = session.typed.iter().fold("aifix".to_owned(), |line, word| format!("{line} {word}"));
    let circumstances = Circumstances { snapshot: &seen.snapshot, command: &command, who: &who };
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
    if let Err(reason) = answer(proposal, args, place, session).await {
        append(&mut store, Some(&proposed.record), Phase::Declined, json!({"reason": reason.message}))?;
        return match reason.kind {
            // A person's No is an answer; a question that nobody could be asked is an error.
            Kind::Declined if reason.hints.is_empty() => {
                session.ui.say("Nothing was pushed.");
                Ok(Decision::Declined { record: proposed.record })
            }
            // The next fix may need nobody.
            kind @ (Kind::Declined | Kind::Denied) => {
                session.ui.error(&reason);
                Ok(Decision::Waiting { record: proposed.record, kind })
            }
            _ => Err(reason),
        };
    }
    push(proposal, &proposed, &mut store, place, args, session).await
}

async fn push(
    proposal: &Proposal,
    proposed: &Entry,
    store: &mut Store,
    place: &Place,
    args: &ProposeArgs,
    session: &Session,
) -> Result<Decision, Error> {
    let branch = Branch::parse(&proposal.branch)?;
    let text = message::write(proposal, &proposed.hash);
    let commit = place.repo.commit(&place.base, &proposal.files, &text, &branch)?;
    let ask = session.ui.can_ask();
    if ask {
        session.ui.say(format_args!("Pushing {}", proposal.branch));
    }
    let progress = (!ask).then(|| session.ui.progress(&format!("Pushing {}", proposal.branch)));
    let shown = Sanitised::line(&place.remote.push_url.to_string()).to_string();
    session.in_flight(Some(format!("the branch may have reached the remote: git ls-remote {shown} 'aifix/*'")));
    let pushed = place.repo.push(&place.remote, &commit, &branch, ask).await;
    session.in_flight(None);
    drop(progress);
    let record = proposed.record.clone();
    if let Err(error) = pushed {
        append(
            store,
            Some(&record),
            Phase::Failed,
            json!({"commit": commit.to_string(), "reason": error.to_string()}),
        )?;
        return Err(error);
    }
    let body =
        json!({"commit": commit.to_string(), "branch": proposal.branch, "remote": place.remote.push_url.to_string()});
    append(store, Some(&record), Phase::Pushed, body)?;
    if args.output == ProposalFormat::Text {
        let mut page = session.ui.page();
        page.put(crate::ui::Paint::Green, "pushed").put(crate::ui::Paint::Plain, format_args!("    {commit} to "));
        page.foreign(crate::ui::Paint::Bold, &proposal.branch);
        page.foreign(crate::ui::Paint::Plain, &format!(" of {}", place.remote.push_url)).end();
        page.line(format_args!("record    aifix audit show {record}"));
        match proposal.next.commands.as_slice() {
            [] => page.line("Next: merge the branch, let it be deployed, then run `aifix scan` again."),
            commands => {
                page.line("Next: merge the branch. To let it arrive at once:");
                for command in commands {
                    page.put(crate::ui::Paint::Plain, "  ").foreign(crate::ui::Paint::Bold, command).end();
                }
                page.line("Then run `aifix scan` again.")
            }
        };
        session.ui.print(page.as_str())?;
    }
    Ok(Decision::Pushed { record, commit: commit.to_string() })
}

fn append(store: &mut Store, record: Option<&str>, phase: Phase, body: Value) -> Result<Entry, Error> {
    store.append(record, phase, &environment::now().to_string(), body)
}

/// A person types the object's name; `--yes` never does.
async fn approval(proposal: &Proposal, session: &Session) -> Result<(), Error> {
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
            .hint("run it on a terminal, where the approval is typed; --yes never gives it"));
    }
    let question = format!("{} needs approval. Type its name ({}) to push:", object.qualified(), object.name);
    let typed = session.ui.ask_text(&question).await;
    if typed.is_some_and(|typed| typed.trim() == object.name) {
        return Ok(());
    }
    Err(Error::new(Kind::Declined, "the approval was not typed"))
}

/// Whether it may be pushed: `--yes` for what facts decide, `--yes=review` for the rest, else a person.
async fn answer(proposal: &Proposal, args: &ProposeArgs, place: &Place, session: &Session) -> Result<(), Error> {
    if proposal.evaluation.decision() == Says::NeedsApproval {
        return approval(proposal, session).await;
    }
    match (args.yes, proposal.disposition) {
        (Some(Yes::Review), _) | (Some(Yes::Safe), Disposition::Safe) => return Ok(()),
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
    let remote = Sanitised::line(&place.remote.push_url.to_string()).to_string();
    let question = format!("Push {} to {remote}?", proposal.branch);
    if session.ui.confirm(&question).await { Ok(()) } else { Err(Error::new(Kind::Declined, "answered no")) }
}

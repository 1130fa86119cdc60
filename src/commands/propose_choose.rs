//! Which change it is to be, when facts leave several.

use super::Session;
use super::look::Seen;
use super::propose::ProposeArgs;
use super::target::Target;
use crate::error::{Error, Kind};
use crate::fix;
use crate::model::finding::{Finding, Severity};
use crate::model::proposal::Outcome;
use crate::settings::flags::ProposalFormat;

/// Whether a finding has changes to choose from.
fn asks(finding: &Finding, seen: &Seen) -> bool {
    fix::candidates(&seen.snapshot, finding).is_err_and(|refusal| !refusal.choices.is_empty())
}

/// `--choose` answers for one finding.
pub(super) fn check(args: &ProposeArgs, findings: &[Finding], seen: &Seen) -> Result<(), Error> {
    if args.place.choose.is_empty() || args.revert || args.place.intent.is_some() {
        return Ok(());
    }
    let asking: Vec<String> =
        findings.iter().filter(|finding| asks(finding, seen)).map(|f| format!("{} {}", f.object, f.code)).collect();
    if asking.len() < 2 {
        return Ok(());
    }
    Err(Error::usage(format!("--choose answers for one finding, and {} have changes to choose from", asking.len()))
        .because(asking.join("; "))
        .hint("name one object, or leave --choose away"))
}

/// What is merely worth knowing about the target, and has changes to choose from: a person who names one means it.
pub(super) fn unhurried<'s>(target: &Target, seen: &'s Seen) -> Vec<&'s Finding> {
    let owner = seen.owner_of_pod(&target.kind, &target.name);
    let known = seen.diagnosis.findings.iter().filter(|finding| finding.severity == Severity::Info);
    known.filter(|finding| target.is_about(finding, owner.as_ref()) && asks(finding, seen)).collect()
}

/// The one of several findings that a person means.
pub(super) async fn which(several: &[&Finding], question: &str, session: &Session) -> Result<Vec<Finding>, Error> {
    let lines: Vec<String> =
        several.iter().map(|finding| format!("{}  {}: {}", finding.object, finding.code, finding.summary)).collect();
    if !session.ui.can_ask() {
        return Err(Error::usage(format!("{} root causes could be meant", several.len()))
            .hint(format!("name one:\n{}", lines.join("\n")))
            .hint("or fix several: aifix propose --all"));
    }
    match session.ui.choose(question, &lines).await {
        Some(at) => Ok(several.get(at).map(|finding| (*finding).clone()).into_iter().collect()),
        None => Err(Error::new(Kind::Declined, "none was chosen")),
    }
}

/// Whether there is a choice, and a person at the terminal who can be asked.
pub(super) fn may_ask(outcome: &Outcome, args: &ProposeArgs, session: &Session) -> bool {
    let asks = matches!(outcome, Outcome::Refused { refusal, .. } if !refusal.choices.is_empty());
    let unanswered = args.place.choose.is_empty() && args.yes.is_none() && !args.all;
    asks && unanswered && args.output == ProposalFormat::Text && session.ui.can_ask()
}

/// The number of the change that a person wants, from 1; `None` is none of them.
pub(super) async fn ask(outcome: &Outcome, session: &Session) -> Option<usize> {
    let Outcome::Refused { refusal, .. } = outcome else { return None };
    session.ui.number("Which change", refusal.choices.len()).await
}

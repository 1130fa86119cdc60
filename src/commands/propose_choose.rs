//! Which change it is to be, when facts leave several.

use super::Session;
use super::look::Seen;
use super::propose::ProposeArgs;
use crate::error::Error;
use crate::fix;
use crate::model::finding::Finding;
use crate::model::proposal::Outcome;
use crate::settings::flags::ProposalFormat;

/// `--choose` answers for one finding.
pub(super) fn check(args: &ProposeArgs, findings: &[Finding], seen: &Seen) -> Result<(), Error> {
    if args.place.choose.is_empty() || args.revert || args.place.intent.is_some() {
        return Ok(());
    }
    let asks =
        |finding: &&Finding| fix::candidates(&seen.snapshot, finding).is_err_and(|refusal| !refusal.choices.is_empty());
    let asking: Vec<String> = findings.iter().filter(asks).map(|f| format!("{} {}", f.object, f.code)).collect();
    if asking.len() < 2 {
        return Ok(());
    }
    Err(Error::usage(format!("--choose answers for one finding, and {} have changes to choose from", asking.len()))
        .because(asking.join("; "))
        .hint("name one object, or leave --choose away"))
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

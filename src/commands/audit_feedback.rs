//! `aifix audit feedback`: a person's word on a fix.

use super::Session;
use super::audit::Records;
use crate::error::{Error, exit};
use crate::model::record::Phase;
use crate::repo::Repo;
use crate::settings::environment;
use crate::text::Sanitised;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::path::Path;

/// Say whether a fix was right: it moves fixes of the same code and shape up or down
///
/// A word outweighs what `aifix status` saw; the last one counts. No lesson changes a fix, its proof, or what
/// policies say of it: only the order in which fixes are tried, and the examples that a model is given.
#[derive(Debug, Args)]
pub struct FeedbackArgs {
    /// Record of the fix, or the start of its id
    #[arg(value_name = "RECORD")]
    pub record: String,

    /// What you think of it
    #[arg(value_enum, value_name = "WORD")]
    pub word: Word,

    /// Why, in a sentence; it is shown with the fixes that it moves
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
}

/// A person's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Word {
    Accept,
    Reject,
}

pub(super) fn run(args: &FeedbackArgs, session: &Session) -> Result<u8, Error> {
    let records = Records::of(session)?;
    let shown = Sanitised::line(&args.record).to_string();
    let none =
        || Error::usage(format!("there is no record `{shown}`")).hint("records are made by `aifix propose --push`");
    let entries = records.open()?.ok_or_else(none)?.entries(&args.record)?;
    let proposed = entries.iter().find(|entry| entry.phase == Phase::Proposed);
    let Some(proposed) = proposed else {
        return Err(Error::usage(format!("record `{shown}` holds no fix"))
            .because("it tells of a refusal")
            .hint(format!("see it: `aifix audit show {shown}`")));
    };
    let word = match args.word {
        Word::Accept => "accept",
        Word::Reject => "reject",
    };
    let who = Repo::discover(Path::new("."), session.environment.0.clone()).ok().and_then(|repo| repo.identity());
    let body = json!({"verdict": word, "note": args.note, "who": who});
    let mut store = records.make()?;
    store.append(Some(&proposed.record), Phase::Feedback, &environment::now().to_string(), body)?;
    let text = |pointer: &str| proposed.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let of = format!("{} of {}/{}", text("/failure/code"), text("/failure/object/kind"), text("/failure/object/name"));
    let mut page = session.ui.page();
    page.line(format_args!("Recorded: the fix for {} is {word}ed.", Sanitised::line(&of)));
    session.ui.print(page.as_str())?;
    Ok(exit::DONE)
}

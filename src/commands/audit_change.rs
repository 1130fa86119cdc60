//! `aifix audit erase` and `rotate-key`.

use super::Session;
use super::audit::Records;
use super::audit_git::repository;
use crate::error::{Error, Kind, exit};
use crate::model::record::{Entry, Phase};
use crate::output::verified;
use crate::settings::environment;
use crate::text::Sanitised;
use crate::ui::Paint;
use clap::Args;
use serde_json::{Value, json};

/// Erase what a record holds of evidence, for good
///
/// What was seen, what a model was asked and what it answered are overwritten; the change, the verdicts and the
/// hashes stay, and the chain holds. An entry says who erased it. Backups, exports and the messages of pushed
/// commits are not touched.
#[derive(Debug, Args)]
pub struct EraseArgs {
    /// Its id, or the start of it
    #[arg(value_name = "RECORD")]
    pub record: String,

    /// Erase evidence, prompt and answers
    #[arg(long, required = true)]
    pub evidence: bool,

    /// Why, for the entry that says so
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,

    /// Do not ask
    #[arg(long)]
    pub yes: bool,
}

pub(super) async fn erase(args: &EraseArgs, session: &Session) -> Result<u8, Error> {
    let mut store = Records::of(session)?.expect_writable()?;
    let entries = store.entries(&args.record)?;
    let Some(first) = entries.first() else { return Ok(exit::DONE) };
    let id = Sanitised::line(&first.record).to_string();
    if !args.yes {
        if !session.ui.can_ask() {
            return Err(Error::new(Kind::Declined, "there is nobody to ask: this is not a terminal")
                .hint(format!("to erase it unasked: aifix audit erase {id} --evidence --yes")));
        }
        let question = format!("Erase evidence, prompt and answers of record {id} ({}) for good?", about(first));
        if !session.ui.confirm(&question).await {
            return Err(Error::new(Kind::Declined, "nothing was erased"));
        }
    }
    let body = json!({"who": who(session), "reason": args.reason});
    let erased = store.erase(&first.record, &environment::now().to_string(), body)?;
    let mut page = session.ui.page();
    page.put(Paint::Green, "erased").line(format_args!(
        ": evidence of {} in record {id}; entry {} says so",
        verified::entries(erased.entries.len() as u64),
        erased.entry.seq
    ));
    session.ui.print(page.as_str())?;
    if !erased.whole.is_empty() {
        let kept: Vec<String> = erased.whole.iter().map(u64::to_string).collect();
        session.ui.warn(format_args!("an older aifix wrote entries {} whole: they keep theirs", kept.join(", ")));
    }
    let pushed = entries.iter().filter(|entry| entry.phase == Phase::Pushed);
    if let Some(commit) = pushed.filter_map(|entry| entry.body.get("commit")?.as_str()).next() {
        session.ui.warn(format_args!("the message of commit {} still quotes evidence", Sanitised::line(commit)));
    }
    Ok(exit::DONE)
}

/// `oom-killed of Deployment shop/web`, or `policy memory_limit_lowered_in_shop`.
fn about(entry: &Entry) -> String {
    if let Some(policy) = entry.body.pointer("/suggestion/name").and_then(Value::as_str) {
        return format!("policy {policy}");
    }
    let says = |pointer: &str| entry.body.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    format!("{} of {} {}", says("/failure/code"), says("/failure/object/kind"), says("/failure/object/name"))
}

/// Who runs this: as Git knows them, else as the system does.
fn who(session: &Session) -> String {
    let known = repository(None, false, session).ok().flatten().and_then(|repo| repo.identity());
    let user = || session.environment.get("USER").map(|user| user.to_string_lossy().into_owned());
    known.or_else(user).unwrap_or_default()
}

pub(super) fn rotate(session: &Session) -> Result<u8, Error> {
    let rotated = Records::of(session)?.expect_writable()?.rotate()?;
    let mut page = session.ui.page();
    page.put(Paint::Green, "in use").line(format_args!(": key {}, of {} keys", rotated.key, rotated.keys));
    session.ui.print(page.as_str())?;
    session.ui.say("Keep a backup of the key file: without the old keys what they wrote does not verify.");
    Ok(exit::DONE)
}

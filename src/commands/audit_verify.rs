//! `aifix audit verify`: does the chain hold, what it proves.

use super::Session;
use super::audit::Records;
use super::audit_git::repository;
use crate::audit::{Store, Verified};
use crate::error::{Error, Kind, exit};
use crate::model::published::Published;
use crate::output::records;
use crate::output::verified::{self, Compared};
use crate::text::Sanitised;
use clap::Args;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Check that no entry was changed, added or taken away
///
/// The key lies beside the store: the check finds accidents and other people's edits. Against the owner of
/// the key the proof is the `Aifix-Record:` trailer in the commits that were pushed: inside of a clone they are
/// compared with the records.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Clone whose commits are compared with the records [default: the one around the current folder]
    #[arg(long, value_name = "PATH")]
    pub repo: Option<PathBuf>,
}

pub(super) fn run(args: &VerifyArgs, session: &Session) -> Result<u8, Error> {
    let at = Records::of(session)?;
    let mut page = session.ui.page();
    let Some(store) = at.open()? else {
        records::none(&mut page, &at.folder.display().to_string());
        session.ui.print(page.as_str())?;
        return Ok(exit::DONE);
    };
    let found = store.verify()?;
    if let Some(error) = broken(&found) {
        return Err(error);
    }
    let compared = match repository(args.repo.as_deref(), false, session)? {
        None => None,
        Some(repo) => {
            let place = repo.root().unwrap_or(Path::new("the repository")).display().to_string();
            match repo.published() {
                Ok(commits) => Some(compare(&store, &commits, place)?),
                Err(error) if args.repo.is_some() => return Err(error),
                // Nobody asked for it, and the chain holds.
                Err(error) => {
                    session.ui.warn(Sanitised::line(&error.to_string()));
                    None
                }
            }
        }
    };
    if let Some(error) = compared.as_ref().and_then(contradicted) {
        return Err(error);
    }
    verified::write(&mut page, &found, compared.as_ref(), session.ui.width());
    session.ui.print(page.as_str())?;
    Ok(exit::DONE)
}

fn broken(verified: &Verified) -> Option<Error> {
    let bad = verified.first_bad.as_ref()?;
    let record = Sanitised::line(&bad.record);
    let of = if bad.record.is_empty() { String::new() } else { format!(" of record {record}") };
    let error = Error::new(Kind::Denied, format!("the records do not hold: entry {}{of}", bad.seq)).because(&bad.why);
    Some(if bad.why.contains("which the key file does not hold") {
        error.hint("name the file that holds the key: set AIFIX_AUDIT_KEY_FILE")
    } else {
        error.hint("compare with the `Aifix-Record:` trailers of the pushed commits")
    })
}

/// What commits say against what records say.
fn compare(store: &Store, commits: &[Published], place: String) -> Result<Compared, Error> {
    let mut compared = Compared { place, ..Compared::default() };
    let hashes = store.hashes()?;
    for commit in commits {
        if hashes.contains(&commit.record) {
            compared.matching += 1;
        } else {
            compared.foreign += 1;
        }
    }
    let trailers: BTreeMap<&str, &str> =
        commits.iter().map(|commit| (commit.commit.as_str(), commit.record.as_str())).collect();
    for pushed in store.pushed()? {
        match trailers.get(pushed.commit.as_str()) {
            None => compared.unseen += 1,
            Some(trailer) if *trailer == pushed.hash => {}
            Some(_) => compared.contradicted.push((pushed.record, pushed.commit)),
        }
    }
    Ok(compared)
}

fn contradicted(compared: &Compared) -> Option<Error> {
    let (record, commit) = compared.contradicted.first()?;
    let message = format!(
        "the records do not hold: record {} is not what commit {} was pushed with",
        Sanitised::line(record),
        Sanitised::line(commit)
    );
    Some(
        Error::new(Kind::Denied, message)
            .because("its `Aifix-Record:` names another hash: the record was written anew by who has the key")
            .hint(format!("see what the commit says: aifix audit show {} --git", Sanitised::line(commit))),
    )
}

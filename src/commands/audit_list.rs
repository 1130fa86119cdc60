//! `aifix audit list`, `show` and `search`.

use super::Session;
use super::audit::{Records, WhichArgs, commits};
use super::audit_git::Git;
use crate::error::{Error, exit};
use crate::model::published::Published;
use crate::output::{json, published, records};
use crate::settings::flags::ReportFormat;
use crate::text::{Sanitised, nearest};
use clap::Args;

/// List the newest records
///
/// Where this machine has none, the commits of the clone around the current folder tell of the team's.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// How many at most
    #[arg(long, default_value = "20", value_name = "N")]
    pub max: usize,

    #[command(flatten)]
    pub git: Git,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,

    #[command(flatten)]
    pub which: WhichArgs,
}

/// Show one record whole
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its id, or the start of it; with --git a commit, or the hash of its `Aifix-Record:`
    #[arg(value_name = "RECORD")]
    pub record: String,

    #[command(flatten)]
    pub git: Git,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,
}

/// Find the records that say something
///
/// In evidence, prompts, answers, changes, verdicts or commits, in any case. What was erased is not found.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// What they say
    #[arg(value_name = "TEXT")]
    pub text: String,

    /// How many at most
    #[arg(long, default_value = "20", value_name = "N")]
    pub max: usize,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,

    #[command(flatten)]
    pub which: WhichArgs,
}

/// What commits say.
pub(super) struct Team {
    pub(super) commits: Vec<Published>,
    /// The clone that they were read in.
    pub(super) place: String,
}

pub(super) fn list(args: &ListArgs, session: &Session) -> Result<u8, Error> {
    let at = Records::of(session)?;
    // What commits say needs no key and no store.
    let store = if args.git.is_asked() { None } else { at.open()? };
    let mut page = session.ui.page();
    let select = args.which.select(None);
    if let Some(store) = store {
        let latest = store.select(&select, args.max)?;
        return match args.output {
            ReportFormat::Json => print(&json::records(&latest)?, session),
            ReportFormat::Text => {
                records::list(&mut page, &latest);
                print(page.as_str(), session)
            }
        };
    }
    let team = commits(&args.git, None, session)?;
    let Some(mut team) = team.filter(|team| args.git.is_asked() || !team.commits.is_empty()) else {
        return match args.output {
            ReportFormat::Json => print(&json::records(&[])?, session),
            ReportFormat::Text => {
                records::none(&mut page, &at.folder.display().to_string());
                print(page.as_str(), session)
            }
        };
    };
    team.commits.retain(|commit| published::takes(commit, &select));
    team.commits.truncate(args.max);
    match args.output {
        ReportFormat::Json => print(&json::published(&team.commits)?, session),
        ReportFormat::Text => {
            session.ui.say(format_args!("From the commits of {}:", Sanitised::line(&team.place)));
            published::list(&mut page, &team.commits);
            print(page.as_str(), session)
        }
    }
}

pub(super) fn show(args: &ShowArgs, session: &Session) -> Result<u8, Error> {
    let at = Records::of(session)?;
    let store = if args.git.is_asked() { None } else { at.open()? };
    let mut page = session.ui.page();
    if let Some(store) = store {
        let entries = store.entries(&args.record)?;
        return match args.output {
            ReportFormat::Json => print(&json::record(&entries)?, session),
            ReportFormat::Text => {
                records::show(&mut page, &entries, session.ui.width());
                print(page.as_str(), session)
            }
        };
    }
    let unknown = || Error::usage(format!("there is no record `{}`", Sanitised::line(&args.record)));
    let Some(team) = commits(&args.git, None, session)? else {
        return Err(unknown().hint("records are made by `aifix propose --push`"));
    };
    let found = find(&team, &args.record).map_err(|hint| unknown().hint(hint))?;
    match args.output {
        ReportFormat::Json => print(&json::published(std::slice::from_ref(found))?, session),
        ReportFormat::Text => {
            published::show(&mut page, found, session.ui.width());
            print(page.as_str(), session)
        }
    }
}

/// The one commit that is meant, or what to type instead.
fn find<'t>(team: &'t Team, typed: &str) -> Result<&'t Published, String> {
    let typed = typed.to_lowercase();
    let is_meant = |commit: &&Published| commit.commit.starts_with(&typed) || commit.record.starts_with(&typed);
    let meant: Vec<&Published> = team.commits.iter().filter(|_| !typed.is_empty()).filter(is_meant).collect();
    match meant.as_slice() {
        [only] => Ok(only),
        [] => {
            let names = team.commits.iter().map(|commit| commit.commit.as_str());
            Err(match nearest(&typed, names) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "list what commits say: aifix audit list --git".to_owned(),
            })
        }
        [first, ..] => Err(format!("{} commits start so: give more, such as `{}`", meant.len(), first.commit)),
    }
}

pub(super) fn search(args: &SearchArgs, session: &Session) -> Result<u8, Error> {
    let store = Records::of(session)?.expect()?;
    let found = store.select(&args.which.select(Some(&args.text)), args.max)?;
    match args.output {
        ReportFormat::Json => print(&json::records(&found)?, session),
        ReportFormat::Text => {
            let mut page = session.ui.page();
            records::found(&mut page, &found, &args.text);
            if found.is_empty() {
                session.ui.say("No record says that.");
            }
            print(page.as_str(), session)
        }
    }
}

fn print(text: &str, session: &Session) -> Result<u8, Error> {
    session.ui.print(text)?;
    Ok(exit::DONE)
}

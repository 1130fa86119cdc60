//! `aifix status`: what became of pushed fixes.

use super::audit::Records;
use super::status_cluster::Looks;
use super::status_git::Clone;
use super::{Session, status_cluster, status_forge, status_git, status_shared};
use crate::audit::Store;
use crate::error::{Error, exit};
use crate::follow::{self, End, Seen, State, Subject};
use crate::forge;
use crate::model::record::{Entry, Phase};
use crate::output::status::{self as written, Row};
use crate::settings::environment;
use crate::settings::flags::{LookArgs, ReportFormat, duration};
use crate::text::{self, Sanitised};
use clap::Args;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// How long apart two looks of `--wait` are at most.
const INTERVAL: Duration = Duration::from_secs(10);

/// Follow pushed fixes: reviewed, merged, synced, rolled out, healed, worse, reverted, drifted
///
/// Git, the forge and the cluster are asked, each as far as it can be; what was not looked at is named and never
/// counts as well. A merge is recognised by its content, too: squashed, rebased, or with other values than proposed.
/// What is new is written into the record. Where the record is not here, as on a colleague's machine, the fixes that
/// `aifix/` branches and commits of the base branch tell of are followed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  aifix status                 the newest pushed fix
  aifix status 00112233        the one of this record
  aifix status --all           all of them
  aifix status --wait 15m      until it is healed (exit 0), or worse, reverted or closed (exit 1)")]
pub struct StatusArgs {
    /// Record of the fix, or the start of its id [default: the newest that was pushed]
    #[arg(value_name = "RECORD")]
    pub record: Option<String>,

    /// Every fix that was pushed, newest first
    #[arg(long, conflicts_with = "record")]
    pub all: bool,

    /// With --all: how many at most
    #[arg(long, value_name = "N", default_value = "20", requires = "all")]
    pub max: usize,

    /// Look again until it is healed, worse, reverted or closed, for so long at most: 15m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,

    /// How long the failure must be gone, or still be there, before that counts
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration)]
    pub stable: Duration,

    /// A clone of the repository, or its address: the clone that `propose --repo` made of it
    #[arg(long, value_name = "PATH|URL", default_value = ".")]
    pub repo: PathBuf,

    /// What the remote's host is [default: known by its name, else asked of it]
    #[arg(long, value_enum, value_name = "KIND")]
    pub forge: Option<forge::Kind>,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,

    #[command(flatten)]
    pub look: LookArgs,
}

pub(super) async fn run(args: &StatusArgs, session: &Session) -> Result<u8, Error> {
    let clone = Clone::open(&args.repo, session);
    let all = followed(args, &clone, session).await?;
    if all.is_empty() {
        match args.output {
            ReportFormat::Json => session.ui.print(&written::json(&[])?)?,
            ReportFormat::Text => session.ui.print("No fix was pushed.\n")?,
        }
        return Ok(exit::DONE);
    }
    let began = Instant::now();
    let mut shown = Vec::new();
    loop {
        let rows = look(args, &all, &clone, session).await?;
        let open: Vec<&Row> = rows.iter().filter(|row| row.state.end == End::Open).collect();
        let left = args.wait.map(|wait| wait.saturating_sub(began.elapsed())).unwrap_or_default();
        if open.is_empty() || left.is_zero() {
            print(args, &rows, session)?;
            return Ok(code(args, &rows));
        }
        let phases: Vec<String> =
            rows.iter().map(|row| format!("{}: {}", row.subject.object, row.state.phase.name())).collect();
        if phases != shown {
            session.ui.say(Sanitised::line(&phases.join(", ")));
            shown = phases;
        }
        let seconds = text::duration(i64::try_from(left.as_secs()).unwrap_or(i64::MAX));
        let what = Sanitised::line(&shown.join(", ")).to_string();
        let _progress = session.ui.progress(&format!("Waiting, {seconds} left; {what}"));
        tokio::time::sleep(interval(args.wait).min(left)).await;
    }
}

/// A tenth of the whole time, at least a second.
fn interval(wait: Option<Duration>) -> Duration {
    wait.map_or(INTERVAL, |wait| (wait / 10).clamp(Duration::from_secs(1), INTERVAL))
}

/// A fix to follow.
enum Followed {
    /// Of this record.
    Here(String),
    /// Of a colleague, or of another machine: only its commit is here.
    Commit(Box<Subject>),
}

/// The fixes that are followed: those of records, and with --all, or where no record is, those that Git tells of.
async fn followed(args: &StatusArgs, clone: &Clone, session: &Session) -> Result<Vec<Followed>, Error> {
    let store = open(session)?;
    if let (Some(record), Some(store)) = (&args.record, &store)
        && let Ok(entries) = store.entries(record)
    {
        if Subject::of(&entries).is_none() {
            let proposed = Subject::proposed(&entries).ok_or_else(|| unfollowed(&entries))?;
            // A run that was killed between the push and its entry has left a branch that names the record.
            let mut shared = status_shared::find(clone, &BTreeSet::new(), session).await.into_iter();
            if let Some(found) = shared.find(|found| found.hash == proposed.hash) {
                let Subject { branch, commit, remote, pushed, .. } = found;
                let subject = Subject { branch, commit, remote, pushed, ..proposed };
                return Ok(vec![Followed::Commit(Box::new(subject))]);
            }
        }
        return Ok(vec![Followed::Here(entries.first().map(|entry| entry.record.clone()).unwrap_or_default())]);
    }
    let records = store.as_ref().map(|store| store.latest(usize::MAX)).transpose()?.unwrap_or_default();
    let pushed: Vec<Subject> = records.iter().filter_map(|entries| Subject::of(entries)).collect();
    let mut all: Vec<Followed> = pushed.iter().map(|subject| Followed::Here(subject.record.clone())).collect();
    if args.record.is_none() && !args.all && !all.is_empty() {
        all.truncate(1);
        return Ok(all);
    }
    let known = pushed.into_iter().map(|subject| subject.hash).collect();
    let shared = status_shared::find(clone, &known, session).await;
    if let Some(record) = &args.record {
        let mut named = shared.into_iter().filter(|subject| subject.hash.starts_with(record));
        return match (named.next().filter(|_| !record.is_empty()), named.next(), store) {
            (Some(subject), None, _) => Ok(vec![Followed::Commit(Box::new(subject))]),
            (_, _, Some(store)) => store.entries(record).map(|_| Vec::new()),
            (_, _, None) => Err(Error::usage(format!("there is no record `{}`", Sanitised::line(record)))
                .hint("records are made by `aifix propose --push`")),
        };
    }
    all.extend(shared.into_iter().map(|subject| Followed::Commit(Box::new(subject))));
    all.truncate(if args.all { args.max } else { 1 });
    Ok(all)
}

/// Why a record is not followed.
fn unfollowed(entries: &[Entry]) -> Error {
    let id = entries.first().map(|entry| entry.record.as_str()).unwrap_or_default();
    let id = Sanitised::line(id);
    let what = match entries.iter().any(|entry| entry.body.get("suggestion").is_some()) {
        true => format!("record `{id}` is of a policy, which heals nothing by itself"),
        false => format!("nothing of record `{id}` was pushed"),
    };
    Error::usage(what).hint(format!("see what became of it: `aifix audit show {id}`"))
}

fn open(session: &Session) -> Result<Option<Store>, Error> {
    Records::of(session)?.open()
}

/// Looks once at each, and writes down what is new.
async fn look(args: &StatusArgs, all: &[Followed], clone: &Clone, session: &Session) -> Result<Vec<Row>, Error> {
    let mut looks = Looks::default();
    let mut fetched = status_git::Fetched::default();
    let mut rows = Vec::new();
    for one in all {
        let subject = match one {
            Followed::Commit(subject) => Some(subject.as_ref().clone()),
            Followed::Here(id) => {
                let entries = open(session)?.map(|store| store.entries(id)).transpose()?.unwrap_or_default();
                let subject = Subject::of(&entries);
                if subject.is_none() {
                    let subject = Subject::proposed(&entries).ok_or_else(|| unfollowed(&entries))?;
                    rows.push(Row { subject, state: follow::waiting(), recorded: Vec::new() });
                }
                subject
            }
        };
        let Some(subject) = subject else { continue };
        let progress = session.ui.progress(&format!("Looking at {}", Sanitised::line(&subject.object.to_string())));
        let git = status_git::ask(&subject, clone, &mut fetched, session).await;
        let forge = status_forge::ask(&subject, clone, args.forge, session).await;
        let wanted = follow::wanted(&subject, &git, &forge);
        let cluster = status_cluster::ask(&subject, &wanted, &args.look, &mut looks, session).await;
        let seen = Seen { git, forge, cluster };
        let stable = i64::try_from(args.stable.as_secs()).unwrap_or(i64::MAX);
        let contains = |tip: &str, commit: &str| clone.contains(tip, commit);
        let state = follow::judge(&subject, &seen, contains, stable);
        drop(progress);
        let recorded = match one {
            Followed::Here(_) => write_down(&subject, &state, session),
            Followed::Commit(_) => Vec::new(),
        };
        rows.push(Row { subject, state, recorded });
    }
    Ok(rows)
}

/// Appends what is new; a store that can't be written is said, and the answer stands.
fn write_down(subject: &Subject, state: &State, session: &Session) -> Vec<Phase> {
    let news = follow::news(subject, state);
    if news.is_empty() {
        return Vec::new();
    }
    let append = || {
        let mut store = Records::of(session)?.make()?;
        let mut written = Vec::new();
        for (phase, body) in news {
            store.append(Some(&subject.record), phase, &environment::now().to_string(), body)?;
            written.push(phase);
        }
        Ok::<_, Error>(written)
    };
    append().unwrap_or_else(|error| {
        session.ui.error(&error);
        Vec::new()
    })
}

fn print(args: &StatusArgs, rows: &[Row], session: &Session) -> Result<(), Error> {
    match args.output {
        ReportFormat::Json => session.ui.print(&written::json(rows)?),
        ReportFormat::Text => {
            let mut page = session.ui.page();
            written::text(&mut page, rows, session.ui.width());
            session.ui.print(page.as_str())
        }
    }
}

/// Waiting ends well, ill, or without an answer; a single look is an answer, unless nothing at all could be seen.
fn code(args: &StatusArgs, rows: &[Row]) -> u8 {
    let ends = |end: End| rows.iter().any(|row| row.state.end == end);
    if args.wait.is_some() {
        return match (ends(End::Ill), ends(End::Open)) {
            (true, _) => exit::FOUND,
            (false, true) => exit::GAP,
            (false, false) => exit::DONE,
        };
    }
    let blind = |row: &Row| {
        row.state.phase != Phase::Proposed && row.state.lines.iter().all(|line| line.source == follow::Source::Record)
    };
    if rows.iter().any(blind) { exit::GAP } else { exit::DONE }
}

//! `aifix policy suggest`: patterns become policies to review.

use super::audit::Records;
use super::{Session, audit_patterns};
use crate::audit::Store;
use crate::error::{Error, Kind, exit};
use crate::learn::{self, PastChange, Suggestion};
use crate::model::history::FileAt;
use crate::model::proposal::FileChange;
use crate::model::record::Phase;
use crate::output::suggest as written;
use crate::repo::{Branch, CommitId, Remote, Repo};
use crate::settings::environment;
use crate::settings::flags::ReportFormat;
use crate::text::Sanitised;
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Commits of the base branch whose changes are weighed.
const COMMITS: usize = 500;
/// Files of one commit that are read at most.
const FILES: usize = 200;
/// Where a repository keeps policies of its own.
const FOLDER: &str = ".aifix/policies";

/// Make policies of patterns in the records: a change that incidents followed is denied from then on
///
/// Each comes with tests, its evidence, and the changes of the past that it would have stopped rightly and wrongly,
/// from the records and the last 500 commits of the base branch. One that would have stopped more harmless changes
/// than harmful ones is not made. Without --push it is only shown; with it, it is a branch to review like any fix,
/// and nothing follows it before it is merged.
#[derive(Debug, Args)]
pub struct SuggestArgs {
    /// Push each as a branch of its own, after a yes
    #[arg(long)]
    pub push: bool,

    /// Answer yes
    #[arg(long, requires = "push")]
    pub yes: bool,

    /// Clone of the repository whose history is weighed, and that gets the branch
    #[arg(long, value_name = "PATH", default_value = ".")]
    pub repo: PathBuf,

    /// Remote to fetch from and push to [default: origin, or the only one]
    #[arg(long, value_name = "NAME")]
    pub remote: Option<String>,

    /// Branch to base it on [default: the remote's default branch]
    #[arg(long, value_name = "BRANCH")]
    pub base: Option<String>,

    /// How to write the answer
    #[arg(short, long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub output: ReportFormat,
}

pub(super) async fn run(args: &SuggestArgs, session: &Session) -> Result<u8, Error> {
    if args.push && args.output == ReportFormat::Json && !args.yes {
        return Err(Error::usage("a question can't be asked while stdout is for another program")
            .hint("add --yes, or leave --output away"));
    }
    let records = audit_patterns::records(session)?;
    let opened = Repo::discover(&args.repo, session.environment.0.clone());
    let repo = match opened {
        Ok(repo) => Some(repo),
        Err(error) if args.push => return Err(error),
        Err(error) => {
            session.ui.warn(format_args!("no history is weighed: {}", error.message));
            None
        }
    };
    let base = match &repo {
        Some(repo) if args.push => Some(fetch(args, repo, session).await?),
        Some(repo) => repo.head().map(|head| (head, String::new())),
        None => None,
    };
    let past = match (&repo, &base) {
        (Some(repo), Some((base, _))) => past(repo, base),
        _ => Vec::new(),
    };
    let (made, unmade) = learn::suggest(&records, &past);
    match args.output {
        ReportFormat::Json => session.ui.print(&written::json(&made, &unmade)?)?,
        ReportFormat::Text => {
            let mut page = session.ui.page();
            written::text(&mut page, &made, &unmade, session.ui.width());
            session.ui.print(page.as_str())?;
        }
    }
    if let (Some(repo), Some(base), true) = (&repo, &base, args.push) {
        for suggestion in &made {
            push(suggestion, args, repo, base, session).await?;
        }
    }
    Ok(exit::DONE)
}

/// The tip of the base branch, and the branch's name.
async fn fetch(args: &SuggestArgs, repo: &Repo, session: &Session) -> Result<(CommitId, String), Error> {
    let remote = repo.remote(args.remote.as_deref())?;
    let ask = session.ui.can_ask();
    let branch = repo.base_branch(&remote, args.base.as_deref(), ask).await?;
    let tip = repo.fetch(&remote, &branch, ask).await?;
    Ok((tip, branch.as_str().to_owned()))
}

/// Fields that the last commits of a branch changed.
fn past(repo: &Repo, tip: &CommitId) -> Vec<PastChange> {
    let mut out = Vec::new();
    let mut here = Some(*tip);
    for _ in 0..COMMITS {
        let Some(commit) = here else { break };
        let Some(facts) = repo.commit_facts(&commit) else { break };
        here = facts.parents.first().and_then(|id| CommitId::parse(id));
        let Some(parent) = here.filter(|parent| repo.has(parent)) else { break };
        let is_manifest = |path: &&String| path.ends_with(".yaml") || path.ends_with(".yml");
        let bytes = |at: &CommitId, path: &str| match repo.file_at(at, path) {
            FileAt::Here(bytes) => Some(bytes),
            FileAt::Absent | FileAt::Unread => None,
        };
        for path in repo.changed_paths(&parent, &commit).iter().filter(is_manifest).take(FILES) {
            let (before, after) = (bytes(&parent, path), bytes(&commit, path));
            let shown = facts.shown();
            out.extend(learn::past_changes(&facts.id, &shown, before.as_deref(), after.as_deref()));
        }
    }
    out
}

/// Commits policy and tests on a branch of their own, and pushes it after a yes.
async fn push(
    suggestion: &Suggestion,
    args: &SuggestArgs,
    repo: &Repo,
    (base, base_branch): &(CommitId, String),
    session: &Session,
) -> Result<(), Error> {
    let remote = repo.remote(args.remote.as_deref())?;
    let name = format!("aifix/policies/{}", suggestion.name.replace('_', "-"));
    let branch = Branch::parse(&name)?;
    let shown = Sanitised::line(&remote.push_url.to_string()).to_string();
    if repo.branches(&remote, &name).await?.contains_key(&name) {
        session.ui.say(format_args!("{name} is open at {shown} already"));
        return Ok(());
    }
    let tree = repo.tree(base)?;
    let file = |ending: &str, text: &str| {
        let path = format!("{FOLDER}/{}{ending}", suggestion.name);
        let before = tree.file(&path).map(<[u8]>::to_vec);
        FileChange { path, before, after: Some(text.as_bytes().to_vec()) }
    };
    let files = [file(".rego", &suggestion.policy), file("_test.rego", &suggestion.test)];
    if files.iter().all(|file| file.before == file.after) {
        session.ui.say(format_args!("{} is in the base branch already", suggestion.name));
        return Ok(());
    }
    let mut record = Recorded::begin(&suggestion.body(&name), base_branch, &remote, repo, session)?;
    if let Err(no) = allowed(args, &format!("Push {name} to {shown}?"), session).await {
        // What has hints was nobody's answer.
        let by = no.hints.is_empty().then(|| repo.identity().unwrap_or_default());
        record.add(Phase::Declined, json!({"reason": no.message, "by": by}))?;
        if no.hints.is_empty() {
            session.ui.say("Nothing was pushed.");
            return Ok(());
        }
        return Err(no);
    }
    let commit = repo.commit(base, &files, &written::message(suggestion, &record.hash), &branch)?;
    let (by, how) = (repo.identity().unwrap_or_default(), if args.yes { "--yes" } else { "yes" });
    let answer = json!({"by": by, "how": how, "policies": []});
    let progress = (!session.ui.can_ask()).then(|| session.ui.progress(&format!("Pushing {name}")));
    let pushed = repo.push(&remote, &commit, &branch, session.ui.can_ask()).await;
    drop(progress);
    let commit = commit.to_string();
    if let Err(error) = pushed {
        record.add(Phase::Failed, json!({"commit": commit, "reason": error.to_string(), "answer": answer}))?;
        return Err(error);
    }
    let to = remote.push_url.to_string();
    record.add(Phase::Pushed, json!({"commit": commit, "branch": name, "remote": to, "answer": answer}))?;
    session.ui.say(format_args!("Pushed {name} to {shown}. Review and merge it: nothing follows it before."));
    session.ui.say(format_args!("Its record: aifix audit show {}", record.id));
    Ok(())
}

/// Whether it may be pushed: a flag or a person says so.
async fn allowed(args: &SuggestArgs, question: &str, session: &Session) -> Result<(), Error> {
    if args.yes {
        return Ok(());
    }
    if !session.ui.can_ask() {
        return Err(Error::new(Kind::Declined, "there is nobody to ask: this is not a terminal")
            .hint("add --yes to push the branch"));
    }
    let yes = session.ui.confirm(question).await;
    if yes { Ok(()) } else { Err(Error::new(Kind::Declined, "answered no")) }
}

/// The record of one suggestion.
struct Recorded {
    store: Store,
    id: String,
    /// Of its first entry.
    hash: String,
}

impl Recorded {
    /// Makes it durable before anything is pushed.
    fn begin(
        suggestion: &Value,
        base_branch: &str,
        remote: &Remote,
        repo: &Repo,
        session: &Session,
    ) -> Result<Self, Error> {
        let mut store = Records::of(session)?.make()?;
        let body = json!({
            "suggestion": suggestion,
            "context": {
                "cluster": "", "scope": "", "takenAt": null, "evidence": [], "effects": [], "change": null, "gaps": [],
                "command": session.command(),
                "who": repo.identity().unwrap_or_default(),
                "repository": remote.url.to_string(),
                "baseBranch": base_branch,
                "version": env!("CARGO_PKG_VERSION"),
                "git": repo.git_version().unwrap_or_default(),
            },
        });
        let entry = store.append(None, Phase::Proposed, &environment::now().to_string(), body)?;
        Ok(Self { store, id: entry.record, hash: entry.hash })
    }

    fn add(&mut self, phase: Phase, body: Value) -> Result<(), Error> {
        self.store.append(Some(&self.id), phase, &environment::now().to_string(), body).map(drop)
    }
}

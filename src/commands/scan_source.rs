//! Line and commit in Git beside each finding of a scan.

use super::look::Seen;
use super::parts::Part;
use super::{Session, propose_place};
use crate::error::Error;
use crate::fix;
use crate::model::finding::Finding;
use crate::model::intent::{Author, Disposition, FieldEdit, Intent, Op};
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::proposal::Edit;
use crate::model::report::SourceLine;
use crate::model::tree::Tree;
use crate::repo::{CommitId, Repo};
use crate::source::lead::{self, Lead};
use crate::source::{Candidate, Lines, Pointed, Question, Stop, Tools, blame, point};
use crate::text;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// Time for the renders of one scan; the rest is read off the files.
const TIME: Duration = Duration::from_secs(60);

/// The checked-out revision of a clone, and what was found in it.
pub(super) struct Sources<'s> {
    session: &'s Session,
    repo: Repo,
    head: String,
    tree: Tree,
    /// Commits that controllers name, as far as they are in the clone.
    deployed: BTreeMap<String, Option<Tree>>,
    tools: Tools,
    ends: Option<Instant>,
    /// Repositories that findings come from, and that this is no clone of.
    elsewhere: BTreeSet<String>,
    untried: usize,
}

impl<'s> Sources<'s> {
    pub(super) fn open(folder: &std::path::Path, session: &'s Session) -> Result<Self, Error> {
        let repo = Repo::discover(folder, session.environment.0.clone())?;
        let head = repo.head().ok_or_else(|| {
            Error::usage("--source found no commit to read")
                .hint("commit the manifests, or name another clone with --repo")
        })?;
        Ok(Self {
            session,
            tree: repo.tree(&head)?,
            repo,
            head: head.to_string(),
            deployed: BTreeMap::new(),
            tools: propose_place::tools(session),
            ends: None,
            elsewhere: BTreeSet::new(),
            untried: 0,
        })
    }

    /// Fills in where the checked-out revision writes what the findings are about.
    pub(super) async fn name(&mut self, part: &mut Part, seen: &Seen) -> Result<(), Error> {
        let progress = self.session.ui.progress("Looking for the lines in Git");
        let ends = *self.ends.get_or_insert_with(|| Instant::now() + TIME);
        let set_aside = part.set_aside.iter_mut().map(|one| &mut one.reported);
        let mut known: Vec<(Finding, Option<SourceLine>)> = Vec::new();
        for reported in part.findings.iter_mut().chain(set_aside) {
            let finding = &reported.finding;
            let paths = |finding: &Finding| -> Vec<Path> {
                finding.evidence.iter().filter_map(|one| one.path.clone()).collect()
            };
            let alike = |other: &Finding| {
                other.code == finding.code && other.object == finding.object && paths(other) == paths(finding)
            };
            if let Some((_, line)) = known.iter().find(|(other, _)| alike(other)) {
                reported.source.clone_from(line);
                continue;
            }
            progress.say(&format!("Looking for the line of {}", finding.object));
            let line = self.line(finding, &paths(finding), seen, ends).await?;
            let line = line.map(|(line, edit)| self.dated(line, &edit, ends));
            known.push((finding.clone(), line.clone()));
            reported.source = line;
        }
        Ok(())
    }

    /// Says what was not looked for, and why.
    pub(super) fn tell(&self) {
        for repository in &self.elsewhere {
            let words = format!("some findings come from {repository}: run inside a clone of it, or pass --repo");
            self.session.ui.warn(text::Sanitised::line(&words));
        }
        if self.untried > 0 {
            let left = text::count(self.untried, "finding");
            self.session
                .ui
                .warn(format_args!("the line of {left} was only read off the files: {} s were over", TIME.as_secs()));
        }
    }

    async fn line(
        &mut self,
        finding: &Finding,
        paths: &[Path],
        seen: &Seen,
        ends: Instant,
    ) -> Result<Option<(SourceLine, Edit)>, Error> {
        let mut within = None;
        for intent in intents(finding, paths, seen) {
            // What two controllers claim, or one renders elsewhere, is proved by no folder here.
            let Ok(found) = lead::find(&seen.snapshot, &intent.object) else { continue };
            if let Some(away) = found.lead.as_ref().and_then(|lead| self.elsewhere(lead)) {
                self.elsewhere.insert(away);
                return Ok(None);
            }
            let Some(live) = seen.snapshot.seen(&intent.object) else { continue };
            if Instant::now() >= ends {
                self.untried += 1;
                break;
            }
            self.read(found.lead.as_ref());
            let revisions = found.lead.iter().flat_map(|lead| &lead.revisions);
            let deployed: Vec<Candidate<'_>> = revisions
                .filter_map(|(id, _)| Some(Candidate { revision: id, tree: self.deployed.get(id)?.as_ref()? }))
                .collect();
            let question = Question {
                base: Candidate { revision: &self.head, tree: &self.tree },
                deployed: &deployed,
                path: None,
                values: &[],
                found: &found,
                live: &live.to_value(),
                intent: &intent,
                fields: &crate::schema::NoCluster,
                maps: &crate::schema::NoCluster,
                choose: None,
                allow_shared: true,
                repo: "",
                branch: "HEAD",
                tools: &self.tools,
            };
            match point(&question, ends).await {
                Ok(Pointed::Line(line)) => return Ok(Some(*line)),
                Ok(Pointed::Within(files)) => within = within.or(Some(files)),
                Err(Stop::Refused(_)) => {}
                Err(Stop::Failed(error)) => return Err(error),
            }
        }
        let paths: Vec<&Path> = paths.iter().collect();
        Ok(Lines::of(&self.tree).find(&finding.object, &paths, within.as_ref()))
    }

    /// The line with the commit that brought its value, as far as the clone has the history, and there is time.
    fn dated(&self, line: SourceLine, edit: &Edit, ends: Instant) -> SourceLine {
        let commit = if Instant::now() < ends { blame(&self.repo, &self.head, edit) } else { None };
        SourceLine { commit, ..line }
    }

    /// The repository that a controller reads, when this is no clone of it.
    fn elsewhere(&self, lead: &Lead) -> Option<String> {
        let remotes = self.repo.remotes();
        let is_it = remotes.is_empty() || remotes.iter().any(|remote| lead.is_of(&remote.url.identity()));
        if is_it { None } else { lead.shown() }
    }

    /// Reads the commits that a controller names, without fetching any.
    fn read(&mut self, lead: Option<&Lead>) {
        for (id, _) in lead.into_iter().flat_map(|lead| &lead.revisions) {
            if *id == self.head || self.deployed.contains_key(id) {
                continue;
            }
            let commit = CommitId::parse(id).filter(|commit| self.repo.has(commit));
            let tree = commit.and_then(|commit| self.repo.tree(&commit).ok());
            self.deployed.insert(id.clone(), tree);
        }
    }
}

/// What the rules would change; else another value in each field that the evidence names, to see what makes it.
fn intents(finding: &Finding, paths: &[Path], seen: &Seen) -> Vec<Intent> {
    let ruled = fix::candidates(&seen.snapshot, finding).unwrap_or_default();
    let Some(live) = seen.snapshot.resolve(&finding.object).map(Object::to_value) else { return ruled };
    let probes = paths.iter().filter_map(|path| {
        let old = path.get(&live)?;
        let edit = FieldEdit { path: path.clone(), op: Op::Set, old: Some(old.clone()), new: Some(another(old)?) };
        Some(probe(&finding.object, edit))
    });
    let probes: Vec<Intent> = probes.collect();
    ruled.into_iter().chain(probes).collect()
}

fn probe(object: &ObjectRef, edit: FieldEdit) -> Intent {
    Intent {
        object: object.clone(),
        edits: vec![edit],
        subject: String::new(),
        why: String::new(),
        evidence: Vec::new(),
        author: Author::Rule,
        disposition: Disposition::Review,
        review: Vec::new(),
    }
}

/// Another value of the same kind; `None` for what is no single value.
fn another(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(value) => Some(Value::from(!value)),
        Value::Number(number) => Some(Value::from(number.as_i64()?.wrapping_add(1))),
        Value::String(text) => Some(Value::from(format!("{text}x"))),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

//! From what was seen to how the fix stands.

use super::cluster::{ClusterFacts, Holds};
use super::content::Difference;
use super::forge::{ForgeFacts, Standing};
use super::git::{Fate, GitFacts, Merged};
use super::{Asked, End, Line, Source, State, Subject, Unasked};
use crate::diagnose::Progress;
use crate::model::record::Phase;
use crate::redact;
use crate::text;
use jiff::Timestamp;
use serde_json::{Value, json};

/// What was seen of each source.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub git: Asked<GitFacts>,
    pub forge: Asked<ForgeFacts>,
    pub cluster: Asked<ClusterFacts>,
}

/// The values that the live fields should have where the merge has others than the proposal; `None` for a field
/// that is as proposed. A merged value that can't be tied to one field is left to the controller.
pub fn wanted(subject: &Subject, git: &Asked<GitFacts>, forge: &Asked<ForgeFacts>) -> Vec<Option<Value>> {
    let merged = forge.seen().and_then(|forge| forge.merged.as_deref());
    let fate = git.seen().map(|git| git.fate(merged));
    let Some(Fate::In(fate)) = fate else { return vec![None; subject.live.len()] };
    let of_field = |edit: &super::LiveEdit| {
        let mut ours = subject.edits.iter().filter(|file| file.old == edit.old && file.new == edit.new);
        let only = ours.next().filter(|_| ours.next().is_none())?;
        fate.changes.iter().find(|change| change.file == only.file && change.path == only.path)?.found.clone()
    };
    subject.live.iter().map(of_field).collect()
}

/// Judges one fix; a failure must be gone, or there, for `stable` seconds before that counts. `contains` tells whether a commit has another one in its history, as far as that is known.
pub fn judge(subject: &Subject, seen: &Seen, contains: impl Fn(&str, &str) -> Option<bool>, stable: i64) -> State {
    let mut judged = Judged { subject, stable, state: begin(subject) };
    judged.unasked(seen);
    let forge = seen.forge.seen();
    if let Some(forge) = forge {
        judged.state.lines.extend(forge.lines());
        if let Some(body) = forge.reviewed() {
            judged.state.reached.push((Phase::Reviewed, body));
        }
    }
    let told = forge.and_then(|forge| forge.merged.as_deref());
    let fate = seen.git.seen().map(|git| git.fate(told));
    let merged = judged.merge(seen.git.seen(), fate.as_ref(), forge);
    let fate = match &fate {
        Some(Fate::In(merged)) => Some(merged),
        _ => None,
    };
    if let Some(cluster) = seen.cluster.seen() {
        judged.cluster(cluster, fate, merged, contains);
    }
    if let Some(commit) = fate.and_then(|fate| fate.reverted) {
        judged.line(Source::Git, Phase::Reverted, format!("taken back by {}", commit.shown()));
        judged.reach(Phase::Reverted, json!({"revert": commit.id, "subject": commit.subject, "author": commit.author}));
    }
    judged.end()
}

/// How a fix stands of which nothing was pushed yet.
pub fn waiting() -> State {
    let text = "nothing of it is pushed: its run waits for an answer, or was ended before one".to_owned();
    let line = Line { source: Source::Record, phase: Phase::Proposed, text };
    State { phase: Phase::Proposed, end: End::Open, lines: vec![line], unasked: Vec::new(), reached: Vec::new() }
}

fn begin(subject: &Subject) -> State {
    let is_before = |phase: &Phase| matches!(phase, Phase::Pushed | Phase::PullRequest);
    let phase = subject.told.iter().rev().map(|(phase, _, _)| *phase).find(is_before).unwrap_or(Phase::Pushed);
    let short = subject.commit.get(..7).unwrap_or(&subject.commit);
    let text = match subject.branch.as_str() {
        "" => format!("commit {short}"),
        branch => format!("{branch} at {short}"),
    };
    let from = if subject.told.is_empty() { "; its record is not here" } else { "" };
    let line = Line { source: Source::Record, phase: Phase::Pushed, text: format!("{text}{from}") };
    State { phase, end: End::Open, lines: vec![line], unasked: Vec::new(), reached: Vec::new() }
}

struct Judged<'s> {
    subject: &'s Subject,
    stable: i64,
    state: State,
}

impl Judged<'_> {
    fn line(&mut self, source: Source, phase: Phase, text: String) {
        self.state.lines.push(Line { source, phase, text });
    }

    fn reach(&mut self, phase: Phase, body: Value) {
        self.state.reached.push((phase, body));
    }

    fn unasked(&mut self, seen: &Seen) {
        let mut note = |source, why: Option<&String>| {
            if let Some(why) = why {
                self.state.unasked.push(Unasked { source, why: why.clone() });
            }
        };
        note(Source::Git, not(&seen.git));
        note(Source::Forge, not(&seen.forge));
        note(Source::Cluster, not(&seen.cluster));
    }

    /// Whether it is in the base branch; `None`: nobody could tell.
    fn merge(&mut self, git: Option<&GitFacts>, fate: Option<&Fate<'_>>, forge: Option<&ForgeFacts>) -> Option<bool> {
        let standing = forge.map(|forge| forge.standing);
        match (git, fate) {
            (Some(git), Some(Fate::In(merged))) => {
                self.merged(git, merged, forge);
                Some(true)
            }
            (Some(git), _) => {
                if standing == Some(Standing::Merged) {
                    self.reach(Phase::Merged, forge.map(of_forge).unwrap_or_default());
                    let text = format!("{} does not show it yet", git.base_branch);
                    self.line(Source::Git, Phase::Merged, text);
                    return Some(true);
                }
                self.unmerged(git, standing);
                Some(false)
            }
            (None, _) => match (standing, forge) {
                (Some(Standing::Merged), Some(forge)) => {
                    self.reach(Phase::Merged, of_forge(forge));
                    Some(true)
                }
                (Some(Standing::Closed), _) => {
                    self.reach(Phase::Closed, json!({"request": forge.map(|forge| forge.number)}));
                    Some(false)
                }
                (Some(Standing::Open), _) => Some(false),
                _ => None,
            },
        }
    }

    fn merged(&mut self, git: &GitFacts, merged: &Merged<'_>, forge: Option<&ForgeFacts>) {
        let commit = &merged.at.commit;
        let text = format!("{} on {}: {}", commit.shown(), git.base_branch, merged.how.words());
        self.line(Source::Git, Phase::Merged, text);
        for change in merged.changes {
            self.line(Source::Git, Phase::Merged, different(change));
        }
        if let Some(later) = merged.superseded {
            self.line(Source::Git, Phase::Merged, format!("changed again by {}", later.shown()));
        }
        let changes: Vec<Value> = merged.changes.iter().map(change).collect();
        let body = json!({
            "base": git.base_branch, "mergeCommit": commit.id, "how": merged.how.name(), "changes": changes,
            "by": forge.and_then(|forge| forge.by.clone()),
        });
        self.reach(Phase::Merged, body);
    }

    fn unmerged(&mut self, git: &GitFacts, standing: Option<Standing>) {
        let base = &git.base_branch;
        if standing == Some(Standing::Closed) {
            self.line(Source::Git, Phase::Closed, format!("{base} lacks the change"));
            self.reach(Phase::Closed, json!({"branchThere": git.branch.is_some()}));
        } else if !git.whole {
            let text = format!("{base} was not seen back to the proposal: a merge may have been missed");
            self.line(Source::Git, Phase::Pushed, text);
        } else if git.branch.is_none() {
            self.line(Source::Git, Phase::Closed, format!("the branch is gone and {base} lacks the change"));
            self.reach(Phase::Closed, json!({"branchThere": false}));
        } else {
            self.line(Source::Git, Phase::Pushed, format!("{base} lacks the change"));
        }
    }

    fn cluster(
        &mut self,
        cluster: &ClusterFacts,
        fate: Option<&Merged<'_>>,
        merged: Option<bool>,
        contains: impl Fn(&str, &str) -> Option<bool>,
    ) {
        for gap in &cluster.gaps {
            self.state.unasked.push(Unasked { source: Source::Cluster, why: gap.clone() });
        }
        match cluster.there {
            Some(true) => {}
            Some(false) => {
                self.line(Source::Cluster, Phase::Synced, format!("{} is not there", self.subject.target.qualified()));
                return;
            }
            None => return,
        }
        let arrived = self.arrival(cluster, fate, merged, contains);
        if arrived != Arrival::There {
            if let Some(still) = cluster.still.as_ref().filter(|_| arrived == Arrival::NotYet) {
                self.line(Source::Cluster, Phase::Worse, format!("still there: {}: {still}", self.subject.code));
            } else if cluster.gaps.is_empty() && arrived == Arrival::NotYet {
                let text = format!("{} is gone, and not by this fix", self.subject.code);
                self.line(Source::Cluster, Phase::Synced, text);
            } else if arrived == Arrival::Unknown {
                let now =
                    cluster.still.as_ref().map_or_else(|| "not seen now".to_owned(), |still| format!("there: {still}"));
                self.line(Source::Cluster, Phase::Synced, format!("{}: {now}", self.subject.code));
            }
            return;
        }
        self.health(cluster);
    }

    /// Whether the cluster has the change.
    fn arrival(
        &mut self,
        cluster: &ClusterFacts,
        fate: Option<&Merged<'_>>,
        merged: Option<bool>,
        contains: impl Fn(&str, &str) -> Option<bool>,
    ) -> Arrival {
        let known: Vec<_> = cluster.fields.iter().filter(|field| field.holds != Holds::Unknown).collect();
        let apart: Vec<_> = known.iter().filter(|field| field.holds != Holds::Wanted).copied().collect();
        let is_live = !known.is_empty() && apart.is_empty();
        if merged == Some(false) {
            if is_live {
                let text = "the live object has the values, and the base branch does not".to_owned();
                self.line(Source::Cluster, Phase::Pushed, text);
            }
            return Arrival::NotYet;
        }
        let applied = cluster.controller.as_ref().and_then(|controller| controller.applied.as_deref());
        let has = fate.and_then(|fate| contains(applied?, &fate.at.commit.id));
        // What a controller has applied was there, whatever clocks say.
        let early = if has == Some(true) { None } else { self.seen_before(cluster, fate) };
        let kept = fate.is_none_or(|fate| fate.superseded.is_none() && fate.reverted.is_none());
        let by = cluster.controller.as_ref().map(|controller| controller.name.clone());
        let was = self.subject.told_at(Phase::Synced).is_some();
        if !apart.is_empty() && kept && (has == Some(true) || was && early.is_none()) {
            self.synced(has, by.as_deref(), applied, is_live);
            for field in &apart {
                let shown = |value: &Option<Value>| value.as_ref().map_or("absent".to_owned(), Value::to_string);
                let (wanted, now) = (shown(&field.wanted), shown(&field.now));
                let text = format!("{}: merged {wanted}, live {now}", field.path);
                self.line(Source::Cluster, Phase::Drifted, text);
            }
            let fields: Vec<Value> = apart
                .iter()
                .map(|field| json!({"path": field.path.to_string(), "merged": field.wanted, "live": field.now}))
                .collect();
            self.reach(Phase::Drifted, json!({"fields": fields}));
            return Arrival::Drifted;
        }
        if has == Some(true) || is_live && early.is_none() {
            self.synced(has, by.as_deref(), applied, is_live);
            return Arrival::There;
        }
        if known.is_empty() && applied.is_none() {
            let text =
                "not known: its values are not recorded here, and nothing says which commit is applied".to_owned();
            self.line(Source::Cluster, Phase::Synced, text);
            return Arrival::Unknown;
        }
        let text = match (&cluster.controller, applied) {
            _ if is_live => early.unwrap_or_default(),
            (Some(controller), _) if controller.suspended => format!("{} is suspended", controller.name),
            (Some(controller), Some(applied)) => {
                format!("{} has applied {}, which lacks it", controller.name, applied.get(..7).unwrap_or(applied))
            }
            (Some(controller), None) => format!("{} does not say what it has applied", controller.name),
            (None, _) => format!("{} does not have the values", self.subject.target.qualified()),
        };
        self.line(Source::Cluster, Phase::Synced, format!("not yet: {text}"));
        Arrival::NotYet
    }

    /// Whether the cluster was seen before the fix could be there: an old snapshot, or a clock that is behind.
    fn seen_before(&self, cluster: &ClusterFacts, fate: Option<&Merged<'_>>) -> Option<String> {
        let (since, what) = match fate {
            Some(fate) => (fate.at.commit.at, "merge"),
            None => (self.subject.pushed, "push"),
        };
        let (now, since) = (cluster.now?, since?);
        (now < since).then(|| format!("the cluster was seen at {now}, before the {what} at {since}"))
    }

    fn synced(&mut self, has: Option<bool>, by: Option<&str>, applied: Option<&str>, is_live: bool) {
        let short = applied.map(|id| id.get(..7).unwrap_or(id));
        let text = match (has, by, short) {
            (Some(true), Some(by), Some(short)) => format!("{by} has applied {short}"),
            _ => "the live object has the values".to_owned(),
        };
        self.line(Source::Cluster, Phase::Synced, text);
        self.reach(Phase::Synced, json!({"controller": by, "applied": applied, "live": is_live}));
    }

    /// Rolled out, healed or worse.
    fn health(&mut self, cluster: &ClusterFacts) {
        let there = cluster.standing.is_none_or(|standing| standing.progress == Progress::There);
        if let Some(standing) = &cluster.standing {
            let words = match standing.progress {
                Progress::There => "run with it",
                Progress::Underway => "ready, the rollout goes on",
                Progress::Failing => "ready, the rollout is stuck",
            };
            let text = format!("{} of {} {words}", standing.ready, text::count(standing.desired, "pod"));
            self.line(Source::Cluster, Phase::RolledOut, text);
            if there {
                self.reach(Phase::RolledOut, json!({"ready": standing.ready, "desired": standing.desired}));
            }
        }
        let standing = cluster.standing.as_ref();
        let since = cluster.written.max(standing.and_then(|standing| standing.newest_pod));
        if cluster.still.is_some() || !cluster.instead.is_empty() {
            self.ill(cluster, since);
            return;
        }
        if !cluster.gaps.is_empty() {
            self.line(Source::Cluster, Phase::Healed, "not known: not everything was seen".to_owned());
            return;
        }
        let since = since.max(standing.and_then(|standing| standing.ready_since));
        let age = age(since, cluster.now);
        let code = &self.subject.code;
        let text = match age {
            Some(age) if age < 0 => format!("{code} is gone since a time that is still to come: a clock is wrong"),
            Some(age) => format!("{code} is gone for {}", text::duration(age)),
            None => format!("{code} is gone; for how long is not known"),
        };
        let long = age.is_some_and(|age| age >= self.stable.max(0));
        let wait = format!(", which counts after {}", text::duration(self.stable));
        let text = if long || !there { text } else { format!("{text}{wait}") };
        self.line(Source::Cluster, Phase::Healed, text);
        if there && long {
            self.reach(Phase::Healed, json!({"code": code, "goneFor": age}));
        }
    }

    fn ill(&mut self, cluster: &ClusterFacts, since: Option<Timestamp>) {
        let age = age(since, cluster.now);
        if let Some(still) = &cluster.still {
            self.line(Source::Cluster, Phase::Worse, format!("still there: {}: {still}", self.subject.code));
        }
        for instead in &cluster.instead {
            self.line(Source::Cluster, Phase::Worse, format!("in its place: {instead}"));
        }
        // A failure right after the change may be of the pods before it.
        if age.is_none_or(|age| age >= self.stable) {
            self.reach(Phase::Worse, json!({"still": cluster.still, "instead": cluster.instead}));
        } else {
            let text = format!("the change arrived a moment ago: it counts after {}", text::duration(self.stable));
            self.line(Source::Cluster, Phase::Worse, text);
        }
    }

    fn end(mut self) -> State {
        if let Some((phase, _)) = self.state.reached.last() {
            self.state.phase = *phase;
        }
        self.state.end = match self.state.phase {
            Phase::Healed => End::Well,
            Phase::Worse | Phase::Reverted | Phase::Closed => End::Ill,
            _ => End::Open,
        };
        self.state
    }
}

/// Seconds by the cluster's clock; negative when that is behind the clock of a node or of another writer.
fn age(since: Option<Timestamp>, now: Option<Timestamp>) -> Option<i64> {
    Some(now?.duration_since(since?).as_secs())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Arrival {
    There,
    NotYet,
    Drifted,
    Unknown,
}

fn not<T>(asked: &Asked<T>) -> Option<&String> {
    match asked {
        Asked::Seen(_) => None,
        Asked::Not(why) => Some(why),
    }
}

fn of_forge(forge: &ForgeFacts) -> Value {
    json!({"request": forge.number, "mergeCommit": forge.merged, "by": forge.by, "how": "request", "changes": []})
}

fn change(difference: &Difference) -> Value {
    let Difference { file, path, proposed, found } = difference;
    let shown = |value: &Option<Value>| value.as_ref().map(|value| redact::field(path, value));
    json!({"file": file, "path": path.to_string(), "proposed": shown(proposed), "merged": shown(found)})
}

fn different(difference: &Difference) -> String {
    let Difference { file, path, proposed, found } = difference;
    let shown = |value: &Option<Value>| {
        value.as_ref().map_or_else(|| "absent".to_owned(), |value| redact::field(path, value).to_string())
    };
    if path.0.is_empty() {
        return format!("`{file}` was changed otherwise than proposed");
    }
    format!("`{file}` {path}: proposed {}, merged {}", shown(proposed), shown(found))
}

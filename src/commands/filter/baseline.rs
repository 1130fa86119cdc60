//! The findings that are known: a small file for Git.

use crate::commands::parts::Part;
use crate::doors::files;
use crate::error::Error;
use crate::model::finding::{Finding, Severity};
use crate::model::identity::Identity;
use crate::model::report::{Filter, ReportedFinding, SetAside};
use crate::output::json::API_VERSION;
use crate::text;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

/// Bytes that are read at most: two hundred thousand findings.
const LIMIT: u64 = 32 << 20;
const KIND: &str = "Baseline";

/// Findings worse than info, each with how severe it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::commands) struct Baseline(BTreeMap<Key, Known>);

/// The context, which is told only when several were read: people call one cluster by different names.
type Key = (Option<String>, Identity);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    /// The worst, when there are several of one identity.
    severity: Severity,
    /// How many have this identity: one container may lack two keys.
    count: usize,
}

/// One line of the file.
#[derive(Serialize, Deserialize)]
struct Entry {
    severity: Severity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<String>,
    #[serde(flatten)]
    identity: Identity,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    count: usize,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: String,
    kind: String,
}

#[derive(Deserialize)]
struct Body {
    findings: Vec<Entry>,
}

impl Baseline {
    /// What counts in these parts.
    pub(in crate::commands) fn of(parts: &[Part]) -> Self {
        let mut found = Self::default();
        for reported in parts.iter().flat_map(|part| &part.findings).filter(|one| counts(&one.finding)) {
            let severity = reported.finding.severity;
            let known = found.0.entry(key(reported, parts.len() > 1)).or_insert(Known { severity, count: 0 });
            known.severity = known.severity.min(severity);
            known.count += 1;
        }
        found
    }

    /// Reads the file of `--baseline`.
    ///
    /// # Errors
    /// When it is not there, can't be read, or is none that this version writes.
    pub(in crate::commands) fn read(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let anew = format!("write it anew: aifix scan --write-baseline {}", text::shell_word(&shown.to_string()));
        let bytes = files::read_bounded(path, LIMIT).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::usage(format!("there is no baseline `{shown}`"))
                .hint(format!("write it: aifix scan --write-baseline {}", text::shell_word(&shown.to_string()))),
            _ => Error::usage(format!("could not read the baseline `{shown}`")).caused_by(&error),
        })?;
        let foreign = |why: String| Error::usage(format!("`{shown}` is no baseline")).because(why).hint(anew.clone());
        let head: Head = serde_json::from_slice(&bytes).map_err(|error| foreign(error.to_string()))?;
        if head.kind != KIND {
            return Err(foreign(format!("its kind is {}", text::clip(&head.kind, 60))));
        }
        if head.api_version != API_VERSION {
            return Err(Error::usage(format!("the baseline `{shown}` is of another version of aifix"))
                .because(format!("it is {}, and {API_VERSION} is read here", text::clip(&head.api_version, 60)))
                .hint(format!("use the aifix that wrote it, or {anew}")));
        }
        let body: Body = serde_json::from_slice(&bytes).map_err(|error| foreign(error.to_string()))?;
        let known = body
            .findings
            .into_iter()
            .map(|entry| ((entry.context, entry.identity), Known { severity: entry.severity, count: entry.count }));
        Ok(Self(known.collect()))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// When it can't be written there.
    pub(in crate::commands) fn write(&self, path: &Path) -> Result<(), Error> {
        let failed = || Error::usage(format!("could not write the baseline `{}`", path.display()));
        if !files::is_free_or_regular(path) {
            return Err(failed().because("it is no regular file").hint("name a file: --write-baseline FILE"));
        }
        files::write_private(path, self.text()?.as_bytes())
            .map_err(|error| failed().caused_by(&error).hint("its folder must be there"))
    }

    /// One line per finding, sorted, so that a diff shows what came and went.
    fn text(&self) -> Result<String, Error> {
        let bug = |error: serde_json::Error| Error::bug("a baseline could not be written as JSON").caused_by(&error);
        let mut lines = Vec::new();
        for ((context, identity), known) in &self.0 {
            let (context, identity) = (context.clone(), identity.clone());
            let entry = Entry { severity: known.severity, context, identity, count: known.count };
            lines.push(format!("\n    {}", serde_json::to_string(&entry).map_err(bug)?));
        }
        let end = if lines.is_empty() { "" } else { "\n  " };
        let head = format!("{{\n  \"apiVersion\": \"{API_VERSION}\",\n  \"kind\": \"{KIND}\",\n  \"findings\": [");
        Ok(format!("{head}{}{end}]\n}}\n", lines.join(",")))
    }

    /// How many findings it holds.
    pub(in crate::commands) fn len(&self) -> usize {
        self.0.values().map(|known| known.count).sum()
    }

    /// Sets aside what is known and did not grow worse.
    ///
    /// # Errors
    /// When it was written of one context and several are read: a finding of one would hide that of another.
    pub(in crate::commands) fn apply(&self, parts: &mut [Part], file: &Path) -> Result<(), Error> {
        let several = parts.len() > 1;
        if several && self.0.keys().any(|(context, _)| context.is_none()) {
            return Err(Error::usage(format!("the baseline `{}` was written of one context", file.display())).hint(
                "write it anew with the same contexts: aifix scan --context A --context B --write-baseline FILE",
            ));
        }
        let news = self.news(parts);
        for (part, news) in parts.iter_mut().zip(news) {
            for (reported, is_new) in std::mem::take(&mut part.findings).into_iter().zip(news) {
                if is_new || !counts(&reported.finding) {
                    part.findings.push(reported);
                } else {
                    let reason = file.display().to_string();
                    part.set_aside.push(SetAside { reported, filter: Filter::Baseline, reason });
                }
            }
            part.recount();
        }
        Ok(())
    }

    /// For each finding of each part whether it is new, or worse than it was. Of more than are known of one
    /// identity none is told apart from the others, so all of them are.
    pub(in crate::commands) fn news(&self, parts: &[Part]) -> Vec<Vec<bool>> {
        let now = Self::of(parts);
        let several = parts.len() > 1;
        let is_new = |reported: &ReportedFinding| {
            let known = self.find(reported, several);
            let seen = now.0.get(&key(reported, several)).map_or(0, |seen| seen.count);
            known.is_none_or(|known| reported.finding.severity < known.severity || seen > known.count)
        };
        parts.iter().map(|part| part.findings.iter().map(is_new).collect()).collect()
    }

    /// A baseline of several contexts also serves one of them.
    fn find(&self, reported: &ReportedFinding, several: bool) -> Option<&Known> {
        let identity = reported.finding.identity();
        let named = self.0.get(&(Some(reported.context.clone()), identity.clone()));
        named.or_else(|| self.0.get(&(None, identity)).filter(|_| !several))
    }

    /// What it holds and these parts would show if it were still there.
    pub(in crate::commands) fn gone(&self, parts: &[Part]) -> Vec<&Identity> {
        let seen: Vec<BTreeSet<Identity>> =
            parts.iter().map(|part| part.all().map(|one| one.finding.identity()).collect()).collect();
        let is_gone = |(context, identity): &(&Option<String>, &Identity)| {
            let mut both = parts.iter().zip(&seen);
            let of_it = both.find(|(part, _)| context.as_ref().is_none_or(|context| part.context.name == *context));
            of_it.is_some_and(|(part, seen)| part.would_show(identity) && !seen.contains(*identity))
        };
        let all = self.0.keys().map(|(context, identity)| (context, identity));
        all.filter(is_gone).map(|(_, identity)| identity).collect()
    }
}

fn key(reported: &ReportedFinding, several: bool) -> Key {
    (several.then(|| reported.context.clone()), reported.finding.identity())
}

fn counts(finding: &Finding) -> bool {
    finding.severity != Severity::Info
}

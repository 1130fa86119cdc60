//! Whether files hold a change, whichever commit brought it.

use super::Subject;
use crate::model::history::FileAt;
use crate::model::path::Path;
use crate::yaml::parse;
use serde::Serialize;
use serde_json::Value;

/// One place of a file: document, path, the value before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub document: usize,
    pub path: Path,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// A whole file before and after. `None`: there is no such file.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole {
    pub before: Option<Vec<u8>>,
    pub after: Option<Vec<u8>>,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq)]
pub struct Changed {
    pub file: String,
    /// `None` where the pushed commit is not at hand.
    pub whole: Option<Whole>,
    /// What the change is about; empty where it is the whole file.
    pub places: Vec<Place>,
}

impl Changed {
    /// One file of the pushed commit; its values are read off the files, as the record holds no secret.
    pub fn of_commit(subject: &Subject, file: &str, whole: Whole) -> Self {
        let (before, after) = (documents(whole.before.as_deref()), documents(whole.after.as_deref()));
        let edits = subject.edits.iter().filter(|edit| edit.file == file);
        let places = edits.map(|edit| Place {
            document: edit.document,
            path: edit.path.clone(),
            before: at(&before, edit.document, &edit.path).cloned(),
            after: at(&after, edit.document, &edit.path).cloned(),
        });
        // Where nothing can be read the place says nothing.
        let places = places.filter(|place| place.before != place.after).collect();
        Self { file: file.to_owned(), whole: Some(whole), places }
    }

    /// The files as the record tells of them.
    pub fn of_record(subject: &Subject) -> Vec<Self> {
        let of_file = |file: &str| {
            let edits = subject.edits.iter().filter(|edit| edit.file == file);
            let places = edits.map(|edit| Place {
                document: edit.document,
                path: edit.path.clone(),
                before: edit.old.clone(),
                after: edit.new.clone(),
            });
            Self { file: file.to_owned(), whole: None, places: places.collect() }
        };
        subject.files().into_iter().map(of_file).collect()
    }
}

/// One place that has neither the old nor the proposed value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    pub file: String,
    #[serde(serialize_with = "as_text")]
    pub path: Path,
    pub proposed: Option<Value>,
    pub found: Option<Value>,
}

fn as_text<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path)
}

/// How the places of a change stand in some revision.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// As proposed.
    Proposed,
    /// As before it.
    Before,
    /// Otherwise.
    Other(Vec<Difference>),
    /// A file could not be read.
    Unknown,
}

/// How the places stand in a revision of which `now` reads files.
pub fn read(changed: &[Changed], now: impl Fn(&str) -> FileAt) -> Reading {
    let mut tally = Tally::default();
    for one in changed {
        let bytes = match now(&one.file) {
            FileAt::Here(bytes) => Some(bytes),
            FileAt::Absent => None,
            FileAt::Unread => return Reading::Unknown,
        };
        tally.file(one, bytes.as_deref());
    }
    match tally {
        Tally { proposed: 0, before: 0, other } if other.is_empty() => Reading::Unknown,
        Tally { before: 0, other, .. } if other.is_empty() => Reading::Proposed,
        Tally { proposed: 0, other, .. } if other.is_empty() => Reading::Before,
        Tally { other, .. } => Reading::Other(other),
    }
}

#[derive(Default)]
struct Tally {
    proposed: usize,
    before: usize,
    other: Vec<Difference>,
}

impl Tally {
    fn file(&mut self, changed: &Changed, now: Option<&[u8]>) {
        match &changed.whole {
            Some(whole) if now == whole.after.as_deref() => self.proposed += 1,
            Some(whole) if now == whole.before.as_deref() => self.before += 1,
            Some(whole) if changed.places.is_empty() => match lines(whole, now) {
                Some(true) => self.proposed += 1,
                Some(false) => self.before += 1,
                None => {
                    let (file, path) = (changed.file.clone(), Path::default());
                    self.other.push(Difference { file, path, proposed: None, found: None });
                }
            },
            _ => self.places(changed, &documents(now)),
        }
    }

    fn places(&mut self, changed: &Changed, now: &[Value]) {
        for place in &changed.places {
            let found = at(now, place.document, &place.path);
            if found == place.after.as_ref() {
                self.proposed += 1;
            } else if found == place.before.as_ref() {
                self.before += 1;
            } else {
                let (file, path) = (changed.file.clone(), place.path.clone());
                let (proposed, found) = (place.after.clone(), found.cloned());
                self.other.push(Difference { file, path, proposed, found });
            }
        }
    }
}

fn documents(bytes: Option<&[u8]>) -> Vec<Value> {
    let text = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    parse::all(text).unwrap_or_default()
}

/// The value in its document; when documents moved, in the only one that has the place.
fn at<'v>(documents: &'v [Value], document: usize, path: &Path) -> Option<&'v Value> {
    let own = documents.get(document).and_then(|root| path.get(root));
    own.or_else(|| {
        let mut all = documents.iter().filter_map(|root| path.get(root));
        all.next().filter(|_| all.next().is_none())
    })
}

/// Whether a file has the added lines and none of the removed ones, or the other way round.
fn lines(changed: &Whole, now: Option<&[u8]>) -> Option<bool> {
    let text = |bytes: Option<&[u8]>| String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned();
    let (before, after, now) = (text(changed.before.as_deref()), text(changed.after.as_deref()), text(now));
    let diff = similar::TextDiff::from_lines(&before, &after);
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for change in diff.iter_all_changes().filter(|change| !change.value().trim().is_empty()) {
        match change.tag() {
            similar::ChangeTag::Insert => added.push(change.value().to_owned()),
            similar::ChangeTag::Delete => removed.push(change.value().to_owned()),
            similar::ChangeTag::Equal => {}
        }
    }
    let has = |line: &String| now.lines().any(|own| own == line.trim_end_matches(['\n', '\r']));
    let (all_added, all_removed) = (added.iter().all(has), removed.iter().all(has));
    match (all_added, all_removed) {
        (true, false) => Some(true),
        (true, true) if removed.is_empty() => Some(true),
        (false, true) => Some(false),
        _ => None,
    }
}

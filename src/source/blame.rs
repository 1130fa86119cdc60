//! The commit that brought the value that is changed.

use super::history::History;
use crate::model::history::{Commit, FileAt};
use crate::model::path::Path;
use crate::model::proposal::Edit;
use crate::yaml::parse;
use serde_json::Value;

/// Commits that are walked at most.
const COMMITS: usize = 2000;

/// The newest commit since which a file has the value that an edit replaces. `None` when there was no
/// value, and when the history that is here does not tell.
pub fn blame(history: &dyn History, base: &str, edit: &Edit) -> Option<Commit> {
    edit.old.as_ref()?;
    let bytes = |commit: &str| history.file(commit, &edit.file);
    let FileAt::Here(mut text) = bytes(base) else { return None };
    let place = Place::of(&text, edit)?;
    let value = place.value(&text)?;
    let mut here = history.commit(base)?;
    for _ in 0..COMMITS {
        let mut carried = None;
        for parent in &here.parents {
            // Beyond a shallow clone's end nothing is known.
            let parent = history.commit(parent)?;
            let before = match bytes(&parent.id) {
                FileAt::Here(before) => before,
                FileAt::Absent => continue,
                FileAt::Unread => return None,
            };
            if before == text || place.value(&before).as_ref() == Some(&value) {
                carried = Some((parent, before));
                break;
            }
        }
        match carried {
            Some((parent, before)) => (here, text) = (parent, before),
            None => return Some(here),
        }
    }
    None
}

/// A place in a file whose documents may move.
struct Place<'e> {
    path: &'e Path,
    document: usize,
    /// Kind, namespace and name of the document, when it is an object.
    object: Option<[Value; 3]>,
}

impl<'e> Place<'e> {
    fn of(text: &[u8], edit: &'e Edit) -> Option<Self> {
        let documents = documents(text)?;
        let object = documents.get(edit.document).and_then(object);
        Some(Self { path: &edit.path, document: edit.document, object })
    }

    fn value(&self, text: &[u8]) -> Option<Value> {
        let documents = documents(text)?;
        let found = match &self.object {
            Some(wanted) => documents.iter().find(|document| object(document).as_ref() == Some(wanted)),
            None => documents.get(self.document),
        };
        self.path.get(found?).cloned()
    }
}

fn documents(text: &[u8]) -> Option<Vec<Value>> {
    parse::all(std::str::from_utf8(text).ok()?).ok()
}

fn object(document: &Value) -> Option<[Value; 3]> {
    let metadata = document.get("metadata")?;
    let name = metadata.get("name")?;
    Some([document["kind"].clone(), metadata["namespace"].clone(), name.clone()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::model::tree::Tree;
    use serde_json::json;

    /// Commits by position: parents, and the file; a parent that is not in the list is not here.
    struct Past(Vec<(Vec<usize>, FileAt)>);

    impl History for Past {
        fn commit(&self, id: &str) -> Option<Commit> {
            let (parents, _) = self.0.get(id.parse::<usize>().ok()?)?;
            let parents = parents.iter().map(ToString::to_string).collect();
            Some(Commit { id: id.to_owned(), subject: String::new(), author: String::new(), at: None, parents })
        }

        fn changed(&self, _: &Commit) -> Vec<String> {
            Vec::new()
        }

        fn file(&self, commit: &str, _: &str) -> FileAt {
            self.0[commit.parse::<usize>().unwrap()].1.clone()
        }

        fn tree(&self, _: &str) -> Result<Tree, Error> {
            Ok(Tree::default())
        }
    }

    fn at(past: Vec<(Vec<usize>, FileAt)>) -> Option<String> {
        let edit = Edit {
            file: "k.yaml".into(),
            document: 0,
            path: Path::of("data.a"),
            old: Some(json!(2)),
            new: Some(json!(1)),
        };
        let tip = (past.len() - 1).to_string();
        blame(&Past(past), &tip, &edit).map(|commit| commit.id)
    }

    fn config(value: u32, comment: &str) -> FileAt {
        FileAt::Here(format!("kind: C\nmetadata: {{name: a}}\ndata: {{a: {value}}}{comment}\n").into_bytes())
    }

    #[test]
    fn the_value_counts_and_neither_the_line_nor_the_document_number() {
        let first =
            FileAt::Here(b"kind: C\nmetadata: {name: b}\n---\nkind: C\nmetadata: {name: a}\ndata: {a: 2}\n".to_vec());
        let past =
            vec![(vec![], config(1, "")), (vec![0], first), (vec![1], config(2, "")), (vec![2], config(2, " # why"))];
        assert_eq!(at(past).as_deref(), Some("1"));
    }

    #[test]
    fn a_merge_leads_to_the_commit_that_was_merged() {
        let past = vec![
            (vec![], config(1, "")),
            (vec![0], config(2, "")),
            (vec![0], config(1, " # other")),
            (vec![2, 1], config(2, " # other")),
        ];
        assert_eq!(at(past).as_deref(), Some("1"));
    }

    #[test]
    fn the_commit_that_made_the_file_brought_its_values() {
        assert_eq!(at(vec![(vec![], FileAt::Absent), (vec![0], config(2, ""))]).as_deref(), Some("1"));
        assert_eq!(at(vec![(vec![], config(2, "")), (vec![0], config(2, " # x"))]).as_deref(), Some("0"));
    }

    #[test]
    fn what_is_not_here_is_not_guessed() {
        assert_eq!(at(vec![(vec![9], config(2, ""))]), None);
        assert_eq!(at(vec![(vec![], FileAt::Unread), (vec![0], config(2, ""))]), None);
    }
}

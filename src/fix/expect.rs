//! The right answer to a recorded case, and what an answer is.

use crate::model::intent::{FieldEdit, Intent};
use crate::model::quantity::Quantity;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// A case: a recording, the finding in it, and what a fix must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Case {
    /// A file or folder that `--from` reads, seen from the case's own folder.
    pub snapshot: PathBuf,
    /// The code of the finding.
    pub code: String,
    /// The object of the finding, `Kind/name`; empty: whatever has the code.
    pub object: String,
    /// A folder with the files as Git has them, seen from the case's own folder: a right fix is proved there.
    pub repository: Option<PathBuf>,
    /// Whether there must be no fix.
    pub refuse: bool,
    /// Changes that are right. A fix is right when each of its changes is one of these.
    pub right: Vec<Change>,
}

/// A change that is right: of this field, to one of these values or within these bounds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Change {
    pub path: String,
    pub values: Vec<String>,
    pub at_least: String,
    pub at_most: String,
}

/// What an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    Right,
    /// Nothing was proposed, and nothing should be.
    RefusedRightly,
    /// Nothing was proposed, and something should be: it helps nobody and harms nobody.
    Missed,
    /// Proposed, and not right.
    Wrong,
    /// No answer of the asked shape, or one that no guard lets through.
    Invalid,
    /// The server gave none.
    Failed,
}

impl Case {
    /// What a proposed change is, or that there is none.
    pub fn mark(&self, proposed: Option<&Intent>) -> Mark {
        match proposed {
            None if self.refuse => Mark::RefusedRightly,
            None => Mark::Missed,
            Some(_) if self.refuse => Mark::Wrong,
            Some(intent) => {
                let is_right = |edit: &FieldEdit| self.right.iter().any(|change| change.allows(edit));
                let right = !intent.edits.is_empty() && intent.edits.iter().all(is_right);
                if right { Mark::Right } else { Mark::Wrong }
            }
        }
    }
}

impl Change {
    fn allows(&self, edit: &FieldEdit) -> bool {
        let Some(new) = &edit.new else { return false };
        let text = new.as_str().map_or_else(|| new.to_string(), str::to_owned);
        self.path == edit.path.to_string()
            && (self.values.is_empty() || self.values.contains(&text))
            && self.is_within(new)
    }

    fn is_within(&self, new: &Value) -> bool {
        let bound = |text: &str| Quantity::parse(text).filter(|_| !text.is_empty());
        let holds = |given: &str, compare: fn(Quantity, Quantity) -> bool| {
            given.is_empty() || bound(given).zip(Quantity::of(new)).is_some_and(|(bound, value)| compare(value, bound))
        };
        holds(&self.at_least, |value, bound| value >= bound) && holds(&self.at_most, |value, bound| value <= bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::intent::{Author, Disposition, Op};
    use crate::model::object::ObjectRef;
    use crate::model::path::Path;
    use serde_json::json;

    fn proposed(edits: &[(&str, Value)]) -> Intent {
        let edit = |(path, new): &(&str, Value)| FieldEdit {
            path: Path::of(path),
            op: Op::Set,
            old: None,
            new: Some(new.clone()),
        };
        Intent {
            object: ObjectRef::new("apps/v1", "Deployment", "shop", "web"),
            edits: edits.iter().map(edit).collect(),
            subject: String::new(),
            why: String::new(),
            evidence: Vec::new(),
            author: Author::Model,
            disposition: Disposition::Review,
            review: Vec::new(),
        }
    }

    fn case(text: &str) -> Case {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_fix_is_right_when_all_of_it_is() {
        let case = case(
            "[[right]]\npath = 'spec.a'\nat-least = '64Mi'\nat-most = '1Gi'\n[[right]]\npath = 'spec.b'\nvalues = ['8080', 'http']\n",
        );
        let mark = |edits: &[(&str, Value)]| case.mark(Some(&proposed(edits)));
        assert_eq!(mark(&[("spec.a", json!("128Mi"))]), Mark::Right);
        assert_eq!(mark(&[("spec.b", json!(8080))]), Mark::Right);
        assert_eq!(mark(&[("spec.a", json!("64Mi")), ("spec.b", json!("http"))]), Mark::Right);
        for wrong in [
            ("spec.a", json!("32Mi")),
            ("spec.a", json!("2Gi")),
            ("spec.a", json!("much")),
            ("spec.b", json!(8081)),
            ("spec.c", json!("64Mi")),
        ] {
            assert_eq!(mark(&[("spec.b", json!(8080)), wrong.clone()]), Mark::Wrong, "{wrong:?}");
        }
        assert_eq!(mark(&[]), Mark::Wrong);
        assert_eq!(case.mark(None), Mark::Missed);
    }

    #[test]
    fn where_nothing_should_be_proposed_everything_is_wrong() {
        let case = case("refuse = true\n");
        assert_eq!(case.mark(None), Mark::RefusedRightly);
        assert_eq!(case.mark(Some(&proposed(&[("spec.a", json!(1))]))), Mark::Wrong);
        assert!(toml::from_str::<Case>("refused = true\n").is_err());
    }
}

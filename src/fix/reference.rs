//! A field that names what does not exist.

use super::case::Case;
use super::closeness::only_close;
use super::{history, refusal};
use crate::model::intent::Intent;
use crate::model::path::Path;
use crate::model::refusal::Refusal;
use crate::text;
use serde_json::json;

/// Choices that a person is shown at most.
const SHOWN: usize = 9;

/// The field, and what it could mean.
pub(crate) struct Reference<'c> {
    pub kind: &'c str,
    pub wanted: &'c str,
    pub paths: Vec<Path>,
    /// Names of the kind, where the reference looks.
    pub names: Vec<&'c str>,
}

impl<'c> Reference<'c> {
    /// The finding's `missing` object of this kind, as `path` names it.
    ///
    /// # Errors
    /// When it exists now or is being deleted, when the field changed or worked before, and when the
    /// names of the kind are not known.
    pub(crate) fn new(case: &'c Case<'_>, kind: &'c str, namespace: &str, path: Path) -> Result<Self, Refusal> {
        Self::to(case, kind, namespace, path, case.text("missing"))
    }

    /// The same for an object of this name.
    pub(crate) fn to(
        case: &'c Case<'_>,
        kind: &'c str,
        namespace: &str,
        path: Path,
        wanted: &'c str,
    ) -> Result<Self, Refusal> {
        let all = case.snapshot.kind(kind).iter().filter(|one| one.metadata.namespace == namespace);
        let names: Vec<&str> = all.clone().map(|one| one.metadata.name.as_str()).collect();
        if let Some(there) = all.clone().find(|one| one.metadata.name == wanted) {
            if there.metadata.deletion_timestamp.is_some() {
                let message = format!("{kind} {wanted} is being deleted, so the name is no typo");
                return Err(Refusal::new(refusal::NEEDS_CHOICE, message, "bring it back, or name another"));
            }
            let message = format!("{kind} {wanted} exists now");
            return Err(Refusal::new(refusal::DRIFTED, message, "scan again"));
        }
        if case.snapshot.lacks(&plural(kind)) {
            let message = format!("{kind} {wanted} does not exist, and which others exist is not known");
            let hint = format!("allow `list` on {}, or choose a name", plural(kind));
            return Err(Refusal::new(refusal::NEEDS_CHOICE, message, hint));
        }
        if !wanted.is_empty() {
            case.expect(&path, &json!(wanted))?;
        }
        if case.is("worked") {
            return Err(history::worked(case));
        }
        Ok(Self { kind, wanted, paths: vec![path], names })
    }

    /// All places of the object that name it.
    #[must_use]
    pub(crate) fn everywhere(mut self, paths: Vec<Path>) -> Self {
        self.paths = paths;
        self
    }

    /// Leaves only the names that could serve.
    #[must_use]
    pub(crate) fn only(mut self, fits: impl Fn(&str) -> bool) -> Self {
        self.names.retain(|name| fits(name));
        self
    }

    /// The only name that the wanted one is a typo of.
    pub(crate) fn close(&self) -> Option<&'c str> {
        only_close(self.wanted, &self.names, &[])
    }

    /// The intent to name this one.
    pub(crate) fn take(&self, case: &Case<'_>, name: &str, why: &str, review: Vec<String>) -> Intent {
        let subject = match self.wanted {
            "" => format!("Name {} {name}", self.kind),
            wanted => format!("Name {} {name} instead of {wanted}", self.kind),
        };
        let edits = self.paths.iter().map(|path| case.set(path.clone(), json!(name))).collect();
        case.intent(subject, why.to_owned(), edits, review)
    }

    /// The intent for the only close name, and for the only name there is where `sole`; else a choice.
    pub(crate) fn decide(&self, case: &Case<'_>, review: &[&str], sole: bool) -> Result<Vec<Intent>, Refusal> {
        let notes = || review.iter().map(|note| (*note).to_owned()).collect::<Vec<_>>();
        let missing = match self.wanted {
            "" => format!("no {} is named", self.kind),
            wanted => format!("{} {wanted} does not exist", self.kind),
        };
        if let Some(name) = self.close() {
            let why = format!("{missing}; {name} is the only one with a name as close");
            return Ok(vec![self.take(case, name, &why, notes())]);
        }
        if let ([name], true) = (self.names.as_slice(), sole) {
            let mut review = notes();
            review.push(format!("{name} is the only {}, its name is not close", self.kind));
            return Ok(vec![self.take(case, name, &format!("{missing}; {name} is the only one there is"), review)]);
        }
        Err(self.choose(case))
    }

    /// The refusal with every name as a choice, the closest first.
    pub(crate) fn choose(&self, case: &Case<'_>) -> Refusal {
        let mut names = self.names.clone();
        names.sort_by_key(|name| (text::distance(self.wanted, name), *name));
        let choices = names.iter().take(SHOWN).map(|name| self.take(case, name, "it exists", Vec::new())).collect();
        let create = || format!("create {} {}, or name one that exists", self.kind, self.wanted);
        let (message, hint) = match self.wanted {
            "" => (format!("no {} is named, and none is the only one", self.kind), "name one that exists".to_owned()),
            wanted => {
                (format!("{} {wanted} does not exist and no other is close enough to be meant", self.kind), create())
            }
        };
        let message = match self.close() {
            Some(name) => {
                format!(
                    "{} {} does not exist; {name} is close, and other facts speak against it",
                    self.kind, self.wanted
                )
            }
            None => message,
        };
        case.ask(message, &hint, choices)
    }
}

/// As the API lists a kind: `ingressclasses`.
pub(crate) fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    if lower.ends_with('s') { format!("{lower}es") } else { format!("{lower}s") }
}

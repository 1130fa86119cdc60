//! Gatekeeper's templates and constraints in a set.

use super::gatekeeper::documents::{Template, Written, in_place, with_defaults};
use super::protocol;
use super::set::{File, Set, digest, twice};
use crate::error::Error;
use crate::model::verdict::Decision;
use serde_json::{Map, Value};

/// One Gatekeeper constraint.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    pub(super) asked: protocol::Constraint,
    /// What its template says of itself.
    pub title: String,
    pub reason: String,
    /// Of what it and its template say, 64 hex digits.
    pub sha256: String,
}

impl Constraint {
    /// `K8sRequiredLabels/owner`.
    pub fn name(&self) -> &str {
        &self.asked.name
    }

    /// The file that it stands in.
    pub fn path(&self) -> &str {
        &self.asked.path
    }

    /// Why it can't be asked; empty when it can.
    pub fn fault(&self) -> &str {
        &self.asked.fault
    }

    /// What a violation of it means.
    pub fn action(&self) -> Decision {
        self.asked.action
    }
}

/// A template whose Rego is among the files.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Placed {
    pub(super) kind: String,
    pub(super) files: Vec<usize>,
    pub(super) fault: String,
    pub(super) schema: Value,
    pub(super) title: String,
    pub(super) reason: String,
}

/// A constraint whose template is looked for when its whole folder is read.
pub(super) struct Pending {
    pub(super) written: Written,
    pub(super) path: String,
}

impl Set {
    /// Whether any policy asks for the labels of a namespace.
    pub fn asks_for_namespaces(&self) -> bool {
        let is_selector = |value: &Value| value.as_object().is_some_and(|parts| !parts.is_empty());
        let selects =
            |constraint: &Constraint| constraint.asked.matching.get("namespaceSelector").is_some_and(is_selector);
        self.constraints.iter().any(selects) || self.files.iter().any(|file| file.text.contains("namespaceLabels"))
    }

    /// Kinds of templates that no constraint uses.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        let is_used = |placed: &Placed| {
            let mut kinds = self.constraints.iter().filter_map(|constraint| constraint.name().split('/').next());
            kinds.any(|kind| kind == placed.kind)
        };
        self.templates.iter().filter(move |placed| !is_used(placed)).map(|placed| placed.kind.as_str())
    }

    /// Adds the Rego of a template as a source of its own: its libraries are nobody else's.
    pub(super) fn place(&mut self, template: Template, path: &str, yaml: &str) -> Result<(), Error> {
        let source = self.data.len();
        self.data.push(Value::Object(Map::new()));
        let mut files = Vec::new();
        for (nth, rego) in template.rego.iter().enumerate() {
            let name = match nth {
                0 => format!("template/{}", template.kind),
                nth => format!("template/{}/lib{nth}", template.kind),
            };
            let other = format!("{path}#{name}");
            let taken = |name: &str| self.files.iter().any(|file| file.name == name);
            let name = if taken(&name) { other } else { name };
            if taken(&name) {
                return Err(twice(&name));
            }
            let text = in_place(yaml, rego).unwrap_or_else(|| rego.clone());
            let sha256 = digest([rego.as_str()]);
            files.push(self.files.len());
            self.files.push(File {
                source,
                name,
                path: path.to_owned(),
                text,
                sha256,
                is_template: true,
                of_repository: false,
            });
        }
        let Template { kind, fault, schema, title, reason, .. } = template;
        self.templates.push(Placed { kind, files, fault, schema, title, reason });
        Ok(())
    }

    /// Gives each constraint its template. One that has none is kept: it denies.
    pub(super) fn resolve(&mut self, pending: Vec<Pending>) -> Result<(), Error> {
        for Pending { written, path } in pending {
            let Written { kind, name, action, matching, parameters, text } = written;
            let mut of_kind = self.templates.iter().filter(|placed| placed.kind == kind);
            let template = of_kind.next();
            let fault = match (template, of_kind.next()) {
                (None, _) => format!("there is no ConstraintTemplate of {kind} among the policies"),
                (Some(_), Some(_)) => format!("there are several ConstraintTemplates of {kind}"),
                (Some(template), None) => template.fault.clone(),
            };
            let files = template.map(|template| template.files.clone()).unwrap_or_default();
            let schema = template.map_or(&Value::Null, |template| &template.schema);
            let parameters = with_defaults(schema, &parameters);
            let regos = files.iter().filter_map(|at| self.files.get(*at)).map(|file| file.text.as_str());
            let sha256 = digest(std::iter::once(text.as_str()).chain(regos));
            let short = format!("{kind}/{name}");
            let taken = |name: &str| self.constraints.iter().any(|constraint| constraint.name() == name);
            let name = if taken(&short) { format!("{short} ({path})") } else { short };
            if taken(&name) {
                return Err(twice(&name));
            }
            let said = template.map(|template| (template.title.clone(), template.reason.clone()));
            let (title, reason) = said.unwrap_or_default();
            let asked = protocol::Constraint { name, path, files, fault, action, matching, parameters };
            self.constraints.push(Constraint { asked, title, reason, sha256 });
        }
        Ok(())
    }
}

//! Which file of a chart an object comes from.
//!
//! Helm writes it above each document: `# Source: web/charts/redis/templates/statefulset.yaml`.

use super::charts::{called, charts};
use super::roots::{folder_of, join};
use super::{Workbench, flatten, helm, names};
use crate::model::object::ObjectRef;
use crate::model::proposal::Tool;
use crate::yaml::parse;

/// Where the template of an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// A file of the repository.
    Template(String),
    /// In this archive of a chart.
    Packed(String),
}

impl Workbench<'_> {
    /// The template of a rendered object, where a chart makes it and Helm tells. It is for words alone: a template
    /// can write such a line itself.
    pub async fn made(&self, object: &ObjectRef) -> Option<Made> {
        if self.root.tool != Tool::Helm {
            return None;
        }
        let output = helm::output(&self.tree, &self.root, self.tools).await.ok()?;
        self.home(&source(&output, object)?)
    }

    fn home(&self, source: &str) -> Option<Made> {
        let all = charts(&self.tree, &self.root.path).ok()?;
        let (_, mut rest) = source.split_once('/')?;
        let mut prefix = Vec::new();
        let mut folder = all.first()?.folder.as_str();
        while let Some((name, below)) = rest.strip_prefix("charts/").and_then(|rest| rest.split_once('/')) {
            prefix.push(name.to_owned());
            match all.iter().find(|chart| chart.prefix == prefix) {
                Some(chart) => (folder, rest) = (&chart.folder, below),
                None => return self.archive(folder, &called(&self.tree, folder, name)).map(Made::Packed),
            }
        }
        let file = join(folder, rest);
        self.tree.text(&file).map(|_| Made::Template(file))
    }

    /// The archive with the chart of that name; links may have led there.
    fn archive(&self, folder: &str, name: &str) -> Option<String> {
        let named = || self.inputs.packed.iter().filter(|(_, packed)| packed.name == name).map(|(path, _)| path);
        let own = join(folder, "charts");
        named().find(|path| folder_of(path) == own).or_else(|| named().next()).cloned()
    }
}

/// What stands above the document of an object.
fn source(output: &str, object: &ObjectRef) -> Option<String> {
    output.split("\n---\n").find_map(|document| {
        let source = document.trim_start_matches("---\n").lines().next()?.strip_prefix("# Source: ")?;
        let objects = flatten(parse::all(document).ok()?);
        names::find(&objects, object).map(|_| source.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_above_the_document_counts() {
        let output = "---\n# Source: web/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n\
                      # Source: web/charts/db/templates/b.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n";
        let of = |name: &str| source(output, &ObjectRef::new("v1", "ConfigMap", "p", name));
        assert_eq!(of("a").as_deref(), Some("web/templates/a.yaml"));
        assert_eq!(of("b").as_deref(), Some("web/charts/db/templates/b.yaml"));
        assert_eq!(of("c"), None);
    }
}

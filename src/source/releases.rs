//! The release that a live object says it belongs to.

use super::Question;
use crate::model::proposal::{Signal, Tool, Trust};
use crate::model::refusal::Refusal;
use crate::render::{Release, Root, Values, roots};
use serde_json::Value;

impl<'q> Question<'q> {
    /// All roots of the base, charts released as the live object says.
    pub(super) fn roots(&self) -> Vec<Root> {
        roots(self.base.tree).into_iter().map(|root| self.released(root)).collect()
    }

    /// The folder that a person named, with the values that a person named.
    ///
    /// # Errors
    /// `render-failed` for values that no chart reads.
    pub(super) fn given(&self, path: &str) -> Result<Root, Refusal> {
        let mut root = Root::at(self.base.tree, path);
        if root.tool == Tool::Helm {
            let values = self.values.iter().map(|file| Values::File(clean(file))).collect();
            root = self.released(Root::chart(&root.path, Release { values, ..Release::default() }));
        } else if !self.values.is_empty() {
            let text = format!("`{}` is no chart, and reads no values", root.shown());
            return Err(Refusal::new("render-failed", text, "leave --values away, or name a chart: --path CHART"));
        }
        Ok(root)
    }

    fn released(&self, mut root: Root) -> Root {
        if let Some(release) = root.release.as_deref_mut() {
            (release.name, release.namespace) = self.release();
        }
        root
    }

    /// Name and namespace: what `helm install` wrote, else what charts usually write, else the object's own.
    fn release(&self) -> (String, String) {
        let metadata = &self.live["metadata"];
        let own = |of: &Value, key: &str| of[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let name = own(&metadata["annotations"], "meta.helm.sh/release-name")
            .or_else(|| own(&metadata["labels"], "app.kubernetes.io/instance"))
            .unwrap_or_else(|| self.intent.object.name.clone());
        let namespace = own(&metadata["annotations"], "meta.helm.sh/release-namespace")
            .or_else(|| self.intent.object.namespace.clone())
            .unwrap_or_default();
        (name, namespace)
    }
}

/// What the trail says of a chart's release.
pub(super) fn signal(root: &Root) -> Option<Signal> {
    let release = root.release.as_deref()?;
    Some(Signal {
        signal: "Helm release".to_owned(),
        value: match root.values_files().as_slice() {
            [] => format!("{}/{}", release.namespace, release.name),
            files => format!("{}/{} with {}", release.namespace, release.name, crate::text::and(files)),
        },
        trust: Trust::Claimed,
    })
}

fn clean(path: &str) -> String {
    path.trim_start_matches("./").to_owned()
}

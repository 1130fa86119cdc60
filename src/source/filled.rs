//! Values of ConfigMaps that only the cluster has.

use super::Question;
use super::draft::Draft;
use super::locate::candidates::Target;
use crate::model::proposal::{Signal, Trust};
use crate::model::refusal::Refusal;
use crate::render::{Filled, MapName, Root};
use crate::schema::NoCluster;
use crate::text::shell_word;
use serde_json::Value;
use std::collections::BTreeMap;
use std::future::{Future, ready};
use std::pin::Pin;

/// The answer of [`Maps`]: what is known, or why nothing is.
pub type Reading<'d> = Pin<Box<dyn Future<Output = Result<Filled, String>> + 'd>>;

/// Who reads one ConfigMap of the cluster, by its name.
pub trait Maps: Sync {
    fn read<'d>(&'d self, map: &'d MapName) -> Reading<'d>;
}

impl Maps for NoCluster {
    fn read<'d>(&'d self, _: &'d MapName) -> Reading<'d> {
        Box::pin(ready(Err("there is no cluster to ask".to_owned())))
    }
}

/// The root with the values that its controllers fill in and no file makes; `None` where nothing more is known.
pub(super) async fn fill(question: &Question<'_>, root: &Root, rendered: &[Value]) -> (Option<Root>, Vec<Signal>) {
    let (mut known, mut trail) = (BTreeMap::new(), Vec::new());
    for map in root.lacks(rendered) {
        let name = format!("ConfigMap {}/{}", map.0, map.1);
        let (value, trust) = match question.maps.read(&map).await {
            Ok(filled) => {
                let value = match &filled {
                    Filled::Missing => format!("{name} is neither in Git nor in the cluster"),
                    Filled::Read { whole: true, .. } => format!("{name} of the cluster was read"),
                    Filled::Read { whole: false, .. } => {
                        format!("{name} of the cluster was read, but for what looks like a secret")
                    }
                };
                known.insert(map, filled);
                (value, Trust::Proved)
            }
            Err(why) => (format!("{name} was not read: {why}"), Trust::Claimed),
        };
        trail.push(Signal { signal: "filled in".to_owned(), value, trust });
    }
    ((!known.is_empty()).then(|| root.clone().filled(&known)), trail)
}

impl Draft<'_, '_> {
    /// The field comes from a ConfigMap that is in no file of this repository.
    pub(super) fn said_in_the_cluster(&self, target: &Target<'_>) -> Option<Refusal> {
        let shown = super::locate::candidate::text_of(target.value);
        for control in self.traced.root.controls() {
            for (name, filled) in &control.filled {
                let Filled::Read { values, .. } = filled else { continue };
                for (key, _) in values.iter().filter(|(_, value)| !value.is_empty() && shown.contains(value.as_str())) {
                    let Some(place) = self.place_of_variable(key) else { continue };
                    let namespace = control.object.namespace();
                    let text = format!(
                        "{} comes from ConfigMap {namespace}/{name} key `{key}` in the cluster, named at {place}",
                        target.path
                    );
                    let hint = format!(
                        "change it there: kubectl edit configmap -n {} {}",
                        shell_word(namespace),
                        shell_word(name)
                    );
                    return Some(Refusal::new("templated-line", text, hint));
                }
            }
        }
        None
    }

    /// The first line that names a variable: `apps/web.yaml:7`.
    fn place_of_variable(&self, key: &str) -> Option<String> {
        let named = format!("${{{key}");
        let is_it = |line: &str| {
            let ends =
                |at: usize| !line[at + named.len()..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
            line.match_indices(&named).any(|(at, _)| ends(at))
        };
        self.texts().iter().find_map(|(file, _, text)| {
            let line = text.lines().position(is_it)?;
            Some(format!("{file}:{}", line + 1))
        })
    }
}

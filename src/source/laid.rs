//! Fields that a controller makes from outside of the folder.

use super::draft::{Draft, no_candidate};
use super::locate::candidates::{Source, Target, candidates};
use crate::model::refusal::Refusal;
use serde_json::Value;

impl Draft<'_, '_> {
    /// Why no file that may be edited makes the field.
    pub(super) fn no_place(&self, target: &Target<'_>, new: &Value, unread: Vec<String>) -> Refusal {
        let refusal = self
            .said_in_the_cluster(target)
            .or_else(|| self.default_of_a_variable(target))
            .or_else(|| self.said_live(target, new));
        refusal.unwrap_or_else(|| no_candidate(target.path, &self.traced.root.shown(), unread))
    }

    /// The default of a `${name:=default}` that nothing sets.
    fn default_of_a_variable(&self, target: &Target<'_>) -> Option<Refusal> {
        let control = self.traced.root.control.as_ref()?;
        let default = target.value.as_str().map_or_else(|| target.value.to_string(), str::to_owned);
        for (file, ..) in &self.traced.bench.inputs().files {
            let text = self.text(file)?;
            for (number, line) in text.lines().enumerate() {
                let at =
                    [":=", ":-", "=", "-"].iter().find_map(|operator| line.find(&format!("{operator}{default}}}")));
                let Some(name) = at.and_then(|at| line[..at].rsplit_once("${")).map(|(_, name)| name) else { continue };
                return Some(Refusal::new(
                    "templated-line",
                    format!("{} is the default of `{name}` at {file}:{}", target.path, number + 1),
                    format!("set `{name}` in postBuild.substitute of {}", control.object.qualified()),
                ));
            }
        }
        None
    }

    /// The controller's object says it, and is not in this repository.
    fn said_live(&self, target: &Target<'_>, new: &Value) -> Option<Refusal> {
        let control = self.traced.root.control.as_ref().filter(|control| control.above.is_none())?;
        let name = control.object.qualified();
        let live: Value = serde_json::from_str(&control.live).ok()?;
        let text = serde_json::json!({"apiVersion": live["apiVersion"], "kind": live["kind"], "spec": live["spec"]})
            .to_string();
        let source = Source { path: "live.json", layer: 0, text: &text, kustomization: None };
        let (found, _) = candidates(&[source], target, false);
        let shown = found.iter().find(|one| one.concerns(target.value, new))?.shown();
        let place = shown.strip_prefix("live.json: ").unwrap_or(&shown);
        let owners = live["metadata"]["ownerReferences"].as_array();
        let set = owners.into_iter().flatten().find(|owner| owner["kind"] == "ApplicationSet");
        if let Some(set) = set.and_then(|set| set["name"].as_str()) {
            let text = format!("{} is made by {place} of {name}, which ApplicationSet {set} makes", target.path);
            let file = self.file_of("ApplicationSet", set);
            let hint = file.map_or_else(
                || format!("change the template of ApplicationSet {set}"),
                |file| format!("change the template in `{file}`"),
            );
            return Some(Refusal::new("generated", text, hint));
        }
        Some(Refusal::new(
            "remote-source",
            format!("{} is made by {place} of {name}, which is not in this repository", target.path),
            format!("change {name} where it is kept"),
        ))
    }

    /// The file of the repository that says an object.
    fn file_of(&self, kind: &str, name: &str) -> Option<String> {
        let tree = self.question.base.tree;
        let says = |path: &str| {
            let text = tree.text(path).filter(|text| text.contains(kind) && text.contains(name));
            let documents = text.and_then(|text| crate::yaml::parse::all(text).ok()).unwrap_or_default();
            documents.iter().any(|one| one["kind"] == kind && one["metadata"]["name"] == name)
        };
        tree.entries.keys().find(|path| (path.ends_with(".yaml") || path.ends_with(".yml")) && says(path)).cloned()
    }
}

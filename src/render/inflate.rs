//! Charts that a kustomization renders: `helmCharts`.
//!
//! Fields: <https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/helmcharts/>.

use super::chart_text::{check_value, check_values, lossy};
use super::resolve::{Target, resolve};
use super::roots::{folder_of, join, within};
use super::walk::{At, Walk};
use crate::model::refusal::Refusal;
use crate::yaml::scalars::leaves;
use serde_json::Value;

/// One chart of a kustomization. Paths are from the repository's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inflation {
    pub chart: String,
    /// The files with its values, the last wins; those of the chart itself come first.
    pub values: Vec<String>,
    /// Copied from elsewhere: its files are not edited.
    pub foreign: bool,
}

impl Inflation {
    /// Whether a file is the chart's own.
    pub fn holds(&self, file: &str) -> bool {
        file.starts_with(&join(&self.chart, ""))
    }
}

/// The charts that a kustomization file names.
pub fn inflations<'s>(file: &'s str, spec: &'s Value) -> impl Iterator<Item = Inflation> + 's {
    let folder = folder_of(file);
    entries(spec).map(move |entry| {
        let chart = within(folder, &chart(spec, entry));
        let own = within(&chart, "values.yaml");
        // With a file of its own the chart's is not read by kustomize, but still by Helm.
        let given = entry["valuesFile"].as_str().into_iter().chain(texts(&entry["additionalValuesFiles"]));
        let values = std::iter::once(own).chain(given.map(|file| within(folder, file))).collect();
        Inflation { chart, values, foreign: !text(entry, "repo").is_empty() }
    })
}

/// Where kustomize looks for a chart, from the kustomization's folder: it fetches only what is not there.
fn chart(spec: &Value, entry: &Value) -> String {
    let home = spec["helmGlobals"]["chartHome"].as_str().filter(|home| !home.is_empty()).unwrap_or("charts");
    let (name, version) = (text(entry, "name"), text(entry, "version"));
    if version.is_empty() || text(entry, "repo").is_empty() {
        format!("{home}/{name}")
    } else {
        format!("{home}/{name}-{version}/{name}")
    }
}

impl Walk<'_> {
    /// Charts in the repository with their values; one that is not here is not fetched.
    pub(super) fn inflate(&mut self, at: &At<'_>, spec: &Value) -> Result<(), Refusal> {
        if let Some(home) = spec["helmGlobals"]["configHome"].as_str() {
            let text = format!("`{}` gives Helm a configuration of its own: `{home}`", at.file);
            return Err(Refusal::new("unsupported-renderer", text, "take `configHome` out"));
        }
        for entry in entries(spec) {
            self.inflate_one(at, spec, entry)?;
        }
        Ok(())
    }

    fn inflate_one(&mut self, at: &At<'_>, spec: &Value, entry: &Value) -> Result<(), Refusal> {
        // Helm would read it as a flag, and `--post-renderer` runs a program.
        let is_flag = |name: &&str| text(entry, name).starts_with('-');
        if let Some(name) = ["name", "releaseName", "namespace", "nameTemplate"].iter().find(|name| is_flag(name)) {
            let text = format!("`{}` gives a chart a `{name}` that begins with `-`", at.file);
            return Err(Refusal::new("plugin", text, "give it a name"));
        }
        let path = chart(spec, entry);
        let (folder, target) = resolve(self.tree, at.folder, &path, at.file, &mut self.inputs.links)?;
        if target != Target::Folder {
            let (name, repo) = (text(entry, "name"), crate::redact::text(text(entry, "repo")));
            let from = if repo.as_str().is_empty() { String::new() } else { format!(" of `{repo}`") };
            let text = format!("`{}` renders the chart `{name}`{from}, which is not in its `{path}`", at.file);
            let hint = "nothing is fetched; add the chart to Git, or name a folder that needs none: --path DIR";
            return Err(Refusal::new("remote-source", text, hint));
        }
        let values: Vec<&str> =
            entry["valuesFile"].as_str().into_iter().chain(texts(&entry["additionalValuesFiles"])).collect();
        for file in &values {
            self.file(at, file)?;
        }
        check_value(&format!("`{}`", at.file), &entry["valuesInline"])?;
        let values: Vec<String> = values.iter().map(|file| within(at.folder, file)).collect();
        for file in &values {
            let (target, _) = resolve(self.tree, "", file, at.file, &mut self.inputs.links)?;
            check_values(&format!("`{file}`"), &lossy(self.tree.file(&target).unwrap_or_default()))?;
        }
        let inline = leaves(&entry["valuesInline"]).iter().any(|(_, leaf)| leaf.as_str().is_some_and(reads_files));
        self.chart_files(&folder, at.layer + 2, &values, inline)?;
        self.inputs.folders.insert(folder);
        self.inputs.inflating.get_or_insert_with(|| at.file.to_owned());
        Ok(())
    }
}

/// Whether a text asks for files of the chart.
pub(super) fn reads_files(text: &str) -> bool {
    text.contains(".Files")
}

fn entries(spec: &Value) -> impl Iterator<Item = &Value> {
    spec["helmCharts"].as_array().into_iter().flatten()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_chart_lies_where_kustomize_looks_for_it() {
        let of = |globals: Value, entry: Value| {
            let spec = json!({"helmGlobals": globals, "helmCharts": [entry]});
            inflations("apps/prod/kustomization.yaml", &spec).next().unwrap()
        };
        let plain = of(Value::Null, json!({"name": "web", "version": "1.0", "valuesFile": "../values.yaml"}));
        assert_eq!(plain.chart, "apps/prod/charts/web");
        assert_eq!(plain.values, ["apps/prod/charts/web/values.yaml", "apps/values.yaml"]);
        assert!(!plain.foreign && plain.holds("apps/prod/charts/web/Chart.yaml"));
        assert!(!plain.holds("apps/prod/charts/web-2/Chart.yaml"));
        let fetched = json!({"name": "web", "version": "1.0", "repo": "https://charts.example.org"});
        let vendored = of(json!({"chartHome": "../charts"}), fetched);
        assert_eq!((vendored.chart.as_str(), vendored.foreign), ("apps/charts/web-1.0/web", true));
    }
}

//! A chart's files, and the charts inside it.
//!
//! <https://helm.sh/docs/topics/charts/>

use super::chart_text::{check_file, lossy};
use super::inputs::{Inputs, Layer, unsafe_yaml};
use super::packed;
use super::release::{Post, Values};
use super::resolve::{Target, resolve};
use super::roots::{Root, folder_of, join};
use super::walk::Walk;
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use crate::yaml::parse;
use serde_json::Value;
use std::collections::BTreeMap;

/// A chart of a release: the named one, or one inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chart {
    pub folder: String,
    /// Where its values stand in those of the named chart: `redis`, or the alias; empty for the named one.
    pub prefix: Vec<String>,
    /// Copied from elsewhere: its files are not edited.
    pub foreign: bool,
}

/// Charts inside charts, and charts of one release, that are read at most.
const DEPTH: usize = 8;
const CHARTS: usize = 128;

/// The chart of a folder and all that are unpacked inside it, outermost first.
///
/// # Errors
/// `remote-source` when one is missing, and the refusals of its files.
pub fn charts(tree: &Tree, folder: &str) -> Result<Vec<Chart>, Refusal> {
    let mut found = Vec::new();
    let (folder, _) = resolve(tree, "", folder, "--path", &mut BTreeMap::new())?;
    inside(tree, &Chart { folder, prefix: Vec::new(), foreign: false }, true, &mut found)?;
    Ok(found)
}

fn inside(tree: &Tree, chart: &Chart, is_named: bool, found: &mut Vec<Chart>) -> Result<(), Refusal> {
    if chart.prefix.len() > DEPTH || found.len() >= CHARTS {
        let text = format!("`{}` has too many charts inside it", chart.folder);
        return Err(Refusal::new("render-limit", text, "name another folder: --path DIR"));
    }
    let about = about(tree, &chart.folder)?;
    found.push(chart.clone());
    let mut unnamed = folders(tree, &join(&chart.folder, "charts"));
    for dependency in items(&about["dependencies"]) {
        let own = text(dependency, "name");
        let repository = text(dependency, "repository");
        let local = repository.strip_prefix("file://");
        let at = join(&chart.folder, &format!("charts/{own}"));
        let known = named(tree, &chart.folder, own);
        let folder = match (known, local) {
            (Some(folder), _) => folder,
            (None, Some(_)) if is_packed(tree, &chart.folder, own) => continue,
            // Only what the named chart depends on is looked for; so does `helm dependency build`.
            (None, Some(path)) if is_named => beside(tree, &chart.folder, path)?,
            (None, _) if is_packed(tree, &chart.folder, own) || !is_named => continue,
            (None, _) => return Err(missing(&chart.folder, own, repository)),
        };
        unnamed.retain(|other| *other != folder);
        let foreign = chart.foreign
            || (folder == at || folder.starts_with(&join(&chart.folder, "charts/")))
                && !repository.is_empty()
                && local.is_none();
        let alias = Some(text(dependency, "alias")).filter(|alias| !alias.is_empty()).unwrap_or(own);
        let prefix = chart.prefix.iter().cloned().chain([alias.to_owned()]).collect();
        inside(tree, &Chart { folder, prefix, foreign }, false, found)?;
    }
    for folder in unnamed {
        let own = about_name(tree, &folder);
        let prefix = chart.prefix.iter().cloned().chain([own]).collect();
        inside(tree, &Chart { folder, prefix, foreign: chart.foreign }, false, found)?;
    }
    Ok(())
}

/// `Chart.yaml`, with the dependencies of an old chart's `requirements.yaml`.
fn about(tree: &Tree, folder: &str) -> Result<Value, Refusal> {
    let read = |name: &str| {
        let file = join(folder, name);
        tree.text(&file).map(|text| parse::document(text).map_err(|error| unsafe_yaml(&file, &error)))
    };
    let mut about = read("Chart.yaml").unwrap_or_else(|| {
        let text = format!("`{folder}` has no Chart.yaml");
        Err(Refusal::new("render-failed", text, "name the folder of a chart: --path DIR"))
    })?;
    if let (Some(old), true) = (read("requirements.yaml"), about["apiVersion"] == "v1") {
        about["dependencies"] = old?["dependencies"].clone();
    }
    Ok(about)
}

/// The name of the chart that a dependency is, which may be called otherwise there (`alias`).
pub(super) fn called(tree: &Tree, folder: &str, name: &str) -> String {
    let about = about(tree, folder).unwrap_or_default();
    let own = items(&about["dependencies"]).find(|one| text(one, "alias") == name).map(|one| text(one, "name"));
    own.unwrap_or(name).to_owned()
}

/// The name that a chart gives itself, else its folder's.
pub fn about_name(tree: &Tree, folder: &str) -> String {
    let own = about(tree, folder).ok().and_then(|about| about["name"].as_str().map(str::to_owned));
    own.unwrap_or_else(|| folder.rsplit('/').next().unwrap_or_default().to_owned())
}

/// Folders with a chart right below `folder`.
fn folders(tree: &Tree, folder: &str) -> Vec<String> {
    let is_chart = |path: &&str| path.ends_with("/Chart.yaml") && folder_of(folder_of(path)) == folder;
    tree.below(folder).map(|(path, _)| path).filter(is_chart).map(|path| folder_of(path).to_owned()).collect()
}

/// The unpacked chart of that name in `charts/`.
fn named(tree: &Tree, chart: &str, name: &str) -> Option<String> {
    folders(tree, &join(chart, "charts")).into_iter().find(|folder| about_name(tree, folder) == name)
}

fn is_packed(tree: &Tree, chart: &str, name: &str) -> bool {
    let packed = |path: &str| {
        let file = path.rsplit('/').next().unwrap_or_default();
        let version = file.strip_suffix(".tgz").and_then(|stem| stem.strip_prefix(name)?.strip_prefix('-'));
        version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit() || c == 'v'))
    };
    tree.below(&join(chart, "charts")).any(|(path, _)| packed(path))
}

/// A chart that `file://` names.
fn beside(tree: &Tree, chart: &str, path: &str) -> Result<String, Refusal> {
    let by = join(chart, "Chart.yaml");
    let (folder, target) = resolve(tree, chart, path, &by, &mut BTreeMap::new())?;
    if target == Target::Folder {
        return Ok(folder);
    }
    let text = format!("`{by}` names `{path}`, which is not in the repository");
    Err(Refusal::new("render-failed", text, "add the chart or take the dependency out"))
}

fn missing(chart: &str, name: &str, repository: &str) -> Refusal {
    let from = if repository.is_empty() {
        "no repository".to_owned()
    } else {
        format!("`{}`", crate::redact::text(repository))
    };
    Refusal::new(
        "remote-source",
        format!("`{chart}` needs the chart `{name}` of {from}, which is not in its charts/"),
        format!("nothing is fetched; add it to Git: helm dependency build {chart}"),
    )
}

/// Files of charts beside the named one, and where Helm wants them: in its `charts/`.
pub(super) fn vendored(tree: &Tree, chart: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut out = Vec::new();
    let own = join(chart, "");
    for inner in charts(tree, chart)?.into_iter().filter(|inner| inner.prefix.len() == 1) {
        if inner.folder.starts_with(&own) && !own.is_empty() || chart.is_empty() && inner.folder.starts_with("charts/")
        {
            continue;
        }
        let to = join(chart, &format!("charts/{}", about_name(tree, &inner.folder)));
        let below = join(&inner.folder, "");
        out.extend(tree.below(&inner.folder).map(|(path, _)| (path.to_owned(), join(&to, &path[below.len()..]))));
    }
    Ok(out)
}

impl Walk<'_> {
    /// The chart with all that is inside it, and its values.
    pub(super) fn chart(&mut self, folder: &str, root: &Root) -> Result<(), Refusal> {
        if let Some(file) = root.release.iter().find_map(|release| release.overridden.as_ref()) {
            let text = format!("`{file}` changes the release of the chart (`helm`), which is not followed");
            return Err(Refusal::new("unsupported-renderer", text, "write it into the Application: spec.source.helm"));
        }
        let values = root.release.iter().flat_map(|release| &release.values);
        let count = values.clone().count();
        for (number, values) in values.enumerate() {
            let layer = count - 1 - number;
            match values {
                Values::File(path) => {
                    let file = self.values_file(path)?;
                    self.add(file, layer)?;
                }
                Values::Field(field) | Values::Set { value: field, .. } => {
                    let inner = Inputs::of(self.tree, &field.root)?;
                    self.take(inner, layer);
                }
                Values::Fixed(_) => {}
            }
        }
        if let Some(Post::Field(field)) = root.release.iter().find_map(|release| release.post.as_ref()) {
            let inner = Inputs::of(self.tree, &field.root)?;
            self.take(inner, count);
        }
        let files: Vec<String> = root.values_files().into_iter().map(str::to_owned).collect();
        self.chart_files(folder, count, &files, false)
    }

    /// The files of a chart and of all that are inside it; `values` are files beside it, and `reads_files`
    /// says that other values ask for files of the chart.
    pub(super) fn chart_files(
        &mut self,
        folder: &str,
        base: Layer,
        values: &[String],
        reads_files: bool,
    ) -> Result<(), Refusal> {
        let charts = charts(self.tree, folder)?;
        let texts = charts.iter().flat_map(|chart| self.tree.below(&chart.folder)).map(|(path, _)| path);
        let asks = |path: &str| self.tree.text(path).is_some_and(super::inflate::reads_files);
        let reads_files = reads_files || texts.chain(values.iter().map(String::as_str)).any(asks);
        for chart in charts {
            let layer = base + chart.prefix.len() * 2;
            let known = |path: &str| reads_files || is_read(path, &chart.folder);
            self.folder_of_chart(&chart.folder, layer, &known, (&mut Vec::new(), ""))?;
            if chart.folder != folder {
                self.inputs.folders.insert(chart.folder);
            }
        }
        Ok(())
    }

    fn values_file(&mut self, path: &str) -> Result<String, Refusal> {
        let (file, target) = resolve(self.tree, "", path, "--values", &mut self.inputs.links)?;
        if target == Target::File {
            return Ok(file);
        }
        let text = format!("`{path}` is not a file of the repository");
        Err(Refusal::new("render-failed", text, "name a values file from the repository's root: --values FILE"))
    }

    /// Every file below that makes the render, as Helm reads them; `above`: folders that links led through;
    /// `seen`: the folder as Helm sees it, from the chart.
    fn folder_of_chart(
        &mut self,
        folder: &str,
        layer: Layer,
        known: &dyn Fn(&str) -> bool,
        (above, seen): (&mut Vec<String>, &str),
    ) -> Result<(), Refusal> {
        if above.iter().any(|known| known == folder || folder.is_empty() || known.starts_with(&join(folder, ""))) {
            let text = format!("links of the chart lead in a circle (`{folder}`)");
            return Err(Refusal::new("render-limit", text, "take the link out of the chart"));
        }
        above.push(folder.to_owned());
        for (path, entry) in self.tree.below(folder).filter(|(path, _)| known(path)) {
            let seen = join(seen, path[folder.len()..].trim_start_matches('/'));
            match entry {
                Entry::Link(_) => {
                    let by = folder_of(path);
                    let name = path.rsplit('/').next().unwrap_or_default();
                    let (target, kind) = resolve(self.tree, by, name, path, &mut self.inputs.links)?;
                    match kind {
                        // Whatever is there stands in the chart under the link's own name.
                        Target::Folder => self.folder_of_chart(&target, layer, &|_| true, (above, &seen))?,
                        Target::File => self.chart_file(target, &seen, layer)?,
                        Target::Missing => {
                            let text = format!("the link `{path}` leads nowhere");
                            return Err(Refusal::new("render-failed", text, "take the link out of the chart"));
                        }
                    }
                }
                _ => self.chart_file(path.to_owned(), &seen, layer)?,
            }
        }
        above.pop();
        Ok(())
    }

    /// `seen` is the path in the chart, as Helm sees it.
    fn chart_file(&mut self, path: String, seen: &str, layer: Layer) -> Result<(), Refusal> {
        let name = seen.rsplit('/').next().unwrap_or_default();
        let bytes = self.tree.file(&path).unwrap_or_default();
        if packed::is_packed(seen) && !bytes.is_empty() {
            self.packed(&path, bytes)?;
        } else if !self.tree.entries.get(&path).is_some_and(Entry::is_pointer) {
            let note = check_file(&path, name, &lossy(bytes))?;
            note.into_iter().for_each(|note| self.inputs.note(note));
        }
        let further = usize::from(path.rsplit('/').next() != Some("values.yaml"));
        self.add(path, layer + further)
    }

    /// A chart in an archive is looked into as if it lay there unpacked.
    fn packed(&mut self, path: &str, bytes: &[u8]) -> Result<(), Refusal> {
        if self.inputs.packed.contains_key(path) {
            return Ok(());
        }
        let mut notes = Vec::new();
        let packed = packed::open(path, bytes, &mut |inner, bytes| {
            let name = inner.rsplit('/').next().unwrap_or_default();
            notes.extend(check_file(inner, name, &lossy(bytes))?);
            Ok(())
        })?;
        self.inputs.packed.insert(path.to_owned(), packed);
        notes.into_iter().for_each(|note| self.inputs.note(note));
        Ok(())
    }

    fn take(&mut self, inner: Inputs, layer: Layer) {
        let files = inner.files.into_iter().map(|(file, own)| (file, layer + own)).collect();
        self.inputs.add(Inputs { files, ..inner });
    }
}

/// Files that make the render, whether or not a template asks for files (`.Files`): a README and the values of
/// another environment do not. Charts inside have files of the same names.
fn is_read(path: &str, chart: &str) -> bool {
    let own = if chart.is_empty() { path } else { path.strip_prefix(chart).unwrap_or(path).trim_start_matches('/') };
    let parts: Vec<&str> = own.split('/').collect();
    let (folders, name) = parts.split_at(parts.len() - 1);
    match folders.first() {
        Some(&"templates" | &"crds" | &"charts") => true,
        Some(_) => false,
        None => READ.contains(&name[0]),
    }
}

/// Files of a chart's own folder that Helm reads, and links to its folders.
const READ: [&str; 11] = [
    ".helmignore",
    "Chart.lock",
    "Chart.yaml",
    "charts",
    "crds",
    "requirements.lock",
    "requirements.yaml",
    "templates",
    "values.schema.json",
    "values.yaml",
    "values.yml",
];

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

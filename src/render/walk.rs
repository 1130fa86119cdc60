//! The walk through what kustomizations name.
//!
//! Fields: <https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/>.

use super::inputs::{Inputs, Layer, limit, too_large, unsafe_yaml};
use super::resolve::{Target, resolve};
use super::roots::{Root, kustomization_file};
use crate::model::path::{Path, Step};
use crate::model::proposal::Tool;
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use crate::yaml::parse;
use serde_json::Value;
use std::collections::BTreeMap;

/// Kustomizations inside others, and files, that are read at most.
const DEPTH: usize = 64;
const FILES: usize = 4096;

/// As far as the walk of a root comes, and what was refused; with `on` it goes on after a refusal.
pub(super) fn walk(tree: &Tree, root: &Root, on: bool) -> (Inputs, Vec<Refusal>) {
    let mut walk = Walk { tree, inputs: Inputs::default(), stack: Vec::new(), on, refused: Vec::new() };
    let ended = walk.root(root);
    walk.refused.extend(ended.err());
    (walk.inputs, walk.refused)
}

/// A walk on its way.
pub(super) struct Walk<'t> {
    pub(super) tree: &'t Tree,
    pub(super) inputs: Inputs,
    /// Kustomization folders that are being walked.
    stack: Vec<String>,
    /// Goes on after a refusal.
    on: bool,
    /// The refusals of a walk that went on.
    refused: Vec<Refusal>,
}

impl Walk<'_> {
    fn root(&mut self, root: &Root) -> Result<(), Refusal> {
        if root.control.is_some() {
            let (inputs, refused) = Inputs::walk(self.tree, root, self.on);
            self.inputs.add(inputs);
            return refused.into_iter().try_for_each(|refusal| self.go_on(Err(refusal)));
        }
        let (folder, target) = resolve(self.tree, "", &root.path, "--path", &mut self.inputs.links)?;
        if target != Target::Folder {
            return Err(Refusal::new(
                "render-failed",
                format!("`{}` is not a folder of the repository", root.path),
                "name a folder: --path DIR",
            ));
        }
        match root.tool {
            Tool::Helm => self.chart(&folder, root),
            Tool::Plain => {
                for path in super::plain::files(self.tree, &folder, root) {
                    self.add(path, 0)?;
                }
                Ok(())
            }
            Tool::Kustomize => self.folder(&folder, 0),
        }
    }

    /// A refused entry ends the walk, or is remembered.
    fn go_on(&mut self, entry: Result<(), Refusal>) -> Result<(), Refusal> {
        match entry {
            // The limits end every walk.
            Err(refusal) if self.on && refusal.code != "render-limit" => {
                self.refused.push(refusal);
                Ok(())
            }
            other => other,
        }
    }

    pub(super) fn add(&mut self, path: String, layer: Layer) -> Result<(), Refusal> {
        // What it holds is looked at when it is rendered: of most roots only the names of their files matter.
        if !self.tree.entries.get(&path).is_some_and(Entry::is_file) {
            return Err(too_large(&path));
        }
        let known = self.inputs.files.entry(path).or_insert(layer);
        *known = layer.min(*known);
        if self.inputs.files.len() > FILES { Err(limit(format!("more than {FILES} files are read"))) } else { Ok(()) }
    }

    /// One folder with a kustomization.
    fn folder(&mut self, folder: &str, layer: Layer) -> Result<(), Refusal> {
        if self.stack.iter().any(|above| above == folder) {
            let ring: Vec<String> = self.stack.iter().chain([&folder.to_owned()]).map(|f| format!("`{f}`")).collect();
            return Err(Refusal::new(
                "render-failed",
                "kustomizations include each other in a circle",
                "break the circle",
            )
            .with_details(vec![ring.join(" -> ")]));
        }
        if self.stack.len() >= DEPTH {
            return Err(limit(format!("kustomizations are nested deeper than {DEPTH}")));
        }
        let file = kustomization_file(self.tree, folder).ok_or_else(|| {
            Refusal::new(
                "render-failed",
                format!("`{folder}` has no kustomization file"),
                "name another folder: --path DIR",
            )
        })?;
        // A diamond is walked once: twice each level would be 2^64 walks.
        if self.inputs.folders.contains(folder) && self.inputs.files.get(&file).is_some_and(|known| *known <= layer) {
            return Ok(());
        }
        self.add(file.clone(), layer)?;
        let text = self.tree.text(&file).unwrap_or_default();
        let spec = parse::document(text).map_err(|error| unsafe_yaml(&file, &error))?;
        let keys = super::keys::check(&file, &spec);
        self.go_on(keys)?;
        let visited = self.inputs.kustomizations.iter().any(|(path, _)| *path == file);
        self.stack.push(folder.to_owned());
        self.inputs.folders.insert(folder.to_owned());
        if !visited {
            self.inputs.kustomizations.push((file.clone(), spec.clone()));
        }
        let walked = self.fields(folder, &file, &spec, layer);
        self.stack.pop();
        walked
    }

    fn fields(&mut self, folder: &str, file: &str, spec: &Value, layer: Layer) -> Result<(), Refusal> {
        if spec.get("helmChartInflationGenerator").is_some_and(|value| !value.is_null()) {
            self.go_on(Err(Refusal::new(
                "unsupported-renderer",
                format!("`{file}` renders Helm charts (`helmChartInflationGenerator`)"),
                "write them as `helmCharts`, or name the chart itself: --path CHART --values FILE",
            )))?;
        }
        let at = At { folder, file, layer };
        let inflated = self.inflate(&at, spec);
        self.go_on(inflated)?;
        for (name, further) in [("resources", 2), ("bases", 2), ("components", 1)] {
            for entry in texts(&spec[name]) {
                let named = self.named(&At { layer: layer + further, ..at }, entry, layer);
                self.go_on(named)?;
            }
        }
        for name in ["crds", "configurations"] {
            for entry in texts(&spec[name]) {
                self.file(&at, entry)?;
            }
        }
        for entry in texts(&spec["patchesStrategicMerge"]).filter(|entry| !entry.contains('\n')) {
            self.file(&at, entry)?;
        }
        for name in ["patches", "patchesJson6902", "replacements"] {
            for entry in items(&spec[name]).filter_map(|entry| entry["path"].as_str()) {
                self.file(&at, entry)?;
            }
        }
        if let Some(path) = spec["openapi"]["path"].as_str() {
            self.file(&at, path)?;
        }
        for name in ["configMapGenerator", "secretGenerator"] {
            for entry in items(&spec[name]) {
                for source in texts(&entry["files"]) {
                    self.file(&at, source.split_once('=').map_or(source, |(_, path)| path))?;
                }
                for source in texts(&entry["envs"]).chain(entry["env"].as_str()) {
                    self.file(&at, source)?;
                }
            }
        }
        for name in ["generators", "transformers", "validators"] {
            for entry in texts(&spec[name]) {
                let plugin = self.plugin(&at, entry);
                self.go_on(plugin)?;
            }
        }
        Ok(())
    }

    /// A resource, base or component: a file or a folder. Files belong to the naming layer.
    fn named(&mut self, at: &At<'_>, entry: &str, own: Layer) -> Result<(), Refusal> {
        let (path, target) = self.resolve(at, entry)?;
        match target {
            Target::Folder => self.folder(&path, at.layer),
            _ => self.add(path, own),
        }
    }

    pub(super) fn file(&mut self, at: &At<'_>, entry: &str) -> Result<(), Refusal> {
        let named = self.only_file(at, entry);
        self.go_on(named)
    }

    fn only_file(&mut self, at: &At<'_>, entry: &str) -> Result<(), Refusal> {
        let (path, target) = self.resolve(at, entry)?;
        match target {
            Target::Folder => {
                Err(Refusal::new("render-failed", format!("`{}` names the folder `{entry}` as a file", at.file), ""))
            }
            _ => self.add(path, at.layer),
        }
    }

    /// A built-in generator or transformer: inline or a file. What runs programs is refused.
    fn plugin(&mut self, at: &At<'_>, entry: &str) -> Result<(), Refusal> {
        let text = if entry.contains('\n') {
            entry.to_owned()
        } else {
            let (path, target) = self.resolve(at, entry)?;
            if target == Target::Folder {
                return Err(plugin(at.file, &format!("the folder {entry}")));
            }
            self.add(path.clone(), at.layer)?;
            self.tree.text(&path).unwrap_or_default().to_owned()
        };
        for document in parse::all(&text).map_err(|error| unsafe_yaml(at.file, &error))? {
            let kind = document["kind"].as_str().unwrap_or("unknown");
            if document["apiVersion"] != "builtin" || kind.contains("Helm") {
                return Err(plugin(at.file, kind));
            }
            super::keys::check(at.file, &document)?;
            for (path, leaf) in crate::yaml::scalars::leaves(&document) {
                if let Some(source) = leaf.as_str() {
                    self.plugin_source(at, &path, source)?;
                }
            }
        }
        Ok(())
    }

    /// What a built-in plugin reads must be inside the repository; other texts may name a file by chance.
    fn plugin_source(&mut self, at: &At<'_>, path: &Path, source: &str) -> Result<(), Refusal> {
        let is = |names: &[&str]| {
            path.0.iter().any(|step| matches!(step, Step::Field(name) if names.contains(&name.as_str())))
        };
        let inline = is(&["paths"]) && source.contains('\n');
        let file = source.split_once('=').map_or(source, |(_, path)| path);
        // `fieldSpecs` have paths inside objects.
        if is(&READ) && !is(&["fieldSpecs"]) && !inline {
            return self.only_file(at, if is(&["files"]) { file } else { source });
        }
        let mut links = BTreeMap::new();
        if let Ok((path, Target::File)) = resolve(self.tree, at.folder, file, at.file, &mut links) {
            self.inputs.links.extend(links);
            self.add(path, at.layer)?;
        }
        Ok(())
    }

    fn resolve(&mut self, at: &At<'_>, entry: &str) -> Result<(String, Target), Refusal> {
        if is_url(entry) {
            return Err(remote(at.file, entry));
        }
        let (path, target) = resolve(self.tree, at.folder, entry, at.file, &mut self.inputs.links)?;
        if target != Target::Missing {
            return Ok((path, target));
        }
        if looks_hosted(entry) {
            return Err(remote(at.file, entry));
        }
        Err(Refusal::new(
            "render-failed",
            format!("`{}` names `{entry}`, which is not in the repository", at.file),
            "add the file or take the entry out",
        ))
    }
}

/// Who names an input, and the layer that the input belongs to.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) folder: &'a str,
    pub(super) file: &'a str,
    pub(super) layer: Layer,
}

/// Fields of built-in plugins that name files.
const READ: [&str; 8] =
    ["path", "paths", "files", "envs", "env", "valuesFile", "additionalValuesFiles", "targetFilePath"];

fn plugin(file: &str, what: &str) -> Refusal {
    Refusal::new(
        "plugin",
        format!("`{file}` runs a plugin: `{what}`"),
        "plugins are not run; name a folder that needs none: --path DIR",
    )
}

/// What kustomize would fetch, whatever the repository holds.
fn is_url(entry: &str) -> bool {
    entry.contains("://")
        || entry.starts_with("git@")
        || entry.starts_with("git::")
        || entry.contains("?ref=")
        || entry.contains("?version=")
        || entry.contains(".git//")
}

/// `github.com/owner/repo` and the like: a host name in front.
fn looks_hosted(entry: &str) -> bool {
    let host = entry.split('/').next().unwrap_or_default();
    entry.contains("//")
        || entry.ends_with(".git")
        || entry.contains('/') && host.contains('.') && !host.starts_with('.') && !host.ends_with(".yaml")
}

fn remote(file: &str, entry: &str) -> Refusal {
    let shown = crate::redact::text(entry);
    Refusal::new(
        "remote-source",
        format!("`{file}` reads `{shown}`, which is outside this repository"),
        "nothing is fetched; vendor it, or name a folder that needs none: --path DIR",
    )
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    items(value).filter_map(Value::as_str)
}

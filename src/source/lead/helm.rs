//! Releases of charts, as controllers' objects say them.

use super::{Base, Folder, Lead};
use crate::model::kube::Object;
use crate::model::object::ObjectRef;
use crate::model::path::Path;
use crate::model::proposal::{Signal, Trust};
use crate::model::refusal::Refusal;
use crate::model::snapshot::Snapshot;
use crate::render::{Control, Field, Post, Release, Root, Values, within};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A release without its values, and where those are, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub release: Release,
    pub values: Vec<Given>,
    /// A values file that is not there is none (Argo CD `ignoreMissingValueFiles`).
    pub spares_missing: bool,
}

/// Where values are.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A values file, from the repository's root.
    File(String),
    /// A field of the controller's object.
    Own(Path),
    /// A field of another object that is made beside the controller's; `optional`: it may be missing.
    Beside(ObjectRef, Path, Option<String>),
    /// A parameter: its name, the field of the controller's object, and whether it is always a text.
    Set(String, Path, bool),
}

impl Chart {
    /// The release of a chart in a tree; what the controller's object says is read from the render of `above`
    /// where that is known, else it is as it is in the cluster.
    pub(in crate::source) fn release(&self, control: &Control, above: Option<&Root>) -> Release {
        let live: Value = serde_json::from_str(&control.live).unwrap_or_default();
        let field = |object: &ObjectRef, path: &Path| {
            let root = Box::new(above?.clone());
            Some(Field { root, object: object.clone(), path: path.clone() })
        };
        let value = |path: &Path| path.get(&live).cloned().unwrap_or_default();
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let values = self.values.iter().filter_map(|given| {
            Some(match given {
                Given::File(path) => Values::File(path.clone()),
                Given::Own(path) => match field(&control.object, path) {
                    Some(field) => Values::Field(field),
                    None => Values::Fixed(text(value(path))),
                },
                Given::Beside(object, path, None) => Values::Field(field(object, path)?),
                Given::Beside(object, path, Some(name)) => {
                    Values::Set { name: name.clone(), value: field(object, path)?, text: false }
                }
                Given::Set(name, path, is_text) => match field(&control.object, path) {
                    Some(value) => Values::Set { name: name.clone(), value, text: *is_text },
                    None => Values::Fixed(nested(name, value(path)).to_string()),
                },
            })
        });
        let values: Vec<Values> = values.collect();
        let path = Path::of("spec.postRenderers");
        let said = path.get(&live).filter(|_| control.object.kind == "HelmRelease");
        // Where the object is rendered anyway, Git may have some that are not applied yet.
        let is_rendered =
            control.object.kind == "HelmRelease" && values.iter().any(|one| matches!(one, Values::Field(_)));
        let post = match field(&control.object, &path).filter(|_| said.is_some() || is_rendered) {
            Some(field) => Some(Post::Field(field)),
            None => said.map(|said| Post::Fixed(control.object.clone(), said.to_string())),
        };
        Release { values, post, ..self.release.clone() }
    }
}

/// `a.b` as a map in a map; a dot behind a backslash is a part of a name.
fn nested(name: &str, value: Value) -> Value {
    let mut steps = vec![String::new()];
    let mut escaped = false;
    for c in name.chars() {
        match c {
            '\\' if !escaped => {
                escaped = true;
                continue;
            }
            '.' if !escaped => steps.push(String::new()),
            c => steps.iter_mut().last().into_iter().for_each(|step| step.push(c)),
        }
        escaped = false;
    }
    steps.into_iter().rev().fold(value, |inner, step| json!({ step: inner }))
}

/// Where a HelmRelease takes its chart from, when that is a folder in Git.
pub(super) fn lead(snapshot: &Snapshot, release: &Object, trail: &mut Vec<Signal>) -> Result<Option<Lead>, Refusal> {
    let object = release.object();
    let at = |field: &str| release.text(&format!("/spec/chart/spec/{field}"));
    let (kind, name) = (at("sourceRef/kind"), at("sourceRef/name"));
    let namespace = if at("sourceRef/namespace").is_empty() { object.namespace() } else { at("sourceRef/namespace") };
    let control = Control {
        object: object.clone(),
        live: release.to_value().to_string(),
        source: 0,
        ignore: None,
        above: None,
        filled: BTreeMap::new(),
    };
    let mut folder = Folder {
        path: at("chart").to_owned(),
        control,
        above: None,
        directory: None,
        chart: Some(Chart { release: named(release), values: given(release, trail), spares_missing: false }),
        remote: None,
        file: None,
        copies: None,
    };
    let mut lead = Lead {
        controller: object.clone(),
        repository: None,
        base: Base::Default,
        revisions: Vec::new(),
        folders: Vec::new(),
    };
    match snapshot.find(kind, namespace, name) {
        Some(source) if kind == "GitRepository" => {
            super::flux::alone(source)?;
            lead.repository = Some(source.text("/spec/url").to_owned());
            lead.base = super::flux::base(source);
            lead.revisions = super::flux::commit(source.text("/status/artifact/revision"))
                .map(|id| (id, super::NamedBy::Artifact))
                .into_iter()
                .collect();
            let value = format!("{kind} {namespace}/{name}: {}", lead.shown().unwrap_or_default());
            trail.push(Signal { signal: "source".to_owned(), value, trust: Trust::Proved });
        }
        None if kind == "GitRepository" => {
            let value = format!("{kind} {namespace}/{name} was not seen");
            trail.push(Signal { signal: "source".to_owned(), value, trust: Trust::Claimed });
        }
        source => {
            // The chart is somewhere else; its values may be here.
            let url = source.map(|source| source.text("/spec/url")).unwrap_or_default();
            let chart = if at("chart").is_empty() { release.text("/spec/chartRef/name") } else { at("chart") };
            folder.remote = Some(format!("chart {chart} {} {}", at("version"), super::shown(url)).trim().to_owned());
        }
    }
    lead.folders.push(folder);
    Ok(Some(lead))
}

/// Name and namespace, as helm-controller makes them.
fn named(release: &Object) -> Release {
    let meta = &release.metadata;
    let target = release.text("/spec/targetNamespace");
    let name = match (release.text("/spec/releaseName"), target) {
        ("", "") => meta.name.clone(),
        ("", target) => format!("{target}-{}", meta.name),
        (name, _) => name.to_owned(),
    };
    Release {
        name,
        namespace: if target.is_empty() { meta.namespace.clone() } else { target.to_owned() },
        skip_crds: release.text("/spec/install/crds") == "Skip",
        skip_tests: true,
        ..Release::default()
    }
}

/// Files of the chart, then `valuesFrom` in order, then `values`; a target path beats all.
fn given(release: &Object, trail: &mut Vec<Signal>) -> Vec<Given> {
    let list = |pointer: &str| release.at(pointer).and_then(Value::as_array).into_iter().flatten();
    let mut all: Vec<Given> =
        list("/spec/chart/spec/valuesFiles").filter_map(|file| Some(Given::File(within("", file.as_str()?)))).collect();
    for from in list("/spec/valuesFrom") {
        let text = |field: &str| from[field].as_str().unwrap_or_default();
        if text("kind") != "ConfigMap" {
            let value = format!("{} {} is not read, and may set values", text("kind"), text("name"));
            trail.push(Signal { signal: "values".to_owned(), value, trust: Trust::Claimed });
            continue;
        }
        let object = ObjectRef::new("v1", "ConfigMap", &release.metadata.namespace, text("name"));
        let key = if text("valuesKey").is_empty() { "values.yaml" } else { text("valuesKey") };
        let target = Some(text("targetPath").to_owned()).filter(|path| !path.is_empty());
        all.push(Given::Beside(object, Path::of("data").field(key), target));
    }
    if release.at("/spec/values").is_some() {
        all.push(Given::Own(Path::of("spec.values")));
    }
    all
}

/// The release of an Application's source, and where its values are; `None` when it says nothing of Helm.
pub(super) fn of_application(application: &Object, number: usize, several: bool, sources: &[(usize, &Value)]) -> Chart {
    let source = sources.iter().find(|(known, _)| *known == number).map_or(&Value::Null, |(_, source)| source);
    let helm = &source["helm"];
    let text = |field: &str| helm[field].as_str().unwrap_or_default().to_owned();
    let base = if several { Path::of("spec.sources").index(number) } else { Path::of("spec.source") };
    let base = base.field("helm");
    let own = |field: &str| match text(field) {
        text if text.is_empty() => None,
        text => Some(text),
    };
    let folder = source["path"].as_str().unwrap_or_default();
    let mut values: Vec<Given> =
        texts(&helm["valueFiles"]).filter_map(|file| Some(Given::File(value_file(file, folder, sources)?))).collect();
    if own("values").is_some() {
        values.push(Given::Own(base.field("values")));
    }
    if helm.get("valuesObject").is_some_and(Value::is_object) {
        values.push(Given::Own(base.field("valuesObject")));
    }
    for (at, parameter) in helm["parameters"].as_array().into_iter().flatten().enumerate() {
        let Some(name) = parameter["name"].as_str() else { continue };
        let place = base.field("parameters").index(at).field("value");
        values.push(Given::Set(name.to_owned(), place, parameter["forceString"] == true));
    }
    let release = Release {
        name: own("releaseName").unwrap_or_else(|| application.metadata.name.clone()),
        namespace: own("namespace").unwrap_or_else(|| application.text("/spec/destination/namespace").to_owned()),
        skip_crds: helm["skipCrds"] == true,
        skip_tests: helm["skipTests"] == true,
        kube_version: own("kubeVersion"),
        api_versions: texts(&helm["apiVersions"]).map(str::to_owned).collect(),
        ..Release::default()
    };
    Chart { release, values, spares_missing: helm["ignoreMissingValueFiles"] == true }
}

/// What an Application says and is not followed is refused by its name.
pub(super) fn followed(application: &Object, sources: &[(usize, &Value)]) -> Result<(), Refusal> {
    for (_, source) in sources {
        let (helm, kustomize) = (&source["helm"], &source["kustomize"]);
        let has_files = helm["fileParameters"].as_array().is_some_and(|all| !all.is_empty());
        let (field, hint) = if has_files {
            ("helm.fileParameters", "write the values into a values file")
        } else if texts(&helm["valueFiles"]).any(|file| file.contains(['*', '?', '['])) {
            ("helm.valueFiles with a pattern", "name each file")
        } else if kustomize["commonAnnotationsEnvsubst"] == true {
            ("kustomize.commonAnnotationsEnvsubst", "write the annotations out")
        } else {
            continue;
        };
        let text = format!("{} has what is not followed: {field}", application.object().qualified());
        return Err(Refusal::new("unsupported-renderer", text, hint));
    }
    Ok(())
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// `$values/prod.yaml` counts from the root of the source of that name, others from the chart.
fn value_file(file: &str, folder: &str, sources: &[(usize, &Value)]) -> Option<String> {
    let Some(rest) = file.strip_prefix('$') else {
        let from = if file.starts_with('/') { "" } else { folder };
        return Some(within("", &format!("{from}/{file}")));
    };
    let (name, path) = rest.split_once('/')?;
    sources.iter().any(|(_, source)| source["ref"] == name).then(|| within("", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_a_map_in_a_map() {
        assert_eq!(nested("a.b", json!(1)), json!({"a": {"b": 1}}));
        assert_eq!(nested(r"a\.b.c", json!("x")), json!({"a.b": {"c": "x"}}));
    }

    #[test]
    fn value_files_count_from_their_source() {
        let (chart, values) = (json!({"path": "charts/web"}), json!({"ref": "values"}));
        let sources = [(0, &chart), (1, &values)];
        for (file, want) in [
            ("prod.yaml", Some("charts/web/prod.yaml")),
            ("../../env/prod.yaml", Some("env/prod.yaml")),
            ("$values/env/prod.yaml", Some("env/prod.yaml")),
            ("$other/prod.yaml", None),
        ] {
            assert_eq!(value_file(file, "charts/web", &sources).as_deref(), want);
        }
    }
}

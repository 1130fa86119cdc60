//! Places in a controller's object that could make a field.

use super::candidate::{Candidate, Spot, Way, field, split_image};
use super::candidates::{Source, Target};
use crate::model::path::{Path, Step};
use crate::yaml::scalars::{Place, leaves};
use serde_json::Value;

/// Whether an object says how a controller renders a folder, or is the source part of one.
pub(super) fn is_controller(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().and_then(|version| version.split('/').next()).unwrap_or_default();
    matches!(
        (group, object["kind"].as_str().unwrap_or_default()),
        ("kustomize.toolkit.fluxcd.io", "Kustomization") | ("argoproj.io", "Application")
    )
}

/// Whether a file is merged over an Application.
pub(super) fn is_override(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(".argocd-source"))
}

/// Every scalar that is the field's value, or the part of an image that it shows.
/// What stands for what is not guessed: a render tells.
pub(super) fn places(
    source: &Source<'_>,
    object: &Value,
    at: &dyn Fn(Path) -> Place,
    target: &Target<'_>,
    out: &mut Vec<Candidate>,
) {
    for (path, leaf) in leaves(object) {
        let unsaid = matches!(path.0.first(), Some(Step::Field(name)) if name == "metadata" || name == "status");
        let Some(way) = way(leaf, target).filter(|_| !unsaid) else { continue };
        out.push(Candidate {
            file: source.path.to_owned(),
            spot: Spot::Yaml(at(path)),
            way,
            old: leaf.clone(),
            layer: source.layer,
            related: true,
        });
    }
}

fn way(leaf: &Value, target: &Target<'_>) -> Option<Way> {
    let text = match leaf {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => leaf.to_string(),
        _ => return None,
    };
    let wanted = match target.value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => target.value.to_string(),
        _ => return None,
    };
    if text == wanted {
        return Some(Way::Value);
    }
    if target.path.0.iter().rev().find_map(field) != Some("image") {
        return None;
    }
    let (name, tag, digest) = split_image(&wanted);
    match text.split_once('=') {
        // `name=new:tag` of an Application.
        Some((key, image)) if image == wanted => Some(Way::Pair(key.to_owned())),
        _ if tag == Some(&text) => Some(Way::Tag),
        _ if digest == Some(&text) => Some(Way::Digest),
        _ if name == text => Some(Way::Name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::object::ObjectRef;
    use serde_json::json;

    #[test]
    fn parts_of_an_image_and_whole_values_are_places() {
        let object = ObjectRef::new("apps/v1", "Deployment", "prod", "web");
        let path = Path::of("spec.template.spec.containers[web].image");
        let value = json!("r.example.com/web:1.4");
        let target = Target { object: &object, path: &path, value: &value };
        let application = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
            "metadata": {"labels": {"v": "1.4"}},
            "spec": {"images": ["web=r.example.com/web:1.4"], "newTag": "1.4", "newName": "r.example.com/web", "x": "1"},
            "status": {"tag": "1.4"}});
        let source = Source { path: "a.yaml", layer: 0, text: "", kustomization: None };
        let mut found = Vec::new();
        places(&source, &application, &|path| Place { document: 0, path, inner: None }, &target, &mut found);
        let ways: Vec<Way> = found.into_iter().map(|one| one.way).collect();
        assert_eq!(ways, [Way::Pair("web".to_owned()), Way::Tag, Way::Name]);
        assert!(is_controller(&application));
        assert!(!is_controller(&json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"})));
    }
}

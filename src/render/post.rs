//! What Flux puts a chart's output through.
//!
//! Fields: <https://fluxcd.io/flux/components/helm/helmreleases/#post-renderers>.

use super::control::items;
use super::helm::Feeds;
use super::release::Post;
use super::roots::Root;
use super::tools::Tools;
use super::{Stop, child, kustomize};
use crate::model::refusal::Refusal;
use crate::model::tree::{Entry, Tree};
use serde_json::{Value, json};
use std::sync::Arc;

/// The file that the patches are laid over.
const OUTPUT: &str = "helm-output.yaml";

/// The post renderers of a release, each as the kustomization that it is.
pub(super) async fn said(feeds: &mut Feeds<'_>, root: &Root) -> Result<Vec<Value>, Stop> {
    let release = root.release.as_deref();
    let (object, all) = match release.and_then(|release| release.post.as_ref()) {
        None => return Ok(Vec::new()),
        Some(Post::Field(field)) => {
            let object = feeds.object(field).await?;
            (&field.object, field.path.get(object).cloned().unwrap_or_default())
        }
        Some(Post::Fixed(object, text)) => (object, serde_json::from_str(text).unwrap_or_default()),
    };
    let refuse = |place: String| {
        let text = format!("{} has what is not followed: {place}", object.qualified());
        Refusal::new("unsupported-renderer", text, "write it as `patches` or `images` of a `kustomize` post renderer")
    };
    let all = items(&all).enumerate().map(|(number, one)| {
        kustomization(one).map_err(|place| refuse(format!("spec.postRenderers[{number}]{place}")))
    });
    Ok(all.collect::<Result<Vec<Value>, Refusal>>()?)
}

/// The kustomization that Flux makes of one post renderer; an error is the place of what it is not made of.
fn kustomization(said: &Value) -> Result<Value, String> {
    let mut made = json!({"resources": [OUTPUT]});
    only(said, &["kustomize"], "")?;
    let spec = &said["kustomize"];
    only(spec, &["patches", "images", "patchesStrategicMerge", "patchesJson6902"], ".kustomize")?;
    for (field, known) in [
        ("patches", &["patch", "target"][..]),
        ("patchesJson6902", &["patch", "target"]),
        ("images", &["name", "newName", "newTag", "digest"]),
        ("patchesStrategicMerge", &[]),
    ] {
        let mut list = Vec::new();
        for (number, entry) in items(&spec[field]).enumerate() {
            let place = format!(".kustomize.{field}[{number}]");
            match field {
                // A text would be the name of a file.
                "patchesStrategicMerge" if !entry.is_object() => return Err(place),
                "patchesStrategicMerge" => list.push(json!(entry.to_string())),
                _ => {
                    only(entry, known, &place)?;
                    let mut entry = entry.clone();
                    if field == "patchesJson6902" {
                        entry["patch"] = json!(entry["patch"].to_string());
                    }
                    list.push(entry);
                }
            }
        }
        if !list.is_empty() {
            made[field] = json!(list);
        }
    }
    Ok(made)
}

/// Fails with the place of a field that is not among these.
fn only(value: &Value, known: &[&str], place: &str) -> Result<(), String> {
    let other = value.as_object().into_iter().flatten().find(|(key, _)| !known.contains(&key.as_str()));
    other.map_or(Ok(()), |(key, _)| Err(format!("{place}.{key}")))
}

/// The output after all post renderers, in their order.
pub(super) async fn through(mut output: Vec<u8>, all: &[Value], root: &Root, tools: &Tools) -> Result<Vec<u8>, Stop> {
    for (number, kustomization) in all.iter().enumerate() {
        let mut tree = Tree::default();
        for (path, bytes) in [(OUTPUT, output.as_slice()), ("kustomization.yaml", kustomization.to_string().as_bytes())]
        {
            tree.entries.insert(path.to_owned(), Entry::File(Arc::from(bytes)));
        }
        let scratch = child::scratch()?;
        let finished = kustomize::build(&tree, "", tools, &scratch).await?;
        if finished.code != 0 {
            let text = format!("what `{}` renders does not go through spec.postRenderers[{number}]", root.shown());
            let refusal = Refusal::new("render-failed", text, "check what its patches name")
                .with_details(child::words(&finished.stderr, &scratch));
            return Err(refusal.into());
        }
        output = finished.stdout;
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_post_renderer_is_the_kustomization_that_flux_makes() {
        let target = json!({"kind": "Deployment"});
        let said = json!({"kustomize": {
            "patches": [{"patch": "a: 1", "target": target}],
            "patchesStrategicMerge": [{"kind": "Deployment"}],
            "patchesJson6902": [{"patch": [{"op": "remove", "path": "/a"}], "target": target}],
            "images": [{"name": "web", "newTag": "2"}]}});
        let made = json!({"resources": [OUTPUT],
            "patches": [{"patch": "a: 1", "target": target}],
            "patchesJson6902": [{"patch": r#"[{"op":"remove","path":"/a"}]"#, "target": target}],
            "images": [{"name": "web", "newTag": "2"}],
            "patchesStrategicMerge": [r#"{"kind":"Deployment"}"#]});
        assert_eq!(kustomization(&said), Ok(made));
    }

    #[test]
    fn what_flux_does_not_know_and_what_names_a_file_is_named() {
        for (said, place) in [
            (json!({"exec": {}}), ".exec"),
            (json!({"kustomize": {"resources": ["/etc/hostname"]}}), ".kustomize.resources"),
            (json!({"kustomize": {"patches": [{"path": "/etc/hostname"}]}}), ".kustomize.patches[0].path"),
            (json!({"kustomize": {"patchesStrategicMerge": ["/etc/hostname"]}}), ".kustomize.patchesStrategicMerge[0]"),
            (json!({"kustomize": {"images": [{}, {"tagSuffix": "x"}]}}), ".kustomize.images[1].tagSuffix"),
        ] {
            assert_eq!(kustomization(&said), Err(place.to_owned()));
        }
    }
}

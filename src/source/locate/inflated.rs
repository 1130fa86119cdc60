//! Values of charts that kustomize renders. No I/O.

use super::candidate::{Candidate, Spot, Way, field, split_image};
use super::candidates::{Source, Target, same};
use crate::model::path::Path;
use crate::render::{Inflation, inflations};
use crate::yaml::parse;
use crate::yaml::scalars::{Place, leaves};
use serde_json::Value;

/// The charts of all kustomizations.
pub(super) struct Inflated(Vec<Inflation>);

impl Inflated {
    pub(super) fn of(sources: &[Source<'_>]) -> Self {
        let specs = sources.iter().filter_map(|source| Some((source.path, source.kustomization?)));
        Self(specs.flat_map(|(file, spec)| inflations(file, spec).collect::<Vec<_>>()).collect())
    }

    /// The values in a file; `None` when it is no file of a chart and holds no values.
    pub(super) fn places(&self, source: &Source<'_>, target: &Target<'_>) -> Option<Vec<Candidate>> {
        let is_values = self.0.iter().any(|one| one.values.iter().any(|file| file == source.path));
        if !is_values {
            // Templates are no manifests, and what is written in them belongs to every release.
            return self.0.iter().any(|one| one.holds(source.path)).then(Vec::new);
        }
        let values = parse::document(source.text).unwrap_or_default();
        Some(found(source, &Path::default(), &values, target))
    }

    /// The values in a kustomization itself.
    pub(super) fn inline(source: &Source<'_>, spec: &Value, target: &Target<'_>) -> Vec<Candidate> {
        let entries = spec["helmCharts"].as_array().into_iter().flatten().enumerate();
        entries
            .flat_map(|(n, entry)| {
                let at = Path::of("helmCharts").index(n).field("valuesInline");
                found(source, &at, &entry["valuesInline"], target)
            })
            .collect()
    }
}

/// Every value that is the field's, or a part of its image.
fn found(source: &Source<'_>, at: &Path, values: &Value, target: &Target<'_>) -> Vec<Candidate> {
    let is_image = target.path.0.iter().rev().find_map(field) == Some("image");
    let image = target.value.as_str().filter(|_| is_image).map(split_image);
    let way = |leaf: &Value| {
        let written = leaf.as_str().map_or_else(|| leaf.to_string(), str::to_owned);
        match image {
            _ if same(leaf, target.value) => Some(Way::Value),
            Some((_, Some(tag), _)) if written == tag => Some(Way::Tag),
            Some((_, _, Some(digest))) if written == digest => Some(Way::Digest),
            Some((name, ..)) if written == name => Some(Way::Name),
            _ => None,
        }
    };
    leaves(values)
        .into_iter()
        .filter_map(|(path, leaf)| {
            Some(Candidate {
                file: source.path.to_owned(),
                spot: Spot::Yaml(Place { document: 0, path: at.join(&path), inner: None }),
                way: way(leaf)?,
                old: leaf.clone(),
                layer: source.layer,
                related: true,
            })
        })
        .collect()
}

//! Charts of a repository, with the values files beside them.

use super::charts::about_name;
use super::release::{Release, Values};
use super::roots::{Root, folder_of, join};
use crate::model::tree::Tree;
use crate::yaml::parse;
use std::collections::BTreeSet;

/// Folders whose files are values of one environment each.
const ENVIRONMENTS: [&str; 6] = ["values", "env", "envs", "environments", "environment", "helm-values"];

/// Every chart that is no part of another one: with its own values alone, and with each values file
/// that seems to be meant for it. Which of them is deployed is proved by rendering.
pub(super) fn charts(tree: &Tree) -> Vec<Root> {
    let all: BTreeSet<&str> = tree
        .entries
        .keys()
        .filter(|path| *path == "Chart.yaml" || path.ends_with("/Chart.yaml"))
        .map(|path| folder_of(path))
        .collect();
    let inside = |folder: &str| all.iter().any(|chart| folder != *chart && below(folder, chart));
    let mut named: Vec<&str> =
        all.iter().copied().filter(|folder| !inside(folder) && !is_library(tree, folder)).collect();
    named.sort_unstable();
    let files: Vec<&str> = tree
        .entries
        .iter()
        .filter(|(path, entry)| entry.is_file() && is_values(path))
        .map(|(path, _)| path.as_str())
        .filter(|path| !all.contains(folder_of(path)) || !path.ends_with("/values.yaml") && *path != "values.yaml")
        .filter(|path| {
            !all.iter().any(|chart| ["templates", "charts"].iter().any(|part| below(path, &join(chart, part))))
        })
        .collect();
    let mut found = Vec::new();
    for chart in &named {
        let name = about_name(tree, chart);
        let meant = |path: &str| {
            let others = named.iter().any(|other| other != chart && (below(path, other)));
            let speaks = |part: &str| {
                part == name
                    || part.strip_suffix(".yaml").or_else(|| part.strip_suffix(".yml")).is_some_and(|stem| {
                        stem.split(['-', '.', '_']).any(|word| word == name) || stem.contains(name.as_str())
                    })
            };
            below(path, chart) || !others && (named.len() == 1 || path.split('/').any(speaks))
        };
        found.push(Root::chart(chart, Release::default()));
        for path in files.iter().filter(|path| meant(path)) {
            let values = vec![Values::File((*path).to_owned())];
            found.push(Root::chart(chart, Release { values, ..Release::default() }));
        }
    }
    found
}

fn below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn is_library(tree: &Tree, folder: &str) -> bool {
    let text = tree.text(&join(folder, "Chart.yaml")).unwrap_or_default();
    parse::document(text).is_ok_and(|about| about["type"] == "library")
}

/// `values-prod.yaml`, `prod.values.yaml`, `values/prod.yaml`, `prod/values.yaml`.
fn is_values(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let Some(stem) = parts.next().and_then(|name| name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")))
    else {
        return false;
    };
    let words: Vec<&str> = stem.split(['-', '.', '_']).collect();
    let by_name = words.first() == Some(&"values") || words.last() == Some(&"values");
    let parent = parts.next().unwrap_or_default();
    let in_chart = ["Chart", "kustomization"].contains(&stem);
    by_name || ENVIRONMENTS.contains(&parent) && !in_chart
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::resolve_tests::tree;

    fn found(files: &[&str]) -> Vec<String> {
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|path| (*path, if path.ends_with("Chart.yaml") { "name: web\n" } else { "a: 1\n" }))
            .collect();
        charts(&tree(&files)).iter().map(|root| root.shown().into_owned()).collect()
    }

    #[test]
    fn a_chart_has_its_values_files_beside_it_and_in_folders_of_environments() {
        let files = [
            "c/Chart.yaml",
            "c/values.yaml",
            "c/values-prod.yaml",
            "c/ci/dev.values.yaml",
            "c/values/eu.yaml",
            "envs/prod/values.yaml",
            "c/templates/values-x.yaml",
            "docs/prod.yaml",
        ];
        assert_eq!(
            found(&files),
            [
                "c",
                "c with c/ci/dev.values.yaml",
                "c with c/values-prod.yaml",
                "c with c/values/eu.yaml",
                "c with envs/prod/values.yaml"
            ]
        );
    }

    #[test]
    fn charts_inside_charts_are_none_and_another_charts_values_are_not_meant() {
        let files = [
            "a/Chart.yaml",
            "a/charts/b/Chart.yaml",
            "a/charts/b/values-x.yaml",
            "other/Chart.yaml",
            "other/values-prod.yaml",
            "envs/prod.yaml",
        ];
        assert_eq!(found(&files), ["a", "other", "other with other/values-prod.yaml"]);
    }
}

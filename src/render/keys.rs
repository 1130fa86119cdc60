//! Names of fields that kustomize reads in another spelling.

use super::inputs::unsafe_yaml;
use crate::model::refusal::Refusal;
use serde_json::Value;

/// Field names of a kustomization, of its entries, and of the built-in plugins
/// (kustomize `api/types`, `api/internal/builtins`).
const KNOWN: [&str; 116] = [
    "additionalValuesFiles",
    "annotationSelector",
    "annotations",
    "apiVersion",
    "apiVersions",
    "args",
    "bases",
    "behavior",
    "buildMetadata",
    "chartHome",
    "chartInflator",
    "chartName",
    "chartRepo",
    "chartVersion",
    "commonAnnotations",
    "commonLabels",
    "components",
    "configHome",
    "configMapGenerator",
    "configurations",
    "count",
    "crds",
    "create",
    "debug",
    "delimiter",
    "devel",
    "digest",
    "disableNameSuffixHash",
    "emitStringKeys",
    "encoding",
    "env",
    "envs",
    "fieldPath",
    "fieldPaths",
    "fieldSpecs",
    "fieldref",
    "fields",
    "files",
    "generatorOptions",
    "generators",
    "group",
    "helmBin",
    "helmChartInflationGenerator",
    "helmCharts",
    "helmGlobals",
    "helmHome",
    "imageTag",
    "imageTags",
    "images",
    "immutable",
    "includeCRDs",
    "includeSelectors",
    "includeTemplates",
    "index",
    "jsonOp",
    "kind",
    "kubeVersion",
    "labelSelector",
    "labels",
    "legacySortOptions",
    "literals",
    "metadata",
    "name",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "newName",
    "newTag",
    "objref",
    "openapi",
    "options",
    "optionsSuffix",
    "order",
    "orderFirst",
    "orderLast",
    "pairs",
    "patch",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "path",
    "paths",
    "prefix",
    "reject",
    "releaseName",
    "releaseNamespace",
    "replacements",
    "replica",
    "replicas",
    "repo",
    "resources",
    "secretGenerator",
    "select",
    "setRoleBindingSubjects",
    "skipHooks",
    "skipTests",
    "sortOptions",
    "source",
    "sourceValue",
    "suffix",
    "tagSuffix",
    "target",
    "targetFilePath",
    "targets",
    "template",
    "transformers",
    "type",
    "unsetOnly",
    "validators",
    "value",
    "values",
    "valuesFile",
    "valuesInline",
    "valuesMerge",
    "vars",
    "version",
];

/// Maps whose keys a person makes up.
const FREE: [&str; 7] =
    ["valuesInline", "commonLabels", "commonAnnotations", "labels", "annotations", "pairs", "metadata"];

/// Refuses fields that our walk does not see and kustomize does: it decodes names as Go's `encoding/json` does,
/// in any case (<https://pkg.go.dev/encoding/json#Unmarshal>).
pub(super) fn check(file: &str, value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            let known = KNOWN.contains(&key.as_str());
            let folded = fold(key);
            if let Some(meant) = KNOWN.iter().find(|name| !known && fold(name) == folded) {
                return Err(unsafe_yaml(file, &format!("`{key}` is read as `{meant}`")));
            }
            if value.is_object() && FREE.contains(&key.as_str()) { Ok(()) } else { check(file, value) }
        }),
        Value::Array(items) => items.iter().try_for_each(|item| check(file, item)),
        _ => Ok(()),
    }
}

/// Letters that Go takes for the same: both cases, the long s and the Kelvin sign.
fn fold(key: &str) -> String {
    key.chars().flat_map(char::to_lowercase).map(|c| if c == '\u{17f}' { 's' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_known_name_in_another_case_is_refused_wherever_kustomize_reads_it() {
        for spec in [
            json!({"RESOURCES": ["a.yaml"]}),
            json!({"configmapgenerator": [{"name": "a"}]}),
            json!({"configMapGenerator": [{"name": "a", "FILES": ["/etc/hostname"]}]}),
            json!({"configMapGenerator": [{"name": "a", "file\u{17f}": ["/etc/hostname"]}]}),
            json!({"patches": [{"Path": "a.yaml"}]}),
            json!({"openapi": {"PATH": "a.json"}}),
            json!({"re\u{17f}ources": ["a.yaml"], "\u{212a}ind": "Kustomization"}),
        ] {
            assert_eq!(check("k.yaml", &spec).map_err(|refusal| refusal.code), Err("yaml-unsafe"), "{spec}");
        }
    }

    #[test]
    fn labels_have_any_name() {
        let spec = json!({"commonLabels": {"Name": "a"}, "labels": [{"pairs": {"Path": "b"}}],
            "generatorOptions": {"labels": {"Kind": "c"}}, "resources": ["a.yaml"], "somethingNew": 1});
        assert_eq!(check("k.yaml", &spec), Ok(()));
        let spec = json!({"labels": [{"PAIRS": {"a": "b"}}]});
        assert!(check("k.yaml", &spec).is_err());
    }
}

//! How a chart is released: its name, and its values in order.

use super::roots::Root;
use crate::model::object::ObjectRef;
use crate::model::path::Path;

/// A release of a chart, as a controller or a person says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// Empty: Helm's own default, `release-name`.
    pub name: String,
    /// Empty: Helm's own default, `default`.
    pub namespace: String,
    /// Later wins, over the chart's own `values.yaml`; each [`Values::Set`] wins over all that are none.
    pub values: Vec<Values>,
    /// The chart's `crds/` are left out (Argo CD `skipCrds`, Flux `crds: Skip`).
    pub skip_crds: bool,
    /// Its test hooks are left out (Argo CD `skipTests`).
    pub skip_tests: bool,
    /// `.Capabilities.KubeVersion`; `None`: what the cluster says, else what Helm is built with.
    pub kube_version: Option<String>,
    /// Further `.Capabilities.APIVersions`; empty: what the cluster serves, as far as it is known.
    pub api_versions: Vec<String>,
    /// A file beside the chart that changes the release, and is not followed (`.argocd-source.yaml`).
    pub overridden: Option<String>,
    /// What Flux puts the chart's output through.
    pub post: Option<Post>,
}

impl Release {
    /// Everything that is read from the renders of other roots.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        let values = self.values.iter().filter_map(|values| match values {
            Values::Field(field) | Values::Set { value: field, .. } => Some(field),
            Values::File(_) | Values::Fixed(_) => None,
        });
        values.chain(self.post.as_ref().and_then(|post| if let Post::Field(field) = post { Some(field) } else { None }))
    }
}

/// `spec.postRenderers` of a HelmRelease.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Post {
    /// The object may be without it.
    Field(Field),
    /// As JSON, of an object that no file of this repository makes.
    Fixed(ObjectRef, String),
}

/// One source of values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Values {
    /// A values file, from the repository's root.
    File(String),
    /// A map, or a text that is YAML, in a field of an object: `spec.values` of a HelmRelease,
    /// `spec.source.helm.valuesObject` of an Application, `data["values.yaml"]` of a ConfigMap.
    Field(Field),
    /// One value by its name, as `--set` has it: a parameter of an Application, a `targetPath`.
    Set {
        name: String,
        value: Field,
        /// Never read as a number or a boolean: `--set-string`.
        text: bool,
    },
    /// YAML that stands in no file of this repository. It is rendered, and never edited.
    Fixed(String),
}

/// A field of an object that another root of the repository makes.
/// It is read from that root's render, so an edit of any of its files is seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    pub root: Box<Root>,
    pub object: ObjectRef,
    pub path: Path,
}

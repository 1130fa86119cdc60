//! Whether an object elsewhere concerns the asked namespaces.

use crate::model::kube::Object;
use crate::model::snapshot::Snapshot;
use serde_json::Value;
use std::collections::BTreeSet;

/// Where a delivery object names the namespace that it delivers to.
const TARGETS: [&str; 3] = ["/spec/targetNamespace", "/spec/storageNamespace", "/spec/destination/namespace"];
/// Where an object names others that it is made from, or that it serves.
const REFERENCES: [&str; 5] =
    ["/spec/sourceRef", "/spec/chart/spec/sourceRef", "/spec/chartRef", "/spec/parentRefs", "/spec/imageRepositoryRef"];

/// Whether a delivery object delivers to one of these namespaces, or something that was seen in them names it.
/// Others may be read, but are none of the asker's business.
pub(super) fn concerns(object: &Object, namespaces: &[String], snapshot: &Snapshot) -> bool {
    let is_asked = |name: &str| namespaces.iter().any(|asked| asked == name);
    is_asked(&object.metadata.namespace)
        || TARGETS.iter().any(|pointer| is_asked(object.text(pointer)))
        || delivered(object).iter().any(|name| is_asked(name))
        || labelled(object, snapshot)
        || referred(object, snapshot)
}

/// Namespaces of what it has delivered: Flux writes `NAMESPACE_NAME_GROUP_KIND`, Argo CD an object each.
fn delivered(object: &Object) -> BTreeSet<&str> {
    let list = |pointer: &str| object.at(pointer).and_then(Value::as_array).into_iter().flatten();
    let ids = list("/status/inventory/entries").filter_map(|entry| entry.get("id")?.as_str()?.split('_').next());
    let resources = list("/status/resources").filter_map(|one| one.get("namespace")?.as_str());
    ids.chain(resources).filter(|name| !name.is_empty()).collect()
}

/// Whether a workload bears the marks of this Kustomization or HelmRelease.
fn labelled(object: &Object, snapshot: &Snapshot) -> bool {
    let group = match object.kind.as_str() {
        "Kustomization" => "kustomize.toolkit.fluxcd.io",
        "HelmRelease" => "helm.toolkit.fluxcd.io",
        _ => return false,
    };
    let (name, namespace) = (format!("{group}/name"), format!("{group}/namespace"));
    snapshot.objects.values().flatten().map(|one| &one.metadata.labels).any(|labels| {
        labels.get(&name) == Some(&object.metadata.name) && labels.get(&namespace) == Some(&object.metadata.namespace)
    })
}

/// Whether an object that was kept names this one.
fn referred(object: &Object, snapshot: &Snapshot) -> bool {
    let names_it = |reference: &Value, from: &Object| {
        let text = |field: &str| reference.get(field).and_then(Value::as_str);
        let namespace = text("namespace").unwrap_or(&from.metadata.namespace);
        let kind = text("kind").unwrap_or("Gateway");
        text("name") == Some(&object.metadata.name) && namespace == object.metadata.namespace && kind == object.kind
    };
    snapshot.objects.values().flatten().any(|from| {
        REFERENCES.iter().filter_map(|pointer| from.at(pointer)).any(|found| match found {
            Value::Array(all) => all.iter().any(|one| names_it(one, from)),
            one => names_it(one, from),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::snapshot::Scope;
    use serde_json::json;

    fn object(value: &Value) -> Object {
        serde_json::from_value(value.clone()).unwrap()
    }

    #[test]
    fn a_delivery_object_concerns_where_it_delivers_to() {
        let asked = ["shop".to_owned()];
        let mut seen = Snapshot::new("x", Scope::Namespaces(asked.to_vec()));
        let of = |kind: &str, spec: Value, status: Value| {
            object(&json!({"apiVersion": "x/v1", "kind": kind, "metadata": {"name": "a", "namespace": "flux-system"},
                "spec": spec, "status": status}))
        };
        let none = of("Kustomization", json!({}), json!({}));
        assert!(!concerns(&none, &asked, &seen));
        assert!(concerns(&of("HelmRelease", json!({"targetNamespace": "shop"}), json!({})), &asked, &seen));
        let inventory = json!({"inventory": {"entries": [{"id": "shop_web_apps_Deployment"}]}});
        assert!(concerns(&of("Kustomization", json!({}), inventory), &asked, &seen));
        let resources = json!({"resources": [{"namespace": "shop"}]});
        assert!(concerns(&of("Application", json!({}), resources), &asked, &seen));
        let web = object(&json!({"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop", "labels":
            {"kustomize.toolkit.fluxcd.io/name": "a", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}}));
        seen.objects.insert("Deployment".to_owned(), vec![web]);
        assert!(concerns(&none, &asked, &seen));
    }

    #[test]
    fn a_source_concerns_whom_its_user_concerns() {
        let asked = ["shop".to_owned()];
        let mut seen = Snapshot::new("x", Scope::Namespaces(asked.to_vec()));
        let source =
            object(&json!({"kind": "GitRepository", "metadata": {"name": "apps", "namespace": "flux-system"}}));
        assert!(!concerns(&source, &asked, &seen));
        let user = object(&json!({"kind": "Kustomization", "metadata": {"name": "a", "namespace": "flux-system"},
            "spec": {"sourceRef": {"kind": "GitRepository", "name": "apps"}}}));
        seen.objects.insert("Kustomization".to_owned(), vec![user]);
        assert!(concerns(&source, &asked, &seen));
    }
}

//! Which object a person means: `deploy/web`, `pod web-abc`.

use crate::error::Error;
use crate::model::finding::Finding;
use crate::model::object::ObjectRef;
use crate::text;

/// Kinds and the short names that kubectl gives them.
const KINDS: [(&str, &[&str]); 27] = [
    ("Pod", &["po", "pods"]),
    ("Deployment", &["deploy", "deployments"]),
    ("ReplicaSet", &["rs", "replicasets"]),
    ("StatefulSet", &["sts", "statefulsets"]),
    ("DaemonSet", &["ds", "daemonsets"]),
    ("Job", &["jobs"]),
    ("CronJob", &["cj", "cronjobs"]),
    ("ReplicationController", &["rc", "replicationcontrollers"]),
    ("Service", &["svc", "services"]),
    ("Ingress", &["ing", "ingresses"]),
    ("ConfigMap", &["cm", "configmaps"]),
    ("Secret", &["secrets"]),
    ("PersistentVolumeClaim", &["pvc", "persistentvolumeclaims"]),
    ("PersistentVolume", &["pv", "persistentvolumes"]),
    ("HorizontalPodAutoscaler", &["hpa", "horizontalpodautoscalers"]),
    ("PodDisruptionBudget", &["pdb", "poddisruptionbudgets"]),
    ("NetworkPolicy", &["netpol", "networkpolicies"]),
    ("ServiceAccount", &["sa", "serviceaccounts"]),
    ("ResourceQuota", &["quota", "resourcequotas"]),
    ("LimitRange", &["limits", "limitranges"]),
    ("Node", &["no", "nodes"]),
    ("Namespace", &["ns", "namespaces"]),
    ("Kustomization", &["ks", "kustomizations"]),
    ("HelmRelease", &["hr", "helmreleases"]),
    ("GitRepository", &["gitrepo", "gitrepositories"]),
    ("Application", &["app", "apps", "applications"]),
    ("Rollout", &["ro", "rollouts"]),
];

/// All kinds, as Kubernetes writes them.
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(full, _)| *full)
}

/// Every word that means a kind: full names, then short ones and plurals.
pub(super) fn words() -> impl Iterator<Item = &'static str> {
    KINDS.iter().flat_map(|(full, short)| std::iter::once(*full).chain(short.iter().copied()))
}

/// The kind that a word means: its name in any case, or a short name.
pub(super) fn kind(word: &str) -> Option<&'static str> {
    // `deployment.apps`, as `kubectl get -o name` prints it.
    let lower = word.split('.').next().unwrap_or(word).to_lowercase();
    let is_it = |(full, short): &&(&str, &[&str])| full.to_lowercase() == lower || short.contains(&lower.as_str());
    KINDS.iter().find(is_it).map(|(full, _)| *full)
}

/// A kind and a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: String,
    pub(super) name: String,
}

impl Target {
    /// Reads `KIND/NAME` or `KIND NAME`; short names and any case are fine. No words is no target.
    pub(super) fn parse(words: &[String]) -> Result<Option<Self>, Error> {
        let (kind, name) = match words {
            [] => return Ok(None),
            [one] => one.split_once('/').ok_or_else(|| {
                Error::usage(format!("`{one}` names no object")).hint("write KIND/NAME, such as deployment/web")
            })?,
            [kind, name] => (kind.as_str(), name.as_str()),
            _ => return Err(Error::usage("more than one object was named").hint("write one KIND/NAME, or --all")),
        };
        if name.is_empty() || name.contains('/') {
            return Err(
                Error::usage(format!("`{name}` is no object's name")).hint("write KIND/NAME, such as deployment/web")
            );
        }
        match self::kind(kind) {
            Some(full) => Ok(Some(Self { kind: full.to_owned(), name: name.to_owned() })),
            None => {
                let error = Error::usage(format!("unknown kind `{kind}`"));
                Err(match text::nearest(kind, self::words()) {
                    Some(nearest) => error.hint(format!("did you mean {}/{name}?", nearest.to_lowercase())),
                    None => error.hint("write KIND/NAME, such as deployment/web"),
                })
            }
        }
    }

    /// Whether a finding is about this object: it, a pod of it, or an effect.
    pub(super) fn is_about(&self, finding: &Finding, owner_of_pod: Option<&ObjectRef>) -> bool {
        let same = |object: &ObjectRef| object.kind == self.kind && object.name == self.name;
        same(&finding.object)
            || finding.effects.iter().any(|effect| same(&effect.object))
            || (self.kind == "Pod" && finding.pods.names.contains(&self.name))
            || owner_of_pod.is_some_and(|owner| owner.same_object(&finding.object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Option<Target>, Error> {
        Target::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn objects_are_named_as_kubectl_names_them() {
        for words in [&["deploy/web"][..], &["Deployment", "web"], &["deployments/web"], &["DEPLOYMENT/web"]] {
            assert_eq!(parse(words).unwrap(), Some(Target { kind: "Deployment".into(), name: "web".into() }));
        }
        assert_eq!(parse(&[]).unwrap(), None);
    }

    #[test]
    fn a_wrong_kind_is_told_the_nearest() {
        let error = parse(&["deploymnt/web"]).unwrap_err();
        assert_eq!(error.hints, ["did you mean deployment/web?"]);
        assert!(parse(&["web"]).is_err() && parse(&["pod/"]).is_err() && parse(&["pod/a/b"]).is_err());
    }
}

//! What we may read, as the API server says.

use super::Cluster;
use super::client::Count;
use super::failure::{Failure, foreign, unreachable};
use super::grants::{Grant, Reach, grants};
use crate::error::Error;
use crate::model::snapshot::Scope;
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::{Value, json};

/// The right to read one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// `pods`, `pods/log`.
    pub resource: &'static str,
    pub allowed: bool,
    /// Without it no workload can be judged.
    pub essential: bool,
    /// Codes that stay unseen without it.
    pub codes: &'static [&'static str],
}

/// `status` of a SelfSubjectRulesReview; a SelfSubjectAccessReview has `allowed`:
/// <https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-rules-review-v1/>.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rules {
    resource_rules: Vec<Rule>,
    /// The server could not list every rule: what is missing may be allowed all the same.
    incomplete: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Rule {
    verbs: Vec<String>,
    api_groups: Vec<String>,
    resources: Vec<String>,
    resource_names: Vec<String>,
}

impl Rule {
    fn allows(&self, verb: &str, group: &str, resource: &str) -> bool {
        let has = |list: &[String], wanted: &str| list.iter().any(|item| item == "*" || item == wanted);
        // `*/log` is the log of whatever has one.
        let of_any = resource.split_once('/').map(|(_, part)| format!("*/{part}"));
        self.resource_names.is_empty()
            && has(&self.verbs, verb)
            && has(&self.api_groups, group)
            && (has(&self.resources, resource) || of_any.is_some_and(|any| has(&self.resources, &any)))
    }
}

impl Cluster {
    /// Asks the API server which kinds a scan may read: one question per namespace, and one more for each right
    /// that must hold in the whole cluster, as the rules of a namespace may come from a RoleBinding. Custom
    /// kinds are left out: the cluster may not have them. Reviews are all that is ever created, and none is stored. `None`: it could not
    /// tell all (`incomplete`), as webhook authorizers do.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn rights(&self) -> Result<Option<Vec<Right>>, Error> {
        let namespaces = match &self.scope {
            Scope::Namespaces(names) => names.clone(),
            // Rules that hold in every namespace are reported in any.
            Scope::All => vec!["default".to_owned()],
        };
        let grants: Vec<Grant> = grants(self.read_secret_keys).into_iter().filter(|grant| !grant.custom).collect();
        let mut out = Vec::new();
        for namespace in namespaces {
            let rules = self.rules(&namespace).await?;
            if rules.incomplete {
                return Ok(None);
            }
            let may = |verb: &str, group: &str, resource: &str| {
                rules.resource_rules.iter().any(|rule| rule.allows(verb, group, resource))
            };
            let rights = grants.iter().flat_map(|grant| grant.resources.iter().map(move |resource| (grant, *resource)));
            let asked = rights.map(async |(grant, resource)| {
                let here = grant.verbs.iter().all(|verb| may(verb, grant.group, resource));
                let everywhere = self.scope == Scope::All || grant.reach == Reach::Cluster;
                let allowed = here && (!everywhere || self.everywhere(grant, resource).await?);
                Ok::<_, Error>(Right { resource, allowed, essential: grant.essential, codes: grant.codes })
            });
            out.extend(try_join_all(asked).await?);
        }
        Ok(Some(out))
    }

    /// Whether a right holds in all namespaces and outside them.
    async fn everywhere(&self, grant: &Grant, resource: &str) -> Result<bool, Error> {
        let (resource, part) = resource.split_once('/').unwrap_or((resource, ""));
        for verb in grant.verbs {
            let attributes = json!({"verb": verb, "group": grant.group, "resource": resource, "subresource": part});
            let status = self.review("SelfSubjectAccessReview", json!({"resourceAttributes": attributes})).await?;
            if status.get("allowed") != Some(&Value::Bool(true)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn rules(&self, namespace: &str) -> Result<Rules, Error> {
        let status = self.review("SelfSubjectRulesReview", json!({"namespace": namespace})).await?;
        Ok(Rules::deserialize(status).unwrap_or_default())
    }

    /// The `status` that the API server gives a review.
    async fn review(&self, kind: &str, spec: Value) -> Result<Value, Error> {
        self.api.hope();
        let lost = |failure: &Failure| unreachable(failure, &self.context, &self.server);
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec});
        let path = format!("/apis/authorization.k8s.io/v1/{}s", kind.to_lowercase());
        let bytes = self.api.review(&path, &review, Count::Get).await.map_err(|failure| lost(&failure))?;
        let mut answer: Value =
            serde_json::from_slice(&bytes).map_err(|error| lost(&Failure::Garbled(foreign(&error.to_string()))))?;
        Ok(answer.get_mut("status").map(Value::take).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_for_named_objects_is_no_right_to_list() {
        let rule = |resource_names: &[&str]| Rule {
            verbs: vec!["get".into(), "list".into()],
            api_groups: vec!["apps".into()],
            resources: vec!["*".into()],
            resource_names: resource_names.iter().map(ToString::to_string).collect(),
        };
        assert!(rule(&[]).allows("list", "apps", "deployments"));
        assert!(!rule(&[]).allows("list", "", "pods"));
        assert!(!rule(&["web"]).allows("list", "apps", "deployments"));
    }
}

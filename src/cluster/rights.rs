//! What we may read, as the API server says.

use super::Cluster;
use super::client::Count;
use super::failure::{Failure, foreign, unreachable};
use super::grants::{Grant, grants};
use crate::error::Error;
use crate::model::snapshot::Scope;
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

/// `status` of a SelfSubjectRulesReview:
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
    /// Asks the API server which kinds a scan may read, one question per namespace. Custom kinds are left out:
    /// the cluster may not have them. A right on what lies in no namespace is told as the rules of a namespace tell it.
    /// It is the only thing that is ever created, and nothing of it is stored. `None`: it could not
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
            for grant in &grants {
                out.extend(grant.resources.iter().map(|resource| Right {
                    resource,
                    allowed: grant.verbs.iter().all(|verb| may(verb, grant.group, resource)),
                    essential: grant.essential,
                    codes: grant.codes,
                }));
            }
        }
        Ok(Some(out))
    }

    async fn rules(&self, namespace: &str) -> Result<Rules, Error> {
        self.api.hope();
        let lost = |failure: &Failure| unreachable(failure, &self.context, &self.server);
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews";
        let bytes = self.api.review(path, &review, Count::Get).await.map_err(|failure| lost(&failure))?;
        let answer: Value =
            serde_json::from_slice(&bytes).map_err(|error| lost(&Failure::Garbled(foreign(&error.to_string()))))?;
        Ok(answer.get("status").and_then(|status| Rules::deserialize(status).ok()).unwrap_or_default())
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

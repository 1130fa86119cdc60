//! What we may read, as the API server says.

use super::Cluster;
use super::client::Count;
use super::failure::{Failure, foreign, unreachable};
use super::kinds::{self, Place};
use crate::error::Error;
use crate::model::snapshot::Scope;
use serde::Deserialize;
use serde_json::{Value, json};

/// The right to list one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// `pods`.
    pub plural: &'static str,
    pub namespace: Option<String>,
    pub allowed: bool,
    /// Without it no workload can be judged.
    pub essential: bool,
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
    fn allows_list(&self, group: &str, plural: &str) -> bool {
        let has = |list: &[String], wanted: &str| list.iter().any(|item| item == "*" || item == wanted);
        self.resource_names.is_empty()
            && has(&self.verbs, "list")
            && has(&self.api_groups, group)
            && has(&self.resources, plural)
    }
}

impl Cluster {
    /// Asks the API server which kinds of the first wave may be listed, one question per namespace.
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
        let mut out = Vec::new();
        for namespace in namespaces {
            let rules = self.rules(&namespace).await?;
            if rules.incomplete {
                return Ok(None);
            }
            for row in kinds::FIRST.iter().filter(|row| row.place == Place::Scope) {
                let group = row.api_version.split_once('/').map_or("", |(group, _)| group);
                out.push(Right {
                    plural: row.plural,
                    namespace: matches!(self.scope, Scope::Namespaces(_)).then(|| namespace.clone()),
                    allowed: rules.resource_rules.iter().any(|rule| rule.allows_list(group, row.plural)),
                    essential: row.essential,
                });
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
        assert!(rule(&[]).allows_list("apps", "deployments"));
        assert!(!rule(&[]).allows_list("", "pods"));
        assert!(!rule(&["web"]).allows_list("apps", "deployments"));
    }
}

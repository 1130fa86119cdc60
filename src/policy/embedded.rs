//! The policies that come with the binary.

macro_rules! embed {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("../../policies/", $path)))),*] };
}

/// Name and text of every file below `policies/`; a test compares it with the folder.
pub(super) const FILES: &[(&str, &str)] = embed!(
    "access_rights.rego",
    "admission_kept.rego",
    "autoscaler_bounds.rego",
    "budget_kept.rego",
    "capabilities.rego",
    "capped_growth.rego",
    "change_size.rego",
    "confinement.rego",
    "containers_kept.rego",
    "critical_objects.rego",
    "data_kept.rego",
    "exposure.rego",
    "failure_hidden.rego",
    "gitops_kept.rego",
    "guards_kept.rego",
    "host_access.rego",
    "image_pull.rego",
    "image_registry.rego",
    "image_tag.rego",
    "ingress_exposure.rego",
    "isolation.rego",
    "job_bounds.rego",
    "lib/kubernetes.rego",
    "limits_kept.rego",
    "model_scope.rego",
    "model_text.rego",
    "namespace_bounds.rego",
    "network_policy_kept.rego",
    "only_intended.rego",
    "placement.rego",
    "pod_security_level.rego",
    "priority_class.rego",
    "privilege.rego",
    "probe_meaning.rego",
    "probes_kept.rego",
    "rbac_escalation.rego",
    "rollout_gap.rego",
    "secret_content.rego",
    "secret_literal.rego",
    "security_context_kept.rego",
    "selector_kept.rego",
    "spread_kept.rego",
    "still_runs.rego",
    "tests/access_rights_test.rego",
    "tests/admission_kept_test.rego",
    "tests/autoscaler_bounds_test.rego",
    "tests/budget_kept_test.rego",
    "tests/capabilities_test.rego",
    "tests/capped_growth_test.rego",
    "tests/change_size_test.rego",
    "tests/confinement_test.rego",
    "tests/containers_kept_test.rego",
    "tests/critical_objects_test.rego",
    "tests/data_kept_test.rego",
    "tests/exposure_test.rego",
    "tests/failure_hidden_test.rego",
    "tests/gitops_kept_test.rego",
    "tests/guards_kept_test.rego",
    "tests/host_access_test.rego",
    "tests/image_pull_test.rego",
    "tests/image_registry_test.rego",
    "tests/image_tag_test.rego",
    "tests/ingress_exposure_test.rego",
    "tests/isolation_test.rego",
    "tests/job_bounds_test.rego",
    "tests/kubernetes_test.rego",
    "tests/limits_kept_test.rego",
    "tests/model_scope_test.rego",
    "tests/model_text_test.rego",
    "tests/namespace_bounds_test.rego",
    "tests/network_policy_kept_test.rego",
    "tests/only_intended_test.rego",
    "tests/placement_test.rego",
    "tests/pod_security_level_test.rego",
    "tests/priority_class_test.rego",
    "tests/privilege_test.rego",
    "tests/probe_meaning_test.rego",
    "tests/probes_kept_test.rego",
    "tests/rbac_escalation_test.rego",
    "tests/rollout_gap_test.rego",
    "tests/secret_content_test.rego",
    "tests/secret_literal_test.rego",
    "tests/security_context_kept_test.rego",
    "tests/selector_kept_test.rego",
    "tests/spread_kept_test.rego",
    "tests/still_runs_test.rego",
    "tests/support_test.rego",
);

/// What the policies read as `data.aifix`.
pub(super) const DATA: &str = include_str!("../../policies/data.yaml");

#[cfg(test)]
mod tests {
    use super::FILES;
    use crate::policy::Set;
    use crate::policy::child::{Watchdog, answer};
    use crate::policy::protocol::{Line, RegoFile, Request, Task};
    use crate::policy::syntax::Module;
    use serde_json::Value;
    use std::time::Duration;

    /// Names of the tests that fail when `policy` says `text`.
    fn failures(policy: &str, text: &str) -> Vec<String> {
        let wanted = [
            "lib/kubernetes.rego",
            &format!("{policy}.rego"),
            &format!("tests/{policy}_test.rego"),
            "tests/support_test.rego",
        ];
        let file = |(path, original): &(&str, &str)| RegoFile {
            source: 0,
            name: (*path).to_owned(),
            path: (*path).to_owned(),
            text: if path.trim_end_matches(".rego") == policy { text.to_owned() } else { (*original).to_owned() },
            is_test: path.ends_with("_test.rego"),
            is_template: false,
            of_repository: false,
        };
        let request = Request {
            task: Task::Test,
            files: FILES.iter().filter(|(path, _)| wanted.contains(path)).map(file).collect(),
            constraints: Vec::new(),
            data: Set::load(true, &[]).unwrap().data,
            input: Value::Null,
            done: Vec::new(),
            fatal: Vec::new(),
        };
        assert_eq!(request.files.len(), 4, "{policy} has no test file");
        let mut out = Vec::new();
        answer(&request, &mut out, &Watchdog::asleep(Duration::from_secs(600))).unwrap();
        let lines = out.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines
            .filter_map(|line| match serde_json::from_slice(line).unwrap() {
                Line::Test(_, result) if !result.passed => Some(result.name),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn each_rule_of_each_policy_is_held_by_a_test() {
        let mut wrong = Vec::new();
        for (path, text) in FILES.iter().filter(|(path, _)| !path.contains('/')) {
            let policy = path.trim_end_matches(".rego");
            let module = Module::parse(path, text).unwrap();
            wrong.extend(failures(policy, text).into_iter().map(|name| format!("{policy}: {name} fails")));
            for rule in &module.rules {
                let without = module.slice(text, |other| other.at != rule.at);
                if failures(policy, &without).is_empty() {
                    wrong.push(format!("no test needs the rule at {path}:{}", rule.at.line));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

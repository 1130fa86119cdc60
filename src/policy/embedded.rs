//! The policies that come with the binary.

macro_rules! embed {
    ($($path:literal),* $(,)?) => { &[$(($path, include_str!(concat!("../../policies/", $path)))),*] };
}

/// Name and text of every file below `policies/`; a test compares it with the folder.
pub(super) const FILES: &[(&str, &str)] = embed!(
    "access_rights.rego",
    "capped_growth.rego",
    "critical_objects.rego",
    "host_access.rego",
    "image_registry.rego",
    "image_tag.rego",
    "lib/kubernetes.rego",
    "limits_kept.rego",
    "only_intended.rego",
    "privilege.rego",
    "probes_kept.rego",
    "secret_literal.rego",
    "security_context_kept.rego",
    "still_runs.rego",
    "tests/access_rights_test.rego",
    "tests/capped_growth_test.rego",
    "tests/critical_objects_test.rego",
    "tests/host_access_test.rego",
    "tests/image_registry_test.rego",
    "tests/image_tag_test.rego",
    "tests/limits_kept_test.rego",
    "tests/only_intended_test.rego",
    "tests/privilege_test.rego",
    "tests/probes_kept_test.rego",
    "tests/secret_literal_test.rego",
    "tests/security_context_kept_test.rego",
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
        for (path, text) in FILES.iter().filter(|(path, _)| !path.contains('/')) {
            let policy = path.trim_end_matches(".rego");
            let module = Module::parse(path, text).unwrap();
            assert_eq!(failures(policy, text), Vec::<String>::new());
            for rule in &module.rules {
                let without = module.slice(text, |other| other.at != rule.at);
                assert!(!failures(policy, &without).is_empty(), "no test needs the rule at {path}:{}", rule.at.line);
            }
        }
    }
}

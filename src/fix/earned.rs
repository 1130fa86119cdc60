//! Which edits need nobody's look: a fact, or what works.

use crate::model::finding::Finding;
use crate::model::intent::{Disposition, Intent};

/// Codes whose facts leave one value only. An edit for any other code is `Safe` only where it puts back what a revision
/// with ready pods has.
pub(super) const DECIDED: [&str; 21] = [
    "command-not-executable",
    "configmap-key-missing",
    "configmap-missing",
    "httproute-backend-missing",
    "image-name-invalid",
    "ingress-backend-port-missing",
    "ingress-backend-service-missing",
    "limitrange-default-below-request",
    "limitrange-min",
    "oom-init",
    "oom-killed",
    "probe-named-port-missing",
    "probe-port-mismatch",
    "probe-scheme-mismatch",
    "service-named-port-missing",
    "service-selector-mismatch",
    "service-target-port-mismatch",
    "subpath-expr-unset",
    "subpath-key-missing",
    "volume-configmap-missing",
    "volume-key-missing",
];

/// Takes `Safe` from an edit that has not earned it: whatever its rule says, a person looks.
pub(super) fn check(finding: &Finding, intent: &mut Intent) {
    let is_decided = DECIDED.contains(&finding.code.name());
    if intent.disposition == Disposition::Safe && !is_decided && !puts_back(finding, intent) {
        intent.disposition = Disposition::Review;
        intent.review.push("facts point to this value, and do not prove it".to_owned());
    }
}

/// Whether each edit gives a changed field the value of the revision that works.
fn puts_back(finding: &Finding, intent: &Intent) -> bool {
    let Some(change) = finding.change.as_ref().filter(|change| change.good) else { return false };
    intent.edits.iter().all(|edit| change.fields.iter().any(|field| field.path == edit.path && field.old == edit.new))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::codes;
    use crate::model::code::{Code, FixClass};
    use crate::model::finding::{Change, FieldChange};
    use crate::model::intent::{Author, FieldEdit, Op};
    use crate::model::path::Path;
    use serde_json::json;

    fn finding(code: &str) -> Finding {
        let mut finding = crate::llm::tests::finding();
        finding.code = Code(codes().into_iter().find(|row| row.name == code).unwrap());
        finding
    }

    /// What becomes of a `Safe` edit of the image to `new`.
    fn disposition(finding: &Finding, new: &str) -> Disposition {
        let edit = FieldEdit {
            path: Path::of("spec.template.spec.containers[app].image"),
            op: Op::Set,
            old: Some(json!("web:2")),
            new: Some(json!(new)),
        };
        let mut intent = Intent {
            object: finding.object.clone(),
            edits: vec![edit],
            subject: String::new(),
            why: String::new(),
            evidence: vec![1],
            author: Author::Rule,
            disposition: Disposition::Safe,
            review: Vec::new(),
        };
        check(finding, &mut intent);
        assert_eq!(intent.review.is_empty(), intent.disposition == Disposition::Safe, "a reason to look is told");
        intent.disposition
    }

    fn changed(mut finding: Finding, good: bool) -> Finding {
        let field = FieldChange {
            path: Path::of("spec.template.spec.containers[app].image"),
            old: Some(json!("web:1")),
            new: Some(json!("web:2")),
        };
        let (from, to) = ("1".to_owned(), "2".to_owned());
        finding.change = Some(Change { from, to, good, fields: vec![field], manager: None, at: None, commit: None });
        finding
    }

    #[test]
    fn only_decided_codes_and_what_works_are_safe() {
        for code in codes() {
            let bare = finding(code.name);
            let want = if DECIDED.contains(&code.name) { Disposition::Safe } else { Disposition::Review };
            assert_eq!(disposition(&bare, "web:1"), want, "{} without an earlier revision", code.name);
            assert_eq!(disposition(&changed(bare.clone(), false), "web:1"), want, "{}: it never worked", code.name);
            let good = changed(bare, true);
            assert_eq!(disposition(&good, "web:1"), Disposition::Safe, "{}: it worked", code.name);
            assert_eq!(disposition(&good, "web:3"), want, "{}: another value than the one that worked", code.name);
        }
    }

    #[test]
    fn every_decided_code_has_a_rule() {
        for name in DECIDED {
            let code = codes().into_iter().find(|row| row.name == name);
            assert!(code.is_some_and(|row| row.class == FixClass::Rule), "{name}");
        }
    }
}

package aifix.network_policy_kept_test

import data.aifix.network_policy_kept
import data.aifix.support_test as support

denied(kind, before, after) := support.paths(verdicts) if {
	change := support.change(support.with_spec(kind, before), support.with_spec(kind, after))
	verdicts := network_policy_kept.deny with input as change
}

from(app) := {"from": [{"podSelector": {"matchLabels": {"app": app}}}]}

test_what_opens_is_denied if {
	kind := "NetworkPolicy"
	denied(kind, {"ingress": [from("a")]}, {"ingress": [from("a"), {}]}) == {"spec.ingress"}
	denied(kind, {"egress": [{}]}, {}) == {"spec.policyTypes"}
	denied(kind, {"policyTypes": ["Ingress", "Egress"]}, {"policyTypes": ["Ingress"]}) == {"spec.policyTypes"}
	denied(kind, {"podSelector": {}}, {"podSelector": {"matchLabels": {"app": "a"}}}) == {"spec.podSelector"}
}

test_what_closes_or_stays_is_fine if {
	kind := "NetworkPolicy"
	denied(kind, {"ingress": [from("a"), from("b")]}, {"ingress": [from("a")]}) == set()
	denied(kind, {}, {"policyTypes": ["Ingress", "Egress"]}) == set()
	denied(kind, {"ingress": [{}]}, {"ingress": [{}]}) == set()
	denied("Foo", {"ingress": []}, {"ingress": [{}]}) == set()
}

package aifix.selector_kept_test

import data.aifix.selector_kept
import data.aifix.support_test as support

denied(kind, before, after) := support.messages(verdicts) if {
	change := support.change(support.with_spec(kind, before), support.with_spec(kind, after))
	verdicts := selector_kept.deny with input as change
}

test_a_wider_service_is_denied if {
	before := {"selector": {"app": "web", "tier": "front"}}
	denied("Service", before, {"selector": {"app": "web"}}) == {"it no longer asks for the label tier, and reaches more pods"}
	count(denied("Service", before, {})) == 2
}

test_another_value_of_a_label_is_fine if {
	denied("Service", {"selector": {"app": "webb"}}, {"selector": {"app": "web"}}) == set()
	denied("Foo", {"selector": {"app": "webb"}}, {"selector": {}}) == set()
}

workload(selected, label) := {"selector": {"matchLabels": {"app": selected}}, "template": {"metadata": {"labels": {"app": label}}}}

test_the_selector_of_a_workload_stays if {
	denied("Deployment", workload("a", "a"), workload("b", "b")) == {"the selector of a workload can't change once it exists"}
}

test_a_selector_that_was_refused_goes_back if {
	before := support.with_spec("Deployment", workload("b", "b"))
	change := support.change(before, support.with_spec("Deployment", workload("a", "a")))
	count(selector_kept.deny) == 0 with input as support.fixing("flux-apply-failed", change)
	count(selector_kept.deny) == 1 with input as support.fixing("crash-app-error", change)
}

test_its_own_pods_have_its_labels if {
	denied("Deployment", workload("a", "a"), workload("a", "b")) == {"its own pods do not have the label app that it selects"}
	denied("Deployment", workload("a", "b"), workload("a", "a")) == set()
	denied("Deployment", workload("a", "b"), workload("a", "b")) == set()
	denied("Job", workload("a", "a"), workload("a", "b")) == set()
	looked_at := support.check(support.with_spec("StatefulSet", workload("a", "b")))
	count(selector_kept.deny) == 1 with input as looked_at
}

package aifix.critical_objects_test

import data.aifix.critical_objects
import data.aifix.support_test as support

critical := {"namespaces": ["payments"], "labels": ["tier=gold", "pci"], "kinds": ["StorageClass"], "replicas": 20}

approvals(resource) := support.messages(verdicts) if {
	change := support.change(resource, object.union(resource, {"spec": {"x": 1}}))
	verdicts := critical_objects.needs_approval with input as change with data.aifix.critical as critical
}

resource(kind, namespace, labels) := {"kind": kind, "metadata": {"name": "x", "namespace": namespace, "labels": labels}}

test_a_critical_namespace_needs_approval if {
	approvals(resource("Deployment", "payments", {})) == {"the namespace payments is named critical"}
	approvals({"kind": "Namespace", "metadata": {"name": "payments"}}) == {"the namespace payments is named critical"}
}

test_a_critical_kind_needs_approval if {
	approvals(resource("StorageClass", "", {})) == {"the kind StorageClass is named critical"}
}

test_a_critical_label_needs_approval if {
	approvals(resource("Deployment", "shop", {"tier": "gold"})) == {"the label tier=gold is named critical"}
	approvals(resource("Deployment", "shop", {"pci": "yes"})) == {"the label pci is named critical"}
}

test_anything_else_does_not if {
	approvals(resource("Deployment", "shop", {"tier": "iron"})) == set()
}

test_a_manifest_that_is_looked_at_needs_none if {
	looked_at := support.check(resource("Deployment", "payments", {}))
	count(critical_objects.needs_approval) == 0 with input as looked_at with data.aifix.critical as critical
}

test_the_written_names_are_read if {
	before := resource("Deployment", "kube-system", {})
	change := support.change(before, object.union(before, {"spec": {"x": 1}}))
	count(critical_objects.needs_approval) == 1 with input as change
}

test_many_replicas_need_approval_before_or_after if {
	few := support.with_spec("Deployment", {"replicas": 19})
	many := support.with_spec("Deployment", {"replicas": 20})
	count(critical_objects.needs_approval) == 1 with input as support.change(few, many)
	count(critical_objects.needs_approval) == 1 with input as support.change(many, few)
	count(critical_objects.needs_approval) == 1 with input as support.change(null, many)
	fewer := support.with_spec("Deployment", {"replicas": 3})
	count(critical_objects.needs_approval) == 0 with input as support.change(few, fewer)
	some seen in support.change(few, fewer).changes
	scaled := object.union(seen, {"replicas": 20})
	count(critical_objects.needs_approval) == 1 with input as {"mode": "change", "changes": [scaled]}
}

test_a_disruption_budget_needs_approval if {
	some change in support.change(support.with_spec("Deployment", {}), support.with_spec("Deployment", {"replicas": 2})).changes
	protected := {"mode": "change", "changes": [object.union(change, {"disruptionBudgets": ["web"], "replicas": null})]}
	approvals := critical_objects.needs_approval with input as protected
	support.messages(approvals) == {"the disruption budget web protects its pods"}
}

# A change of an object whose budgets could not be listed.
unseen(mode, resource) := {"mode": mode, "changes": [seen]} if {
	some change in support.change(resource, object.union(resource, {"metadata": {"labels": {"a": "b"}}})).changes
	seen := object.union(change, {"disruptionBudgets": null})
}

test_budgets_that_were_not_seen_need_approval if {
	approvals := critical_objects.needs_approval with input as unseen("change", support.with_container({}))
	some message in support.messages(approvals)
	startswith(message, "its disruption budgets were not seen")
	count(approvals) == 1
}

test_budgets_that_were_not_seen_are_nothing_to_what_runs_no_pods if {
	count(critical_objects.needs_approval) == 0 with input as unseen("change", support.resource("ConfigMap", {"data": {}}))
}

test_no_budget_is_asked_for_where_manifests_are_looked_at if {
	count(critical_objects.needs_approval) == 0 with input as unseen("check", support.with_container({}))
}

test_budgets_that_were_seen_and_are_none_need_no_approval if {
	some change in unseen("change", support.with_container({})).changes
	seen := {"mode": "change", "changes": [object.union(change, {"disruptionBudgets": []})]}
	count(critical_objects.needs_approval) == 0 with input as seen
}

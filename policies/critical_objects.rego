# METADATA
# title: What is critical changes only with a person's approval
# description: >-
#   Some objects hold up all others. Which namespaces, labels, kinds and numbers of replicas those are is
#   written in the data file, and a folder given with --policy adds to it; a disruption budget says it too,
#   and so does a list of budgets that could not be read.
# custom:
#   severity: warning
#   term: namespace, label, kind, replicas, PodDisruptionBudget
package aifix.critical_objects

import data.aifix.kubernetes

needs_approval contains verdict if {
	some change in changed
	namespace := object.get(change.object, "namespace", "")
	namespace in data.aifix.critical.namespaces
	verdict := kubernetes.verdict(change, "metadata.namespace", sprintf("the namespace %s is named critical", [namespace]))
}

needs_approval contains verdict if {
	some change in changed
	change.object.kind == "Namespace"
	change.object.name in data.aifix.critical.namespaces
	verdict := kubernetes.verdict(change, "metadata.name", sprintf("the namespace %s is named critical", [change.object.name]))
}

needs_approval contains verdict if {
	some change in changed
	change.object.kind in data.aifix.critical.kinds
	verdict := kubernetes.verdict(change, "kind", sprintf("the kind %s is named critical", [change.object.kind]))
}

# The label counts on either side: taking it away needs the approval too.
needs_approval contains verdict if {
	some change in changed
	some side in ["before", "after"]
	labels := kubernetes.map_at(kubernetes.map_at(change[side], "metadata"), "labels")
	some key, value in labels
	some critical in [key, sprintf("%s=%v", [key, value])]
	critical in data.aifix.critical.labels
	verdict := kubernetes.verdict(change, "metadata.labels", sprintf("the label %s is named critical", [critical]))
}

# What Git says on either side, or what runs: an autoscaler may keep more.
needs_approval contains verdict if {
	some change in changed
	replicas := max({object.get(change, "replicas", 0), runs(change.before), runs(change.after)} - {null})
	replicas >= data.aifix.critical.replicas
	verdict := kubernetes.verdict(change, "spec.replicas", sprintf("it runs %v replicas", [replicas]))
}

# Somebody said how many of its pods must stay.
needs_approval contains verdict if {
	some change in changed
	some budget in kubernetes.list_at(change, "disruptionBudgets")
	verdict := kubernetes.verdict(change, "", sprintf("the disruption budget %s protects its pods", [budget]))
}

# Where they were not seen, nobody knows that nobody said it.
needs_approval contains verdict if {
	some change in changed
	change.disruptionBudgets == null
	some side in ["before", "after"]
	count(kubernetes.containers(change[side])) > 0
	message := "its disruption budgets were not seen (they could not be listed): one may protect its pods"
	verdict := kubernetes.verdict(change, "", message)
}

runs(resource) := kubernetes.replicas(resource) if {
	is_object(resource)
} else := 0

# A manifest that is only looked at changes nothing.
changed contains change if {
	not kubernetes.is_check
	some change in input.changes
	change.before != change.after
}

# METADATA
# title: Limits, requests and replicas grow by a bounded step
# description: >-
#   A limit that is too low is raised; a leak is not fixed by any limit. A bounded step keeps one
#   change from eating the node's memory or the budget.
# custom:
#   severity: error
#   term: resources.limits, resources.requests, replicas
package aifix.capped_growth

import data.aifix.kubernetes

# Quantities that a change raises: {change, path, what, old, new, cap, shown}; `old` is 0 when there was none.
grown contains entry if {
	some change in input.changes
	some container in kubernetes.containers(change.after)
	some list in ["limits", "requests"]
	resources := kubernetes.map_at(kubernetes.map_at(container.spec, "resources"), list)
	some resource, value in resources
	cap := caps[resource]
	before := kubernetes.container_named(change.before, container.name)
	old := object.get(kubernetes.map_at(kubernetes.map_at(before, "resources"), list), resource, 0)
	old != value
	quantity(resource, value) > quantity(resource, old)
	entry := {
		"change": change,
		"path": sprintf("%s.resources.%s.%s", [container.path, list, resource]),
		"what": sprintf("the %s %s of container %s", [resource, trim_suffix(list, "s"), container.name]),
		"old": quantity(resource, old),
		"new": quantity(resource, value),
		"cap": cap,
		"least": object.get(data.aifix.growth, least[resource], 0),
		"shown": sprintf("%v", [value]),
		"restored": had(change, container.name, list, resource, value),
	}
}

grown contains entry if {
	some change in input.changes
	change.object.kind == "PersistentVolumeClaim"
	value := change.after.spec.resources.requests.storage
	old := object.get(object.get(change, "before", {}), ["spec", "resources", "requests", "storage"], 0)
	old != value
	quantity("storage", value) > quantity("storage", old)
	entry := {
		"change": change,
		"path": "spec.resources.requests.storage",
		"what": "the storage request",
		"old": quantity("storage", old),
		"new": quantity("storage", value),
		"cap": caps.storage,
		"least": 0,
		"shown": sprintf("%v", [value]),
		"restored": false,
	}
}

grown contains entry if {
	some change in input.changes
	some field in ["replicas", "parallelism"]
	value := change.after.spec[field]
	old := replicas(change.before, field)
	value > old
	entry := {
		"change": change,
		"path": sprintf("spec.%s", [field]),
		"what": sprintf("spec.%s", [field]),
		"old": old,
		"new": value,
		"cap": data.aifix.growth.replicas,
		"least": 0,
		"shown": sprintf("%v", [value]),
		"restored": ran(change, field, value),
	}
}

deny contains verdict if {
	some entry in grown
	entry.new > entry.cap
	verdict := kubernetes.verdict(entry.change, entry.path, sprintf("%s becomes %s, which is above the cap", [entry.what, entry.shown]))
}

deny contains verdict if {
	some entry in grown
	entry.old > 0
	factor := data.aifix.growth.factor
	entry.new > max({entry.old, entry.least}) * factor
	not entry.restored
	message := sprintf("%s becomes %s, more than %v times what it was", [entry.what, entry.shown, factor])
	verdict := kubernetes.verdict(entry.change, entry.path, message)
}

# The commit that is taken back had lowered it.
needs_approval contains verdict if {
	some entry in grown
	entry.old > 0
	factor := data.aifix.growth.factor
	entry.new > max({entry.old, entry.least}) * factor
	entry.restored
	message := sprintf(
		"%s becomes %s, more than %v times what it was, as before the commit that is taken back",
		[entry.what, entry.shown, factor],
	)
	verdict := kubernetes.verdict(entry.change, entry.path, message)
}

caps := {
	"cpu": data.aifix.growth.cpu_cores,
	"memory": data.aifix.growth.memory_bytes,
	"ephemeral-storage": data.aifix.growth.storage_bytes,
	"storage": data.aifix.growth.storage_bytes,
}

# A limit of some KiB is a typo, and its right unit is a thousand times more.
least := {
	"cpu": "least_cpu_cores",
	"memory": "least_memory_bytes",
	"ephemeral-storage": "",
	"storage": "",
}

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
quantity("cpu", value) := units.parse(sprintf("%v", [value]))

quantity(resource, value) := bytes(sprintf("%v", [value])) if resource != "cpu"

# Thousandths of a byte are legal, and written by some autoscalers.
bytes(text) := to_number(trim_suffix(text, "m")) / 1000 if {
	endswith(text, "m")
} else := units.parse_bytes(text)

# Before the commit that is taken back it was this very value.
had(change, name, list, resource, value) if {
	some container in kubernetes.containers(kubernetes.good(change))
	container.name == name
	kubernetes.map_at(kubernetes.map_at(container.spec, "resources"), list)[resource] == value
} else := false

ran(change, field, value) if {
	replicas(kubernetes.good(change), field) == value
} else := false

# A workload without the field runs one.
replicas(before, field) := before.spec[field] if {
	is_number(before.spec[field])
} else := 1 if {
	before != null
} else := 0

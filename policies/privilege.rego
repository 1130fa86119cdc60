# METADATA
# title: No container gains a privilege
# description: >-
#   A container that may do more than before reaches further when it is taken over. No failure of a
#   workload is fixed safely by giving it more rights without a person deciding so.
# custom:
#   severity: critical
#   term: Pod Security, Privileged Containers, Privilege Escalation, Running as Non-root, HostProcess
package aifix.privilege

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	some container in kubernetes.containers(change.after)
	before := context(change.before, kubernetes.container_named(change.before, container.name))
	after := context(change.after, container.spec)
	some gain in gains(before, after)
	verdict := kubernetes.verdict(
		change,
		sprintf("%s.securityContext.%s", [container.path, gain.field]),
		sprintf("container %s %s", [container.name, gain.what]),
	)
}

# What holds for a container: its own securityContext over that of its pod.
context(resource, container) := object.union(
	kubernetes.map_at(kubernetes.pod_spec(resource), "securityContext"),
	kubernetes.map_at(container, "securityContext"),
)

gains(before, after) := union({
	{gain |
		some field, what in {
			"privileged": "becomes privileged",
			"allowPrivilegeEscalation": "may gain privileges while it runs",
		}
		after[field] == true
		not is_true(before, field)
		gain := {"field": field, "what": what}
	},
	{gain |
		some field, what in {
			"runAsNonRoot": "may run as root again",
			"readOnlyRootFilesystem": "may write to its root file system again",
		}
		is_true(before, field)
		not is_true(after, field)
		gain := {"field": field, "what": what}
	},
	{{"field": "allowPrivilegeEscalation", "what": "may gain privileges while it runs"} |
		before.allowPrivilegeEscalation == false
		not is_false(after, "allowPrivilegeEscalation")
	},
	{{"field": "runAsUser", "what": "runs as root (user 0)"} |
		after.runAsUser == 0
		not is_root(before)
	},
	{{"field": "windowsOptions.hostProcess", "what": "becomes a host process"} |
		after.windowsOptions.hostProcess == true
		not before.windowsOptions.hostProcess == true
	},
})

is_true(context, field) if context[field] == true

is_false(context, field) if context[field] == false

is_root(context) if context.runAsUser == 0

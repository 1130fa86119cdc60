# METADATA
# title: No command hides that the program fails
# description: >-
#   A container that sleeps, or whose errors are thrown away, is running and ready for everybody who
#   looks, and does nothing.
# custom:
#   severity: error
#   term: command, args, lifecycle
package aifix.failure_hidden

import data.aifix.kubernetes

# A rule puts back what ran before and thinks of no command.
deny contains verdict if {
	input.author == "model"
	some verdict in verdicts
}

needs_approval contains verdict if {
	not object.get(input, "author", null) in {"model", "rule"}
	some verdict in verdicts
}

verdicts contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some container in kubernetes.containers(change.after)
	before := kubernetes.container_named(change.before, container.name)
	some what in (hidden(container.spec) - hidden(before))
	path := sprintf("%s.command", [container.path])
	verdict := kubernetes.verdict(change, path, sprintf("container %s %s", [container.name, what]))
}

hidden(container) := {what |
	words := array.concat(kubernetes.list_at(container, "command"), kubernetes.list_at(container, "args"))
	some pattern, what in {
		`(^|[\s;&/])sleep\s+(inf(inity)?|\d{4,}|\d+[hd])(\s|;|$)`: "only sleeps",
		`tail\s+-[fFn0\s]+/dev/null`: "only waits",
		`\|\|\s*(true|:|exit\s+0)(\s|;|$)`: "ends well whatever happens",
		`;\s*(true|exit\s+0)\s*$`: "ends well whatever happens",
		`(^|\s)set\s+\+e(\s|;|$)`: "goes on after an error",
	}
	regex.match(pattern, concat(" ", words))
}

# METADATA
# title: A probe still asks the program
# description: >-
#   A probe that always succeeds sends traffic to a program that is down, and one that waits for an hour
#   is as good as none. What a probe asks is put right instead.
# custom:
#   severity: error
#   term: livenessProbe, readinessProbe, startupProbe
package aifix.probe_meaning

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	some container in kubernetes.containers(change.after)
	before := kubernetes.container_named(change.before, container.name)
	some probe in ["livenessProbe", "readinessProbe", "startupProbe"]
	always_succeeds(kubernetes.map_at(container.spec, probe))
	not always_succeeds(kubernetes.map_at(before, probe))
	path := sprintf("%s.%s", [container.path, probe])
	verdict := kubernetes.verdict(change, path, sprintf("the %s of container %s always succeeds", [probe, container.name]))
}

deny contains verdict if {
	some change in input.changes
	some container in kubernetes.containers(change.after)
	before := kubernetes.container_named(change.before, container.name)
	some probe in ["livenessProbe", "readinessProbe", "startupProbe"]
	after := patience(kubernetes.map_at(container.spec, probe))
	after > data.aifix.probes.patience_seconds
	after > patience(kubernetes.map_at(before, probe))
	path := sprintf("%s.%s", [container.path, probe])
	message := sprintf("the %s of container %s fails only after %v s", [probe, container.name, after])
	verdict := kubernetes.verdict(change, path, message)
}

# `true`, `exit 0` and what prints something.
always_succeeds(probe) if {
	words := trim_space(concat(" ", kubernetes.list_at(kubernetes.map_at(probe, "exec"), "command")))
	regex.match(`^((/bin/|/usr/bin/)?(ba|a|da)?sh -[a-z]*c )?(/bin/|/usr/bin/)?(true|:|exit 0|echo( .*)?)$`, words)
}

# Kubernetes fills in what is absent: a period of 10 s and three failures.
patience(probe) := initial + (period * failures) if {
	initial := object.get(probe, "initialDelaySeconds", 0)
	period := object.get(probe, "periodSeconds", 10)
	failures := object.get(probe, "failureThreshold", 3)
}

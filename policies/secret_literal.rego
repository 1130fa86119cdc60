# METADATA
# title: No secret is written into a manifest
# description: >-
#   A value in Git is read by everybody who can read the repository, and stays in its history. A
#   container takes its secrets from a Secret (secretKeyRef).
# custom:
#   severity: error
#   term: env
package aifix.secret_literal

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	not kubernetes.is_check
	some finding in literals(change)
	verdict := finding
}

warn contains verdict if {
	some change in input.changes
	kubernetes.is_check
	some finding in literals(change)
	verdict := finding
}

literals(change) := {verdict |
	some container in kubernetes.containers(change.after)
	some variable in kubernetes.list_at(container.spec, "env")
	is_secret(variable.name)
	object.get(variable, "value", "") != ""
	not variable in kubernetes.list_at(kubernetes.container_named(change.before, container.name), "env")
	path := sprintf("%s.env[%s].value", [container.path, variable.name])
	message := sprintf("container %s takes %s from the manifest instead of a Secret", [container.name, variable.name])
	verdict := kubernetes.verdict(change, path, message)
}

# Where a secret is, is no secret: DB_PASSWORD_FILE, TOKEN_URL.
is_secret(name) if {
	regex.match(`(?i)(password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key|credential)`, name)
	not regex.match(`(?i)_(file|path|dir|name|url|uri|host|port|ttl|expiry|seconds|enabled)$`, name)
}

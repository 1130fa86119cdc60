# METADATA
# title: No route is opened or loses its encryption
# description: >-
#   A host without TLS sends passwords in the clear, a wildcard takes the traffic of other names, and
#   an annotation that asks for a login is what keeps a page inside.
# custom:
#   severity: error
#   term: Ingress
package aifix.ingress_exposure

import data.aifix.kubernetes

deny contains verdict if {
	some change in ingresses
	some host in (encrypted(change.before) - encrypted(change.after))
	verdict := kubernetes.verdict(change, "spec.tls", sprintf("%s is no longer encrypted", [host]))
}

deny contains verdict if {
	some change in ingresses
	some host in (hosts(change.after) - hosts(change.before))
	is_wide(host)
	verdict := kubernetes.verdict(change, "spec.rules", sprintf("it takes the traffic of %s", [named(host)]))
}

needs_approval contains verdict if {
	some change in ingresses
	some host in (hosts(change.after) - hosts(change.before))
	not is_wide(host)
	verdict := kubernetes.verdict(change, "spec.rules", sprintf("it takes the traffic of %s", [host]))
}

# Logins, allowed sources and the way to https, as ingress controllers name them.
deny contains verdict if {
	some change in ingresses
	some key, value in annotations(change.before)
	regex.match(`(auth|whitelist|allowlist|ssl-redirect|force-ssl|waf|modsecurity)`, key)
	not value in {"false", ""}
	object.get(annotations(change.after), key, null) != value
	verdict := kubernetes.verdict(change, "metadata.annotations", sprintf("%s is no longer %s", [key, value]))
}

ingresses contains change if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind == "Ingress"
}

encrypted(resource) := {host |
	some entry in kubernetes.list_at(resource.spec, "tls")
	some host in kubernetes.list_at(entry, "hosts")
}

hosts(resource) := {object.get(rule, "host", "") | some rule in kubernetes.list_at(resource.spec, "rules")}

is_wide(host) if contains(host, "*")

is_wide(host) if host == ""

named("") := "every host"

named(host) := host if host != ""

annotations(resource) := kubernetes.map_at(resource.metadata, "annotations")

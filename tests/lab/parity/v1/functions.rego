package functions

default level(_) := "low"

level(n) := "high" if n > 5

level(n) := "middle" if {
	n > 2
	n <= 5
}

deny contains msg if {
	some change in input.changes
	n := object.get(change.after, ["spec", "replicas"], 0)
	msg := sprintf("%s: %s", [change.object.name, level(n)])
}

warn contains msg if {
	some change in input.changes
	some key, value in object.get(change.after, ["metadata", "labels"], {})
	glob.match("app.*.io/*", ["/"], key)
	msg := sprintf("%s=%s", [key, value])
}

package dates

warn contains msg if {
	some change in input.changes
	expiry := change.after.metadata.annotations.expires
	ns := time.parse_rfc3339_ns(expiry)
	ns < time.parse_rfc3339_ns("2026-01-01T00:00:00Z")
	[year, month, day] := time.date(ns)
	msg := sprintf("expired on %d-%02d-%02d, a %s", [year, month, day, time.weekday(ns)])
}

deny contains msg if {
	some change in input.changes
	version := change.after.metadata.annotations.version
	semver.is_valid(version)
	semver.compare(version, "2.0.0") < 0
	msg := sprintf("%s is older than 2", [version])
}

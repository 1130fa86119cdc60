package networks

deny contains sprintf("%s is outside", [range]) if {
	some change in input.changes
	some range in change.after.spec.loadBalancerSourceRanges
	not net.cidr_contains("10.0.0.0/8", range)
}

warn contains sprintf("paths: %v", [paths]) if {
	some change in input.changes
	paths := {concat(".", [sprintf("%v", [step]) | some step in path]) |
		walk(change.after.spec, [path, value])
		is_number(value)
	}
	count(paths) > 0
}

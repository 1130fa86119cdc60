package else_default

default tier = "none"

tier = "gold" {
	input.changes[_].after.metadata.labels.tier == "gold"
} else = "named" {
	input.changes[_].after.metadata.labels.tier
}

needs_approval["a gold object changes"] {
	tier == "gold"
}

warn[msg] {
	tier != "gold"
	msg := sprintf("the tier is %v", [tier])
}

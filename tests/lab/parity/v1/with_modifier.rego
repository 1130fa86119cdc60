package with_modifier

reads := [change.object.kind | some change in input.changes]

deny contains concat(",", kinds) if {
	kinds := reads with input as {"changes": [{"object": {"kind": "A"}}, {"object": {"kind": "B"}}]}
}

needs_approval contains msg if {
	"Deployment" in reads
	msg := sprintf("%v", [reads])
}

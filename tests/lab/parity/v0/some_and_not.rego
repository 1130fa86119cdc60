package some_and_not

deny[msg] {
	some i, j
	containers := input.changes[i].after.spec.template.spec.containers
	not containers[j].readinessProbe
	containers[j].ports
	msg := sprintf("%d/%d has ports and no probe", [i, j])
}

deny[msg] {
	count({name | name := input.changes[_].object.name}) < count(input.changes)
	msg := "two objects share a name"
}

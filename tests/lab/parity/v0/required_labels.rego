package required_labels

required = {"app", "team"}

deny[msg] {
	change := input.changes[_]
	missing := required - {label | change.after.metadata.labels[label]}
	count(missing) > 0
	msg := sprintf("%s lacks the labels %v", [change.object.name, concat(", ", sort([label | missing[label]]))])
}

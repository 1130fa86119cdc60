package aifix.change_size_test

import data.aifix.change_size
import data.aifix.support_test as support

size := {"fields": 3, "objects": 2}

config(values) := support.resource("ConfigMap", {"data": {sprintf("k%v", [key]): value | some key, value in values}})

approvals(changed) := verdicts if {
	verdicts := change_size.needs_approval with input as {"mode": "change", "changes": changed} with data.aifix.size as size
}

changes(before, after) := support.change(config(before), config(after)).changes

test_many_fields_need_approval if {
	support.messages(approvals(changes([1, 1, 1, 1], [2, 2, 2, 2]))) == {"4 fields of it change"}
	count(approvals(changes([], [2, 2, 2, 2]))) == 1
	count(approvals(changes([1, 1, 1, 1], []))) == 1
	count(approvals(changes([1, 1, 1, 1], [2, 2, 2, 1]))) == 0
}

test_many_objects_need_approval if {
	three := [object.union(change, {"object": {"kind": "ConfigMap", "name": name}}) |
		some name in ["a", "b", "c"]
		some change in changes([1], [2])
	]
	approvals(three) == {"3 objects change"}
	count(approvals(array.slice(three, 0, 2))) == 0
}

test_what_stays_and_what_is_looked_at_counts_nothing if {
	count(approvals(changes([1, 1, 1, 1], [1, 1, 1, 1]))) == 0
	looked_at := support.check(config([1, 1, 1, 1, 1]))
	count(change_size.needs_approval) == 0 with input as looked_at with data.aifix.size as size
}

# METADATA
# title: A change that touches much is looked at by a person
# description: >-
#   A fix is a field or two. What changes many fields or many objects is more than a fix, and nobody
#   reads all of it in passing.
# custom:
#   severity: warning
#   term: object
package aifix.change_size

import data.aifix.kubernetes

needs_approval contains verdict if {
	some change in changed
	fields := touched(change.before, change.after)
	count(fields) > data.aifix.size.fields
	verdict := kubernetes.verdict(change, "", sprintf("%v fields of it change", [count(fields)]))
}

needs_approval contains sprintf("%v objects change", [count(changed)]) if {
	count(changed) > data.aifix.size.objects
}

changed contains change if {
	not kubernetes.is_check
	some change in input.changes
	change.before != change.after
}

touched(before, after) := {path |
	some [path, _] in ((leaves(before) - leaves(after)) | (leaves(after) - leaves(before)))
}

leaves(resource) := {[path, value] |
	walk(resource, [path, value])
	not is_object(value)
	not is_array(value)
}

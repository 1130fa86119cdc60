package aifix.priority_class_test

import data.aifix.priority_class
import data.aifix.support_test as support

of(class) := support.deployment({"priorityClassName": class})

test_a_class_of_the_system_is_denied if {
	denied := priority_class.deny with input as support.change(of("low"), of("system-node-critical"))
	support.messages(denied) == {"its pods get the priority of system-node-critical"}
	support.paths(denied) == {"spec.template.spec.priorityClassName"}
	count(priority_class.needs_approval) == 0 with input as support.change(of("low"), of("system-node-critical"))
	same := support.change(of("system-node-critical"), of("system-node-critical"))
	count(priority_class.deny) == 0 with input as same
}

test_another_class_needs_approval_unless_it_was_missing if {
	change := support.change(of("lwo"), of("low"))
	count(priority_class.needs_approval) == 1 with input as change
	count(priority_class.needs_approval) == 0 with input as support.fixing("priorityclass-missing", change)
}

test_no_class_and_the_same_do_not if {
	count(priority_class.needs_approval) == 0 with input as support.change(of("low"), support.deployment({}))
	count(priority_class.needs_approval) == 0 with input as support.change(of("low"), of("low"))
	count(priority_class.deny) == 0 with input as support.change(of("low"), of("high"))
}

package aifix.capabilities_test

import data.aifix.capabilities
import data.aifix.support_test as support

denied(before, after) := support.messages(verdicts) if {
	change := support.change(
		support.with_context({"capabilities": before}),
		support.with_context({"capabilities": after}),
	)
	verdicts := capabilities.deny with input as change
}

test_a_gain_is_denied if {
	denied({}, {"add": ["NET_ADMIN"]}) == {"container app gains the capability NET_ADMIN"}
	denied({"drop": ["ALL"]}, {}) == {"container app keeps the capability ALL, which it had dropped"}
	count(denied({"drop": ["CHOWN"]}, {"drop": ["KILL"]})) == 1
}

test_what_was_there_and_what_is_given_up_is_fine if {
	denied({"add": ["CAP_CHOWN"]}, {"add": ["CHOWN"], "drop": ["ALL"]}) == set()
	denied({"drop": ["CHOWN"]}, {"drop": ["ALL"]}) == set()
	denied({"add": ["NET_ADMIN"]}, {}) == set()
}

test_a_manifest_that_adds_one_is_denied if {
	looked_at := support.check(support.with_context({"capabilities": {"add": ["SYS_ADMIN"]}}))
	count(capabilities.deny) == 1 with input as looked_at
}

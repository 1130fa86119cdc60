package aifix.containers_kept_test

import data.aifix.containers_kept
import data.aifix.support_test as support

pods(containers, inits) := support.deployment({
	"containers": [{"name": name} | some name in containers],
	"initContainers": [{"name": name} | some name in inits],
})

denied(before, after) := support.messages(verdicts) if {
	verdicts := containers_kept.deny with input as support.change(before, after)
}

test_a_container_that_goes_is_denied if {
	denied(pods(["app", "proxy"], []), pods(["app"], [])) == {"container proxy is removed"}
	denied(pods(["app"], ["migrate"]), pods(["app"], [])) == {"container migrate is removed"}
	denied(pods(["app"], []), pods(["web"], [])) == {"container app is removed"}
}

test_a_helper_may_become_a_sidecar if {
	denied(pods(["app", "proxy"], []), pods(["app"], ["proxy"])) == set()
	denied(pods(["app"], []), pods(["app", "proxy"], [])) == set()
}

test_a_revert_of_what_added_it_needs_approval if {
	change := support.revert(pods(["app", "proxy", "agent"], []), pods(["app"], []), pods(["app", "agent"], []))
	support.messages(containers_kept.deny) == {"container agent is removed"} with input as change
	asked := containers_kept.needs_approval with input as change
	support.messages(asked) == {"container proxy is removed, which was not there before the commit that is taken back"}
}

test_a_revert_to_nothing_is_denied if {
	change := support.revert(pods(["app", "proxy"], []), pods(["app"], []), null)
	count(containers_kept.deny) == 1 with input as change
}

package aifix.rollout_gap_test

import data.aifix.rollout_gap
import data.aifix.support_test as support

is_denied(kind, before, after) if {
	change := support.change(support.with_spec(kind, before), support.with_spec(kind, after))
	count(rollout_gap.deny) == 1 with input as change
}

rolling(replicas, unavailable) := {
	"replicas": replicas,
	"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable}},
}

daemon(unavailable) := {"updateStrategy": {"rollingUpdate": {"maxUnavailable": unavailable}}}

test_a_gap_is_denied if {
	is_denied("Deployment", {"replicas": 3}, {"replicas": 3, "strategy": {"type": "Recreate"}})
	is_denied("Deployment", rolling(3, 1), rolling(3, 3))
	is_denied("Deployment", rolling(3, "25%"), rolling(3, "100%"))
	is_denied("DaemonSet", daemon(1), daemon("100%"))
}

test_a_single_pod_may_be_stopped if {
	not is_denied("Deployment", {"replicas": 1}, {"replicas": 1, "strategy": {"type": "Recreate"}})
	not is_denied("Deployment", {}, {"strategy": {"type": "Recreate"}})
	not is_denied("Deployment", rolling(1, 0), rolling(1, 1))
}

test_a_part_and_what_was_so_before_is_fine if {
	not is_denied("Deployment", rolling(3, 0), rolling(3, 1))
	not is_denied("Deployment", rolling(3, "25%"), rolling(3, "90%"))
	not is_denied("Deployment", rolling(3, "100%"), rolling(3, "100%"))
}

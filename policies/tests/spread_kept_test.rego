package aifix.spread_kept_test

import data.aifix.spread_kept
import data.aifix.support_test as support

warned(before, after) := support.messages(verdicts) if {
	verdicts := spread_kept.warn with input as support.change(before, after)
}

spread(when) := support.deployment({"topologySpreadConstraints": [{"topologyKey": "zone", "whenUnsatisfiable": when}]})

apart(list) := support.deployment({"affinity": {"podAntiAffinity": {list: [{"topologyKey": "host"}]}}})

required := "requiredDuringSchedulingIgnoredDuringExecution"

test_a_rule_that_goes_is_named if {
	warned(spread("DoNotSchedule"), support.deployment({})) == {"its pods may share a zone again"}
	warned(spread("DoNotSchedule"), spread("ScheduleAnyway")) == {"its pods may share a zone again"}
	warned(apart(required), apart("preferredDuringSchedulingIgnoredDuringExecution")) == {"its pods may share a host again"}
}

test_a_rule_that_comes_or_stays_is_fine if {
	warned(support.deployment({}), apart(required)) == set()
	warned(apart(required), apart(required)) == set()
	warned(spread("ScheduleAnyway"), support.deployment({})) == set()
}

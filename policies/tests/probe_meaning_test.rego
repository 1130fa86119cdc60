package aifix.probe_meaning_test

import data.aifix.probe_meaning
import data.aifix.support_test as support

probing(probe) := support.with_container({"readinessProbe": probe})

denied(before, after) := support.messages(verdicts) if {
	change := support.change(probing(before), probing(after))
	verdicts := probe_meaning.deny with input as change with data.aifix.probes as {"patience_seconds": 600}
}

http := {"httpGet": {"path": "/", "port": 80}}

runs(command) := {"exec": {"command": command}}

test_a_probe_that_always_succeeds_is_denied if {
	every command in [["true"], ["/bin/true"], ["sh", "-c", "exit 0"], ["/bin/sh", "-c", "echo ok"], ["sh", "-c", ":"]] {
		denied(http, runs(command)) == {"the readinessProbe of container app always succeeds"}
	}
}

test_a_probe_that_asks_and_what_was_so_before_is_fine if {
	denied(http, runs(["pg_isready"])) == set()
	denied(http, runs(["sh", "-c", "test -f /ready"])) == set()
	denied(runs(["true"]), runs(["true"])) == set()
	denied(runs(["true"]), http) == set()
}

patient(seconds) := object.union(http, {"initialDelaySeconds": 10, "periodSeconds": 10, "failureThreshold": (seconds - 10) / 10})

test_a_probe_that_waits_too_long_is_denied if {
	denied(http, patient(700)) == {"the readinessProbe of container app fails only after 700 s"}
	denied(http, object.union(http, {"initialDelaySeconds": 580})) == {"the readinessProbe of container app fails only after 610 s"}
	denied(http, patient(600)) == set()
	denied(patient(900), patient(800)) == set()
}

test_the_written_bound_is_read if {
	count(probe_meaning.deny) == 1 with input as support.check(probing(patient(3600)))
	count(probe_meaning.deny) == 0 with input as support.check(probing(patient(600)))
}

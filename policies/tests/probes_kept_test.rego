package aifix.probes_kept_test

import data.aifix.probes_kept
import data.aifix.support_test as support

probe(path) := {"httpGet": {"path": path, "port": 80}}

test_each_probe_that_goes_is_denied if {
	every name in ["livenessProbe", "readinessProbe", "startupProbe"] {
		change := support.change(support.with_container({name: probe("/")}), support.with_container({}))
		denied := probes_kept.deny with input as change
		support.messages(denied) == {sprintf("container app loses its %s", [name])}
	}
}

test_a_container_that_goes_takes_its_probe_with_it if {
	before := support.deployment({"containers": [{"name": "app", "livenessProbe": probe("/")}]})
	after := support.deployment({"containers": [{"name": "other"}]})
	count(probes_kept.deny) == 1 with input as support.change(before, after)
}

test_null_is_gone if {
	change := support.change(support.with_container({"livenessProbe": probe("/")}), support.with_container({"livenessProbe": null}))
	count(probes_kept.deny) == 1 with input as change
}

test_another_path_or_a_new_probe_is_fine if {
	before := support.with_container({"livenessProbe": probe("/")})
	after := support.with_container({"livenessProbe": probe("/healthz"), "readinessProbe": probe("/")})
	count(probes_kept.deny) == 0 with input as support.change(before, after)
}

test_a_revert_of_what_added_it_needs_approval if {
	probe := {"httpGet": {"port": 80}}
	before := support.with_container({"livenessProbe": probe, "readinessProbe": probe})
	good := support.with_container({"readinessProbe": probe})
	change := support.revert(before, support.with_container({}), good)
	support.messages(probes_kept.deny) == {"container app loses its readinessProbe"} with input as change
	asked := probes_kept.needs_approval with input as change
	support.paths(asked) == {"spec.template.spec.containers[app].livenessProbe"}
}

package aifix.exposure_test

import data.aifix.exposure
import data.aifix.support_test as support

change(before, after) := support.change(support.with_spec("Service", before), support.with_spec("Service", after))

denied(before, after) := support.messages(verdicts) if {
	verdicts := exposure.deny with input as change(before, after)
}

test_a_service_that_goes_outside_is_denied if {
	denied({}, {"type": "NodePort"}) == {"it becomes reachable from outside as NodePort"}
	denied({"type": "NodePort"}, {"type": "LoadBalancer"}) == {"it becomes reachable from outside as LoadBalancer"}
	denied({}, {"externalIPs": ["1.2.3.4"]}) == {"it takes the traffic of 1.2.3.4"}
}

test_a_service_that_goes_inside_or_stays_is_fine if {
	denied({"type": "LoadBalancer"}, {"type": "ClusterIP"}) == set()
	denied({"type": "LoadBalancer"}, {"type": "LoadBalancer"}) == set()
	denied({"externalIPs": ["1.2.3.4"]}, {"externalIPs": ["1.2.3.4"]}) == set()
}

from(ranges) := {"type": "LoadBalancer", "loadBalancerSourceRanges": ranges}

test_more_sources_are_denied if {
	denied(from(["10.0.0.0/8"]), from(["10.0.0.0/8", "0.0.0.0/0"])) == {"it becomes reachable from 0.0.0.0/0"}
	denied(from(["10.0.0.0/8"]), from([])) == {"it becomes reachable from everywhere"}
	denied(from(["10.0.0.0/8"]), from(["10.1.0.0/16"])) == set()
	denied(from([]), from(["10.1.0.0/16"])) == set()
	denied(from([]), from([])) == set()
}

annotated(annotations) := {"kind": "Service", "metadata": {"name": "x", "annotations": annotations}, "spec": {}}

test_an_inner_load_balancer_stays_inside if {
	inner := annotated({"networking.gke.io/load-balancer-type": "x", "service.beta.kubernetes.io/azure-load-balancer-internal": "true"})
	outer := annotated({"networking.gke.io/load-balancer-type": "x"})
	count(exposure.deny) == 1 with input as support.change(inner, outer)
	count(exposure.deny) == 0 with input as support.change(outer, inner)
}

named(host) := {"type": "ExternalName", "externalName": host}

test_another_host_needs_approval if {
	count(exposure.needs_approval) == 1 with input as change(named("db.a"), named("db.b"))
	count(exposure.needs_approval) == 0 with input as change(named("db.a"), named("db.a"))
}

test_another_kind_is_none_of_it if {
	other := support.change(support.with_spec("Foo", {}), support.with_spec("Foo", {"type": "NodePort"}))
	count(exposure.deny) == 0 with input as other
}

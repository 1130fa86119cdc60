package aifix.ingress_exposure_test

import data.aifix.ingress_exposure
import data.aifix.support_test as support

change(before, after) := support.change(support.with_spec("Ingress", before), support.with_spec("Ingress", after))

on(hosts) := {"rules": [{"host": host} | some host in hosts]}

secured(hosts) := {"tls": [{"hosts": hosts, "secretName": "s"}]}

test_a_host_without_tls_is_denied if {
	denied := ingress_exposure.deny with input as change(secured(["a.io", "b.io"]), secured(["a.io"]))
	support.messages(denied) == {"b.io is no longer encrypted"}
	count(ingress_exposure.deny) == 0 with input as change(secured(["a.io"]), secured(["a.io", "b.io"]))
}

test_a_wide_host_is_denied_and_another_needs_approval if {
	wide := ingress_exposure.deny with input as change(on(["a.io"]), on(["*.io"]))
	support.messages(wide) == {"it takes the traffic of *.io"}
	every_host := ingress_exposure.deny with input as change(on(["a.io"]), {"rules": [{"http": {}}]})
	support.messages(every_host) == {"it takes the traffic of every host"}
	count(ingress_exposure.needs_approval) == 0 with input as change(on(["a.io"]), on(["*.io"]))
	count(ingress_exposure.needs_approval) == 1 with input as change(on(["a.io"]), on(["b.io"]))
}

test_what_was_so_before_is_fine if {
	count(ingress_exposure.deny) == 0 with input as change(on(["*.io"]), on(["*.io"]))
	count(ingress_exposure.needs_approval) == 0 with input as change(on(["a.io"]), on(["a.io"]))
}

annotated(value) := {
	"kind": "Ingress",
	"metadata": {"name": "x", "annotations": {"nginx.ingress.kubernetes.io/auth-type": value}},
	"spec": {},
}

test_a_login_stays if {
	count(ingress_exposure.deny) == 1 with input as support.change(annotated("basic"), support.with_spec("Ingress", {}))
	count(ingress_exposure.deny) == 0 with input as support.change(annotated("basic"), annotated("basic"))
	count(ingress_exposure.deny) == 0 with input as support.change(annotated("false"), support.with_spec("Ingress", {}))
}

test_another_kind_is_none_of_it if {
	other := support.change(support.with_spec("Foo", secured(["a.io"])), support.with_spec("Foo", {}))
	count(ingress_exposure.deny) == 0 with input as other
}

package aifix.only_intended_test

import data.aifix.only_intended
import data.aifix.support_test as support

change(intended, companion, before, after) := {"mode": "change", "changes": [{
	"object": {"kind": "ConfigMap", "name": "c"},
	"before": before,
	"after": after,
	"intended": intended,
	"companion": companion,
}]}

config(name, value) := {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": value}}

test_a_bystander_is_denied if {
	count(only_intended.deny) == 1 with input as change(false, false, config("c", "1"), config("c", "2"))
	count(only_intended.deny) == 1 with input as change(false, false, null, config("c", "2"))
}

test_the_intended_object_and_its_companions_are_fine if {
	count(only_intended.deny) == 0 with input as change(true, false, config("c", "1"), config("c", "2"))
	count(only_intended.deny) == 0 with input as change(false, true, config("c", "1"), config("c", "2"))
}

test_a_bystander_that_stays_is_fine if {
	count(only_intended.deny) == 0 with input as change(false, false, config("c", "1"), config("c", "1"))
}

test_a_removal_is_denied_even_when_intended if {
	denied := only_intended.deny with input as change(true, false, config("c", "1"), null)
	support.messages(denied) == {"it is removed"}
}

test_another_name_is_another_object if {
	denied := only_intended.deny with input as change(true, false, config("c", "1"), config("d", "1"))
	support.paths(denied) == {"metadata.name"}
}

test_another_hash_of_a_generated_map_is_the_same_object if {
	before := config("c-b5m459hdcm", "1")
	count(only_intended.deny) == 0 with input as change(true, false, before, config("c-26b8dfm5tk", "2"))
	denied := only_intended.deny with input as change(true, false, before, config("d-26b8dfm5tk", "2"))
	support.paths(denied) == {"metadata.name"}
	bare := only_intended.deny with input as change(true, false, before, config("c", "2"))
	support.paths(bare) == {"metadata.name"}
	secret := object.union(before, {"kind": "Secret"})
	after := object.union(config("c-26b8dfm5tk", "2"), {"kind": "Secret"})
	also_denied := only_intended.deny with input as change(true, false, secret, after)
	support.paths(also_denied) == {"metadata.name"}
}

test_another_kind_or_group_is_another_object if {
	other := object.union(config("c", "1"), {"kind": "Secret"})
	denied := only_intended.deny with input as change(true, false, config("c", "1"), other)
	support.paths(denied) == {"kind"}
	moved := object.union(config("c", "1"), {"apiVersion": "example.org/v1"})
	also_denied := only_intended.deny with input as change(true, false, config("c", "1"), moved)
	support.paths(also_denied) == {"apiVersion"}
}

test_another_version_is_the_same_object if {
	before := object.union(config("c", "1"), {"apiVersion": "autoscaling/v1"})
	after := object.union(config("c", "1"), {"apiVersion": "autoscaling/v2"})
	count(only_intended.deny) == 0 with input as change(true, false, before, after)
}

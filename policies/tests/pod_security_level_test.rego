package aifix.pod_security_level_test

import data.aifix.pod_security_level
import data.aifix.support_test as support

namespace(kind, labels) := {"kind": kind, "metadata": {"name": "shop", "labels": {sprintf("pod-security.kubernetes.io/%s", [name]): value |
	some name, value in labels
}}}

change(before, after) := support.change(namespace("Namespace", before), namespace("Namespace", after))

denied(before, after) := support.messages(verdicts) if {
	verdicts := pod_security_level.deny with input as change(before, after)
}

test_a_lower_level_is_denied if {
	denied({"enforce": "restricted"}, {"enforce": "baseline"}) == {"pods are held to baseline instead of restricted"}
	denied({"enforce": "baseline"}, {}) == {"pods are held to privileged instead of baseline"}
	denied({"enforce-version": "v1.34"}, {"enforce-version": "v1.20"}) == {"its level is that of v1.20 instead of v1.34"}
}

test_a_stricter_level_and_the_same_is_fine if {
	denied({"enforce": "baseline"}, {"enforce": "restricted"}) == set()
	denied({"enforce": "privileged"}, {}) == set()
	denied({"enforce-version": "v1.20"}, {}) == set()
	denied({"enforce-version": "v1.20"}, {"enforce-version": "v1.20"}) == set()
}

test_what_is_only_told_is_named if {
	warnings := pod_security_level.warn with input as change({"warn": "restricted"}, {"warn": "baseline"})
	support.messages(warnings) == {"pods below restricted are no longer told of (warn)"}
	count(pod_security_level.warn) == 0 with input as change({"audit": "baseline"}, {"audit": "restricted"})
}

test_another_kind_is_none_of_it if {
	other := support.change(namespace("Foo", {"enforce": "restricted"}), namespace("Foo", {}))
	count(pod_security_level.deny) == 0 with input as other
}

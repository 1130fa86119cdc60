package aifix.confinement_test

import data.aifix.confinement
import data.aifix.support_test as support

denied(before, after) := {trim_prefix(path, "spec.template.spec.containers[app].securityContext.") |
	some path in support.paths(verdicts)
} if {
	change := support.change(support.with_context(before), support.with_context(after))
	verdicts := confinement.deny with input as change
}

test_each_loss_is_denied if {
	denied({}, {"seccompProfile": {"type": "Unconfined"}}) == {"seccompProfile"}
	denied({}, {"appArmorProfile": {"type": "Unconfined"}}) == {"appArmorProfile"}
	denied({}, {"procMount": "Unmasked"}) == {"procMount"}
	denied({}, {"seLinuxOptions": {"type": "spc_t"}}) == {"seLinuxOptions"}
}

test_what_was_so_before_and_what_confines_is_fine if {
	denied({"procMount": "Unmasked"}, {"procMount": "Unmasked"}) == set()
	denied({}, {"seccompProfile": {"type": "RuntimeDefault"}, "seLinuxOptions": {"type": "container_t"}}) == set()
	denied({"seccompProfile": {"type": "Unconfined"}}, {}) == set()
}

pod(type) := support.deployment({
	"securityContext": {"seccompProfile": {"type": type}},
	"containers": [{"name": "app"}],
})

test_the_pod_speaks_for_its_containers if {
	count(confinement.deny) == 1 with input as support.change(pod("RuntimeDefault"), pod("Unconfined"))
}

annotated(value) := object.union(support.with_container({}), {"spec": {"template": {
	"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/app": value}},
	"spec": {"containers": [{"name": "app"}]},
}}})

test_an_annotation_lifts_apparmor_too if {
	count(confinement.deny) == 1 with input as support.change(annotated("runtime/default"), annotated("unconfined"))
	count(confinement.deny) == 0 with input as support.change(annotated("unconfined"), annotated("unconfined"))
	count(confinement.deny) == 0 with input as support.change(annotated("unconfined"), annotated("runtime/default"))
}

with_sysctl(name) := support.deployment({"securityContext": {"sysctls": [{"name": name, "value": "1"}]}})

test_only_safe_sysctls_may_come if {
	count(confinement.deny) == 1 with input as support.change(support.deployment({}), with_sysctl("kernel.msgmax"))
	count(confinement.deny) == 0 with input as support.change(support.deployment({}), with_sysctl("net.ipv4.tcp_syncookies"))
	count(confinement.deny) == 0 with input as support.change(with_sysctl("kernel.msgmax"), with_sysctl("kernel.msgmax"))
}

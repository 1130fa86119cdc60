# METADATA
# title: No container is let out of its confinement
# description: >-
#   Seccomp, AppArmor, SELinux and the masks of /proc stop what a program has no business with in the
#   kernel. Sysctls that are not known to be safe reach the node and its other pods.
# custom:
#   severity: critical
#   term: Pod Security, Seccomp, AppArmor, SELinux, /proc Mount Type, Sysctls
package aifix.confinement

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	some container in kubernetes.containers(change.after)
	before := context(change.before, kubernetes.container_named(change.before, container.name))
	after := context(change.after, container.spec)
	some loss in (losses(after) - losses(before))
	path := sprintf("%s.securityContext.%s", [container.path, loss[0]])
	verdict := kubernetes.verdict(change, path, sprintf("container %s %s", [container.name, loss[1]]))
}

# Before Kubernetes 1.30 AppArmor was told by annotations.
deny contains verdict if {
	some change in input.changes
	some mark in kubernetes.marks(change.after)
	startswith(mark[1], "container.apparmor.security.beta.kubernetes.io/")
	mark[2] == "unconfined"
	not mark in kubernetes.marks(change.before)
	verdict := kubernetes.verdict(change, sprintf("%s.annotations", [mark[0]]), "AppArmor no longer confines it")
}

# https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline
deny contains verdict if {
	some change in input.changes
	some name in (sysctls(change.after) - sysctls(change.before))
	not name in safe
	path := sprintf("%s.securityContext.sysctls", [kubernetes.pod_path(change.after)])
	verdict := kubernetes.verdict(change, path, sprintf("its pods set the sysctl %s, which is not known to be safe", [name]))
}

# What holds for a container: its own securityContext over that of its pod.
context(resource, container) := object.union(
	kubernetes.map_at(kubernetes.pod_spec(resource), "securityContext"),
	kubernetes.map_at(container, "securityContext"),
)

losses(after) := union({
	{[field, sprintf("is no longer confined (%s)", [field])] |
		some field in ["seccompProfile", "appArmorProfile"]
		kubernetes.map_at(after, field).type == "Unconfined"
	},
	{["procMount", "sees all of /proc"] | after.procMount == "Unmasked"},
	{["seLinuxOptions", sprintf("runs as the SELinux %s %s", [field, value])] |
		some field in ["user", "role", "type"]
		value := kubernetes.map_at(after, "seLinuxOptions")[field]
		not value in {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
	},
})

sysctls(resource) := {sysctl.name |
	security := kubernetes.map_at(kubernetes.pod_spec(resource), "securityContext")
	some sysctl in kubernetes.list_at(security, "sysctls")
}

safe := {
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_syncookies",
}

# METADATA
# title: Stored data stays where it is
# description: >-
#   A pod that does not find its volume starts with an empty one, and what it writes there is gone with
#   it. A claim whose volume is deleted with it can't be had back.
# custom:
#   severity: critical
#   term: volumes, persistentVolumeReclaimPolicy, readOnly
package aifix.data_kept

import data.aifix.kubernetes

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some name in (claims(change.before) - claims(change.after))
	path := sprintf("%s.volumes[%s]", [kubernetes.pod_path(change.after), name])
	verdict := kubernetes.verdict(change, path, sprintf("its volume %s is no longer that of a claim", [name]))
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some name in (templates(change.before) - templates(change.after))
	verdict := kubernetes.verdict(change, "spec.volumeClaimTemplates", sprintf("its pods lose the claim %s", [name]))
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some path in [
		["reclaimPolicy"],
		["spec", "persistentVolumeReclaimPolicy"],
		["spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"],
		["spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"],
	]
	object.get(change.after, path, "") == "Delete"
	object.get(change.before, path, "") != "Delete"
	verdict := kubernetes.verdict(change, concat(".", path), "its data is deleted with what uses it")
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some mount in (read_only(change.before) - read_only(change.after))
	mount in mounts(change.after)
	path := sprintf("%s.containers[%s].volumeMounts", [kubernetes.pod_path(change.after), mount[0]])
	verdict := kubernetes.verdict(change, path, sprintf("container %s may write to %s", [mount[0], mount[1]]))
}

claims(resource) := {volume.name |
	some volume in kubernetes.list_at(kubernetes.pod_spec(resource), "volumes")
	some source in ["persistentVolumeClaim", "ephemeral"]
	volume[source]
}

templates(resource) := {template.metadata.name |
	some template in kubernetes.list_at(kubernetes.map_at(resource, "spec"), "volumeClaimTemplates")
}

# `[container, mountPath]`
mounts(resource) := {[container.name, mount.mountPath] |
	some container in kubernetes.containers(resource)
	some mount in kubernetes.list_at(container.spec, "volumeMounts")
}

read_only(resource) := {[container.name, mount.mountPath] |
	some container in kubernetes.containers(resource)
	some mount in kubernetes.list_at(container.spec, "volumeMounts")
	mount.readOnly == true
}

package aifix.data_kept_test

import data.aifix.data_kept
import data.aifix.support_test as support

denied(before, after) := support.messages(verdicts) if {
	verdicts := data_kept.deny with input as support.change(before, after)
}

with_volume(source) := support.deployment({"volumes": [object.union({"name": "data"}, source)]})

claim(name) := {"persistentVolumeClaim": {"claimName": name}}

test_a_claim_that_becomes_an_empty_folder_is_denied if {
	message := "its volume data is no longer that of a claim"
	denied(with_volume(claim("db")), with_volume({"emptyDir": {}})) == {message}
	denied(with_volume(claim("db")), support.deployment({})) == {message}
	denied(with_volume({"ephemeral": {}}), with_volume({"emptyDir": {}})) == {message}
}

test_another_claim_and_other_volumes_are_fine if {
	denied(with_volume(claim("bd")), with_volume(claim("db"))) == set()
	denied(with_volume({"emptyDir": {}}), with_volume({"configMap": {"name": "c"}})) == set()
}

templates(names) := {"volumeClaimTemplates": [{"metadata": {"name": name}} | some name in names]}

test_the_claims_of_a_set_stay if {
	before := support.with_spec("StatefulSet", templates(["data"]))
	denied(before, support.with_spec("StatefulSet", templates([]))) == {"its pods lose the claim data"}
	denied(before, before) == set()
}

policy(value) := support.with_spec("PersistentVolume", {"persistentVolumeReclaimPolicy": value})

class(value) := support.resource("StorageClass", {"reclaimPolicy": value})

set_policy(value) := support.with_spec("StatefulSet", {"persistentVolumeClaimRetentionPolicy": {"whenScaled": value}})

test_what_deletes_data_later_is_denied if {
	denied(policy("Retain"), policy("Delete")) == {"its data is deleted with what uses it"}
	denied(policy("Delete"), policy("Delete")) == set()
	denied(policy("Delete"), policy("Retain")) == set()
	count(denied(class("Retain"), class("Delete"))) == 1
	count(denied(set_policy("Retain"), set_policy("Delete"))) == 1
}

mounting(fields) := support.with_container({"volumeMounts": [object.union({"name": "c", "mountPath": "/etc/c"}, fields)]})

test_a_read_only_mount_stays_read_only if {
	denied(mounting({"readOnly": true}), mounting({})) == {"container app may write to /etc/c"}
	denied(mounting({}), mounting({})) == set()
	denied(mounting({}), mounting({"readOnly": true})) == set()
	denied(mounting({"readOnly": true}), support.with_container({})) == set()
}

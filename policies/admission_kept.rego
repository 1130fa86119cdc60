# METADATA
# title: Admission checks stay on
# description: >-
#   A webhook that is down stops every change, and letting all through is the quick way out. It opens
#   the cluster to what the webhook was there to refuse.
# custom:
#   severity: critical
#   term: admission webhooks, ValidatingAdmissionPolicy
package aifix.admission_kept

import data.aifix.kubernetes

configurations := {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind in configurations
	some webhook in kubernetes.list_at(change.before, "webhooks")
	some loss in losses(webhook, webhook_named(change.after, webhook.name))
	verdict := kubernetes.verdict(change, sprintf("webhooks[%s]", [webhook.name]), sprintf("webhook %s %s", [webhook.name, loss]))
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind in {"ValidatingAdmissionPolicy", "MutatingAdmissionPolicy"}
	object.get(change.after.spec, "failurePolicy", "Fail") == "Ignore"
	object.get(change.before.spec, "failurePolicy", "Fail") != "Ignore"
	verdict := kubernetes.verdict(change, "spec.failurePolicy", "it lets through what it can't judge")
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind == "ValidatingAdmissionPolicyBinding"
	"Deny" in kubernetes.list_at(change.before.spec, "validationActions")
	not "Deny" in kubernetes.list_at(change.after.spec, "validationActions")
	verdict := kubernetes.verdict(change, "spec.validationActions", "it no longer denies")
}

losses(_, null) := {"is removed"}

losses(before, after) := union({
	{"lets through what it can't ask about (failurePolicy Ignore)" |
		after.failurePolicy == "Ignore"
		not before.failurePolicy == "Ignore"
	},
	{sprintf("asks about less (%s)", [field]) |
		some field in ["matchConditions", "namespaceSelector", "objectSelector", "rules"]
		object.get(after, field, null) != object.get(before, field, null)
	},
}) if {
	after != null
}

webhook_named(resource, name) := webhook if {
	some webhook in kubernetes.list_at(resource, "webhooks")
	webhook.name == name
} else := null

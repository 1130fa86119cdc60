package aifix.admission_kept_test

import data.aifix.admission_kept
import data.aifix.support_test as support

configured(webhooks) := support.resource("ValidatingWebhookConfiguration", {"webhooks": webhooks})

denied(before, after) := support.messages(verdicts) if {
	verdicts := admission_kept.deny with input as support.change(configured(before), configured(after))
}

webhook(fields) := object.union({"name": "w", "failurePolicy": "Fail", "rules": [{"operations": ["CREATE"]}]}, fields)

test_a_weaker_webhook_is_denied if {
	denied([webhook({})], [webhook({"failurePolicy": "Ignore"})]) == {"webhook w lets through what it can't ask about (failurePolicy Ignore)"}
	denied([webhook({})], [webhook({"rules": []})]) == {"webhook w asks about less (rules)"}
	denied([webhook({})], []) == {"webhook w is removed"}
}

test_what_stays_so_and_another_address_is_fine if {
	ignored := webhook({"failurePolicy": "Ignore"})
	denied([ignored], [ignored]) == set()
	denied([webhook({})], [webhook({"clientConfig": {"service": {"name": "guard"}}, "timeoutSeconds": 5})]) == set()
	denied([webhook({})], [webhook({}), webhook({"name": "other"})]) == set()
}

of_policy(kind, before, after) := support.paths(verdicts) if {
	change := support.change(support.with_spec(kind, before), support.with_spec(kind, after))
	verdicts := admission_kept.deny with input as change
}

test_a_weaker_admission_policy_is_denied if {
	of_policy("ValidatingAdmissionPolicy", {}, {"failurePolicy": "Ignore"}) == {"spec.failurePolicy"}
	of_policy("ValidatingAdmissionPolicy", {"failurePolicy": "Ignore"}, {"failurePolicy": "Ignore"}) == set()
	binding := "ValidatingAdmissionPolicyBinding"
	of_policy(binding, {"validationActions": ["Deny"]}, {"validationActions": ["Warn"]}) == {"spec.validationActions"}
	of_policy(binding, {"validationActions": ["Warn"]}, {"validationActions": ["Audit"]}) == set()
}

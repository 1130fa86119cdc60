package aifix.secret_literal_test

import data.aifix.secret_literal
import data.aifix.support_test as support

env(variables) := support.with_container({"env": variables})

test_a_new_literal_is_denied if {
	change := support.change(env([]), env([{"name": "DB_PASSWORD", "value": "<secret>"}]))
	denied := secret_literal.deny with input as change
	support.paths(denied) == {"spec.template.spec.containers[app].env[DB_PASSWORD].value"}
}

test_a_reference_is_fine if {
	reference := {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "p"}}}
	count(secret_literal.deny) == 0 with input as support.change(env([]), env([reference]))
}

test_where_a_secret_is_is_no_secret if {
	every name in ["DB_PASSWORD_FILE", "TOKEN_URL", "MODE"] {
		count(secret_literal.deny) == 0 with input as support.change(env([]), env([{"name": name, "value": "x"}]))
	}
}

test_one_that_was_there_is_not_blamed_on_the_change if {
	same := env([{"name": "API_TOKEN", "value": "<secret>"}])
	count(secret_literal.deny) == 0 with input as support.change(same, same)
}

test_a_manifest_that_is_looked_at_gets_a_warning if {
	manifest := support.check(env([{"name": "API_TOKEN", "value": "<secret>"}]))
	count(secret_literal.deny) == 0 with input as manifest
	count(secret_literal.warn) == 1 with input as manifest
}

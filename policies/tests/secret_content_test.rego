package aifix.secret_content_test

import data.aifix.secret_content
import data.aifix.support_test as support

secret(fields) := support.resource("Secret", fields)

denied(before, after) := support.messages(verdicts) if {
	verdicts := secret_content.deny with input as support.change(before, after)
}

test_a_value_that_comes_or_changes_is_denied if {
	denied(secret({"data": {"p": "<secret:1>"}}), secret({"data": {"p": "<secret:2>"}})) == {"its key p gets a value from Git"}
	denied(secret({}), secret({"stringData": {"p": "x"}})) == {"its key p gets a value from Git"}
	denied(null, secret({"data": {"p": "x"}})) == {"its key p gets a value from Git"}
}

test_a_value_that_stays_is_fine if {
	denied(secret({"data": {"p": "x"}}), secret({"data": {"p": "x"}, "type": "Opaque"})) == set()
	denied(support.resource("ConfigMap", {"data": {"p": "x"}}), support.resource("ConfigMap", {"data": {"p": "y"}})) == set()
}

test_a_secret_in_git_is_named_unless_it_is_encrypted if {
	count(secret_content.warn) == 1 with input as support.check(secret({"data": {"p": "x"}}))
	count(secret_content.deny) == 0 with input as support.check(secret({"data": {"p": "x"}}))
	count(secret_content.warn) == 0 with input as support.check(secret({"data": {"p": "x"}, "sops": {"mac": "m"}}))
	count(secret_content.warn) == 0 with input as support.change(secret({"data": {"p": "x"}}), secret({"data": {"p": "x"}}))
}

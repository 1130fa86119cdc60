package aifix.model_text_test

import data.aifix.model_text
import data.aifix.support_test as support

by(author, old, new) := object.union(
	support.change(support.with_container({"args": [old]}), support.with_container({"args": [new]})),
	{"author": author, "intent": {"edits": [{"path": [], "op": "set", "old": old, "new": [new]}]}},
)

denied(author, old, new) := support.messages(verdicts) if {
	verdicts := model_text.deny with input as by(author, old, new) with data.aifix.model as {"text_length": 40}
}

test_what_fetches_or_runs_something_is_denied if {
	every words in ["curl -s a", "x; wget a", "a | sh", "$(id -u)", "`id`", "nc -l 1"] {
		count(denied("model", "/app", words)) == 1
	}
}

test_a_new_address_is_denied if {
	denied("model", "http://db:80/x", "http://evil.io/x") == {"a model wrote the address http://evil.io, which was not there"}
	denied("model", "http://db:80/x", "http://db:80/y") == set()
}

test_what_can_not_be_seen_or_is_too_long_is_denied if {
	denied("model", "a", "a\u202eb") == {"a model wrote characters that can't be seen"}
	denied("model", "a", "a\u0007") == {"a model wrote characters that can't be seen"}
	denied("model", "a", concat("", [concat("", ["aaaaaaaaaa", "bbbbbbbbbb"]), "cccccccccc", "dddddddddde"])) == {"a model wrote a value of 41 characters"}
}

test_plain_words_and_what_was_there_are_fine if {
	denied("model", "/ap", "/app --port=$(PORT) --url db:5432") == set()
	denied("model", "curl -s a", "curl -s b") == set()
	denied("model", "a", "Grüße\tan alle") == set()
}

test_others_are_not_bound_by_it if {
	denied("person", "/app", "curl -s http://a.io") == set()
}

test_only_the_intended_object_is_the_models if {
	some change in by("model", "a", "curl -s b").changes
	bystander := object.union(by("model", "a", "curl -s b"), {"changes": [object.union(change, {"intended": false})]})
	count(model_text.deny) == 0 with input as bystander
}

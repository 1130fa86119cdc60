package aifix.failure_hidden_test

import data.aifix.failure_hidden
import data.aifix.support_test as support

running(command) := support.with_container({"command": command})

by(author, before, after) := object.union(support.change(before, after), {"author": author})

denied(before, after) := support.messages(verdicts) if {
	verdicts := failure_hidden.deny with input as by("model", running(before), running(after))
}

test_what_hides_a_failure_is_denied if {
	every command, what in {
		["sleep", "infinity"]: "only sleeps",
		["sh", "-c", "/app; sleep 86400"]: "only sleeps",
		["tail", "-f", "/dev/null"]: "only waits",
		["sh", "-c", "/app || true"]: "ends well whatever happens",
		["sh", "-c", "/app; exit 0"]: "ends well whatever happens",
		["sh", "-c", "set +e; /app"]: "goes on after an error",
	} {
		denied(["/app"], command) == {sprintf("container app %s", [what])}
	}
}

test_the_arguments_count_too if {
	change := by("model", support.with_container({"args": ["/app"]}), support.with_container({"args": ["sleep", "inf"]}))
	count(failure_hidden.deny) == 1 with input as change
}

test_a_program_and_what_was_so_before_is_fine if {
	denied(["/ap"], ["/app", "--interval", "sleep"]) == set()
	denied(["/ap"], ["sh", "-c", "sleep 5; /app"]) == set()
	denied(["sleep", "infinity"], ["sleep", "infinity"]) == set()
	denied(["sleep", "infinity"], ["/app"]) == set()
}

asleep(author) := by(author, running(["/app"]), running(["sleep", "infinity"]))

test_a_person_may_approve_it_and_what_ran_before_comes_back if {
	count(failure_hidden.needs_approval) == 1 with input as asleep("person")
	count(failure_hidden.deny) == 0 with input as asleep("person")
	count(failure_hidden.needs_approval) == 0 with input as asleep("model")
	count(failure_hidden.needs_approval) == 0 with input as asleep("rule")
	count(failure_hidden.deny) == 0 with input as asleep("rule")
}

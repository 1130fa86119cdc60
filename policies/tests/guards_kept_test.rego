package aifix.guards_kept_test

import data.aifix.guards_kept
import data.aifix.support_test as support

guards := {"off": ["ignore-me", "inject=false"], "on": ["inject=true"]}

denied(before, after) := support.messages(verdicts) if {
	verdicts := guards_kept.deny with input as support.change(before, after) with data.aifix.guards as guards
}

labelled(labels) := support.resource("Deployment", {"metadata": {"labels": labels}})

with_pods(annotations) := support.with_spec("Deployment", {"template": {"metadata": {"annotations": annotations}}})

test_who_opts_out_is_denied if {
	denied(labelled({}), labelled({"ignore-me": "x"})) == {"ignore-me=x takes it out of what guards it"}
	denied(with_pods({}), with_pods({"inject": "false"})) == {"inject=false takes it out of what guards it"}
	denied(labelled({"inject": "true"}), labelled({})) == {"it loses inject=true, which puts it under a guard"}
}

test_what_was_so_before_and_other_marks_are_fine if {
	denied(labelled({"ignore-me": "x"}), labelled({"ignore-me": "x"})) == set()
	denied(labelled({}), labelled({"inject": "true", "app": "web"})) == set()
	denied(labelled({"ignore-me": "x"}), labelled({})) == set()
}

test_the_written_names_are_read if {
	change := support.change(labelled({}), labelled({"sidecar.istio.io/inject": "false"}))
	count(guards_kept.deny) == 1 with input as change
}

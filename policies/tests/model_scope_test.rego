package aifix.model_scope_test

import data.aifix.model_scope
import data.aifix.support_test as support

by(author, disposition, kind, fields) := object.union(
	support.change(support.with_spec(kind, {"a": 1}), support.with_spec(kind, {"a": 2})),
	{
		"author": author,
		"disposition": disposition,
		"intent": {"edits": [{"path": [{"field": "spec"}, {"field": field}], "op": "set", "new": 2} | some field in fields]},
	},
)

denied(author, disposition, kind, fields) := support.messages(verdicts) if {
	verdicts := model_scope.deny with input as by(author, disposition, kind, fields) with data.aifix.model as {"edits": 2}
}

test_what_a_model_may_not_change_is_denied if {
	denied("model", "safe", "Deployment", ["image"]) == {"a model's change is never safe by itself"}
	denied("model", "review", "ClusterRole", ["rules"]) == {"a model does not change a ClusterRole"}
	denied("model", "review", "Deployment", ["securityContext"]) == {"a model does not change securityContext"}
	denied("model", "review", "Deployment", ["a", "b", "c"]) == {"a model changes 3 fields at once"}
}

test_a_field_of_a_workload_is_fine if {
	denied("model", "review", "Deployment", ["image", "args"]) == set()
}

test_others_are_not_bound_by_it if {
	denied("rule", "safe", "Role", ["a", "b", "c"]) == set()
	denied("person", "review", "Deployment", ["securityContext"]) == set()
}

test_only_the_intended_object_is_the_models if {
	some change in by("model", "review", "Role", ["a"]).changes
	bystander := object.union(by("model", "review", "Role", ["a"]), {"changes": [object.union(change, {"intended": false})]})
	count(model_scope.deny) == 0 with input as bystander
}

# Fixtures for the tests of the policies.
package aifix.support_test

# A Deployment whose pod template has this spec.
deployment(pod) := {
	"apiVersion": "apps/v1",
	"kind": "Deployment",
	"metadata": {"name": "web", "namespace": "shop"},
	"spec": {"template": {"spec": pod}},
}

# A Deployment with one container `app` that has these fields.
with_container(fields) := deployment({"containers": [object.union({"name": "app", "image": "r.io/app:1"}, fields)]})

with_context(context) := with_container({"securityContext": context})

object_of(resource) := {
	"kind": resource.kind,
	"namespace": object.get(resource.metadata, "namespace", ""),
	"name": resource.metadata.name,
}

change(before, after) := {"mode": "change", "changes": [{
	"object": object_of(after),
	"before": before,
	"after": after,
	"intended": true,
	"companion": false,
}]}

check(after) := {"mode": "check", "changes": [{
	"object": object_of(after),
	"before": null,
	"after": after,
	"intended": true,
	"companion": false,
}]}

messages(verdicts) := {verdict.message | some verdict in verdicts}

paths(verdicts) := {verdict.path | some verdict in verdicts}

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
	"group": group(object.get(resource, "apiVersion", "v1")),
	"kind": resource.kind,
	"namespace": object.get(resource.metadata, "namespace", ""),
	"name": resource.metadata.name,
}

group(version) := split(version, "/")[0] if {
	contains(version, "/")
} else := ""

change(before, after) := {"mode": "change", "changes": [{
	"object": object_of(after),
	"before": before,
	"after": after,
	"intended": true,
	"companion": false,
}]}

# A revert from `before` to `after`, which an object was, too, before the commit that is taken back.
revert(before, after, good) := object.union(change(before, after), {
	"reverts": {"id": "c0ffee", "subject": "s", "author": "Ada", "at": null},
	"changes": [object.union(change(before, after).changes[0], {"good": good})],
})

check(after) := {"mode": "check", "changes": [{
	"object": object_of(after),
	"before": null,
	"after": after,
	"intended": true,
	"companion": false,
}]}

# An object of this kind with this spec.
with_spec(kind, spec) := resource(kind, {"spec": spec})

resource(kind, fields) := object.union({"kind": kind, "metadata": {"name": "x", "namespace": "shop"}}, fields)

# The same change as the fix of a failure with this code.
fixing(code, change_of_it) := object.union(change_of_it, {"finding": {"code": code}})

messages(verdicts) := {verdict.message | some verdict in verdicts}

paths(verdicts) := {verdict.path | some verdict in verdicts}

package aifix.kubernetes_test

import data.aifix.kubernetes
import data.aifix.support_test as support

pod := {"containers": [{"name": "app", "image": "r.io/app:1"}], "initContainers": [{"name": "init"}]}

made(kind, name) := {"kind": kind, "metadata": {"labels": {"made": name}}}

template(name) := object.union(made("", name), {"spec": pod})

kinds := {
	"spec": object.union(made("Pod", "pod"), {"spec": pod}),
	"spec.template.spec": object.union(made("Deployment", "none"), {"spec": {"template": template("deployment")}}),
	"spec.jobTemplate.spec.template.spec": object.union(
		made("CronJob", "none"),
		{"spec": {"jobTemplate": {"spec": {"template": template("cron")}}}},
	),
	"template.spec": object.union(made("PodTemplate", "none"), {"template": template("template")}),
}

test_the_pods_of_every_kind_are_found if {
	every path, resource in kinds {
		kubernetes.pod_path(resource) == path
		kubernetes.pod_spec(resource) == pod
		paths := {container.path | some container in kubernetes.containers(resource)}
		paths == {sprintf("%s.containers[app]", [path]), sprintf("%s.initContainers[init]", [path])}
	}
	kubernetes.pod_spec({"kind": "Service", "spec": {}}) == {}
}

test_the_marks_of_an_object_and_its_pods_are_found if {
	cron := kinds["spec.jobTemplate.spec.template.spec"]
	kubernetes.marks(cron) == {["metadata", "made", "none"], ["spec.jobTemplate.spec.template.metadata", "made", "cron"]}
	kubernetes.marks(kinds.spec) == {["metadata", "made", "pod"]}
	kubernetes.marks(support.resource("Service", {})) == set()
}

test_a_share_is_rounded_down if {
	kubernetes.share(3, 10) == 3
	kubernetes.share("25%", 10) == 2
	kubernetes.replicas({"spec": {}}) == 1
	kubernetes.replicas({"spec": {"replicas": 0}}) == 0
}

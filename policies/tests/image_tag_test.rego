package aifix.image_tag_test

import data.aifix.image_tag
import data.aifix.support_test as support

image(name) := support.with_container({"image": name})

test_latest_is_denied if {
	denied := image_tag.deny with input as support.change(image("r.io/app:1"), image("r.io/app:latest"))
	support.paths(denied) == {"spec.template.spec.containers[app].image"}
}

test_no_tag_is_latest if {
	count(image_tag.deny) == 1 with input as support.check(image("r.io:5000/app"))
}

test_a_new_object_with_latest_is_denied if {
	count(image_tag.deny) == 1 with input as support.change(null, image("app:latest"))
}

test_latest_that_was_there_is_a_warning if {
	change := support.change(image("app:latest"), image("app:latest"))
	count(image_tag.deny) == 0 with input as change
	count(image_tag.warn) == 1 with input as change
}

test_a_tag_and_a_digest_are_fine if {
	every name in ["app:1.2", "r.io:5000/team/app:1.2", "app:latest@sha256:0123", "r.io/app@sha256:0123"] {
		count(image_tag.deny) == 0 with input as support.check(image(name))
	}
}

test_init_containers_and_cron_jobs_count if {
	pod := {"initContainers": [{"name": "wait", "image": "busybox"}], "containers": []}
	job := {"kind": "CronJob", "metadata": {"name": "j"}, "spec": {"jobTemplate": {"spec": {"template": {"spec": pod}}}}}
	denied := image_tag.deny with input as support.check(job)
	support.paths(denied) == {"spec.jobTemplate.spec.template.spec.initContainers[wait].image"}
}

package aifix.image_registry_test

import data.aifix.image_registry
import data.aifix.support_test as support

image(name) := support.with_container({"image": name})

test_another_registry_needs_approval if {
	change := support.change(image("r.io/app:1"), image("evil.example/app:1"))
	count(image_registry.needs_approval) == 1 with input as change
}

test_a_new_tag_does_not if {
	every pair in [["r.io/app:1", "r.io/app:2"], ["app:1", "docker.io/app:1"], ["team/app:1", "library/app:1"]] {
		change := support.change(image(pair[0]), image(pair[1]))
		count(image_registry.needs_approval) == 0 with input as change
	}
}

test_localhost_and_ports_are_registries if {
	change := support.change(image("app:1"), image("localhost/app:1"))
	count(image_registry.needs_approval) == 1 with input as change
}

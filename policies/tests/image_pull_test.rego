package aifix.image_pull_test

import data.aifix.image_pull
import data.aifix.support_test as support

pulled(policy) := support.with_container({"imagePullPolicy": policy})

test_an_image_that_is_never_pulled_is_denied if {
	count(image_pull.deny) == 1 with input as support.change(pulled("Always"), pulled("Never"))
	count(image_pull.deny) == 1 with input as support.check(pulled("Never"))
	count(image_pull.deny) == 0 with input as support.change(pulled("Never"), pulled("Never"))
	count(image_pull.deny) == 0 with input as support.change(pulled("Never"), pulled("IfNotPresent"))
}

test_an_image_that_is_pulled_less_is_named if {
	count(image_pull.warn) == 1 with input as support.change(pulled("Always"), pulled("IfNotPresent"))
	count(image_pull.warn) == 0 with input as support.change(pulled("Never"), pulled("IfNotPresent"))
	count(image_pull.warn) == 0 with input as support.change(pulled("IfNotPresent"), pulled("IfNotPresent"))
}

runs(image) := support.with_container({"image": image})

test_a_lost_digest_needs_approval if {
	count(image_pull.needs_approval) == 1 with input as support.change(runs("web@sha256:aa"), runs("web:1"))
	count(image_pull.needs_approval) == 0 with input as support.change(runs("web@sha256:aa"), runs("web@sha256:bb"))
	count(image_pull.needs_approval) == 0 with input as support.change(runs("web:1"), runs("web:2"))
	count(image_pull.needs_approval) == 0 with input as support.change(runs("web:1"), runs("web@sha256:bb"))
}

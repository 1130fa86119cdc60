package aifix.job_bounds_test

import data.aifix.job_bounds
import data.aifix.support_test as support

denied(kind, before, after) := support.paths(verdicts) if {
	change := support.change(support.with_spec(kind, before), support.with_spec(kind, after))
	verdicts := job_bounds.deny with input as change with data.aifix.jobs as {"backoff_limit": 10}
}

test_a_job_without_end_is_denied if {
	denied("Job", {"activeDeadlineSeconds": 60}, {}) == {"spec.activeDeadlineSeconds"}
	denied("Job", {"activeDeadlineSeconds": 60}, {"activeDeadlineSeconds": 241}) == {"spec.activeDeadlineSeconds"}
	denied("Job", {}, {"backoffLimit": 11}) == {"spec.backoffLimit"}
	denied("CronJob", {"concurrencyPolicy": "Forbid"}, {}) == {"spec.concurrencyPolicy"}
}

test_a_step_and_what_was_so_before_is_fine if {
	denied("Job", {"activeDeadlineSeconds": 60}, {"activeDeadlineSeconds": 120}) == set()
	denied("Job", {}, {"activeDeadlineSeconds": 60, "backoffLimit": 10}) == set()
	denied("Job", {"backoffLimit": 50}, {"backoffLimit": 50}) == set()
	denied("CronJob", {}, {"concurrencyPolicy": "Forbid"}) == set()
	denied("CronJob", {"concurrencyPolicy": "Allow"}, {}) == set()
	denied("Foo", {"activeDeadlineSeconds": 60}, {}) == set()
}

test_the_jobs_of_a_cron_job_are_bounded_alike if {
	before := {"jobTemplate": {"spec": {"activeDeadlineSeconds": 60}}}
	denied("CronJob", before, {"jobTemplate": {"spec": {}}}) == {"spec.jobTemplate.spec.activeDeadlineSeconds"}
}

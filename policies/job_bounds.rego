# METADATA
# title: A Job still ends
# description: >-
#   Deadlines and retries bound what a Job that can't succeed may cost, and a schedule that waits for the
#   last run keeps runs from piling up.
# custom:
#   severity: error
#   term: activeDeadlineSeconds, backoffLimit, concurrencyPolicy
package aifix.job_bounds

import data.aifix.kubernetes

deny contains verdict if {
	some change in jobs
	field := "activeDeadlineSeconds"
	before := job(change.before)[field]
	after := object.get(job(change.after), field, "no deadline")
	not within(before, after)
	verdict := kubernetes.verdict(change, sprintf("%s.%s", [place(change.after), field]), sprintf("its deadline goes from %v s to %v", [before, after]))
}

deny contains verdict if {
	some change in jobs
	some field in ["backoffLimit", "backoffLimitPerIndex"]
	after := job(change.after)[field]
	after > object.get(job(change.before), field, 6)
	after > data.aifix.jobs.backoff_limit
	verdict := kubernetes.verdict(change, sprintf("%s.%s", [place(change.after), field]), sprintf("it is tried %v times", [after]))
}

deny contains verdict if {
	some change in jobs
	change.object.kind == "CronJob"
	before := object.get(change.before.spec, "concurrencyPolicy", "Allow")
	before != "Allow"
	object.get(change.after.spec, "concurrencyPolicy", "Allow") == "Allow"
	verdict := kubernetes.verdict(change, "spec.concurrencyPolicy", "its runs may pile up")
}

within(before, after) if {
	is_number(after)
	after <= before * data.aifix.growth.factor
}

jobs contains change if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind in {"CronJob", "Job"}
}

job(resource) := resource.spec.jobTemplate.spec if {
	resource.kind == "CronJob"
} else := resource.spec

place(resource) := "spec.jobTemplate.spec" if {
	resource.kind == "CronJob"
} else := "spec"

# METADATA
# title: A model changes only what a workload runs with
# description: >-
#   A model reads logs that anybody may write to. What it thinks of stays within a few fields of the
#   failing object, away from rights, and always waits for a person.
# custom:
#   severity: critical
#   term: text written by a model
package aifix.model_scope

import data.aifix.kubernetes

deny contains verdict if {
	input.author == "model"
	not input.disposition == "review"
	some change in intended
	verdict := kubernetes.verdict(change, "", "a model's change is never safe by itself")
}

deny contains verdict if {
	input.author == "model"
	some change in intended
	not change.object.kind in kinds
	verdict := kubernetes.verdict(change, "", sprintf("a model does not change a %s", [change.object.kind]))
}

deny contains verdict if {
	input.author == "model"
	some change in intended
	count(input.intent.edits) > data.aifix.model.edits
	verdict := kubernetes.verdict(change, "", sprintf("a model changes %v fields at once", [count(input.intent.edits)]))
}

deny contains verdict if {
	input.author == "model"
	some change in intended
	some edit in input.intent.edits
	some step in edit.path
	step.field in guarded
	verdict := kubernetes.verdict(change, step.field, sprintf("a model does not change %s", [step.field]))
}

intended contains change if {
	some change in input.changes
	change.intended == true
}

kinds := {
	"ConfigMap",
	"CronJob",
	"DaemonSet",
	"Deployment",
	"HorizontalPodAutoscaler",
	"Ingress",
	"Job",
	"PersistentVolumeClaim",
	"Pod",
	"ReplicaSet",
	"ReplicationController",
	"Rollout",
	"Service",
	"StatefulSet",
}

guarded := {
	"automountServiceAccountToken",
	"hostAliases",
	"hostIPC",
	"hostNetwork",
	"hostPID",
	"hostPath",
	"hostPort",
	"hostUsers",
	"imagePullSecrets",
	"lifecycle",
	"nodeName",
	"ownerReferences",
	"priorityClassName",
	"runtimeClassName",
	"securityContext",
	"serviceAccount",
	"serviceAccountName",
	"tolerations",
}

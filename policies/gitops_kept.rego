# METADATA
# title: Git stays what decides
# description: >-
#   A controller that no longer reconciles, another source, or one that is not verified any more, makes
#   a failing sync go away and leaves Git without a say.
# custom:
#   severity: error
#   term: Flux, Argo CD
package aifix.gitops_kept

import data.aifix.kubernetes

sources := {"Bucket", "GitRepository", "HelmRepository", "OCIRepository"}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some mark in (detached(change.after) - detached(change.before))
	verdict := kubernetes.verdict(change, mark[0], sprintf("%s takes it out of Git's hands", [mark[1]]))
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind in sources
	some loss in losses(change.before.spec, change.after.spec)
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [loss]), sprintf("its source is trusted more than before (%s)", [loss]))
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind == "Kustomization"
	some field in ["force", "prune"]
	change.after.spec[field] == true
	not change.before.spec[field] == true
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [field]), "it may delete objects that it left alone before")
}

deny contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	change.object.kind == "Application"
	kubernetes.map_at(change.before.spec, "syncPolicy").automated
	not kubernetes.map_at(change.after.spec, "syncPolicy").automated
	verdict := kubernetes.verdict(change, "spec.syncPolicy.automated", "it no longer follows Git by itself")
}

# A typo in an address is a real failure, so a person may approve it.
needs_approval contains verdict if {
	some change in input.changes
	kubernetes.is_update(change)
	some path in [
		["url"],
		["endpoint"],
		["bucketName"],
		["source", "repoURL"],
		["destination"],
		["project"],
		["kubeConfig"],
		["targetNamespace"],
	]
	change.object.group in groups
	object.get(change.after.spec, path, null) != object.get(change.before.spec, path, null)
	verdict := kubernetes.verdict(change, sprintf("spec.%s", [concat(".", path)]), "it follows another source, or writes elsewhere")
}

groups := {
	"argoproj.io",
	"helm.toolkit.fluxcd.io",
	"kustomize.toolkit.fluxcd.io",
	"source.toolkit.fluxcd.io",
}

losses(before, after) := {"verify" |
	before.verify
	not after.verify
} | {"insecure" |
	after.insecure == true
	not before.insecure == true
}

# `[where, key=value]`
detached(resource) := {[where, pair] |
	some [where, key, value] in kubernetes.marks(resource)
	pair := sprintf("%s=%s", [key, value])
	pair in {
		"argocd.argoproj.io/compare-options=IgnoreExtraneous",
		"argocd.argoproj.io/skip-reconcile=true",
		"argocd.argoproj.io/sync-options=Prune=false",
		"kustomize.toolkit.fluxcd.io/prune=disabled",
		"kustomize.toolkit.fluxcd.io/reconcile=disabled",
		"kustomize.toolkit.fluxcd.io/ssa=Ignore",
		"kustomize.toolkit.fluxcd.io/ssa=IfNotPresent",
	}
}

package aifix.gitops_kept_test

import data.aifix.gitops_kept
import data.aifix.support_test as support

of(kind, group, spec) := object.union(support.with_spec(kind, spec), {"apiVersion": sprintf("%s/v1", [group])})

change(kind, group, before, after) := support.change(of(kind, group, before), of(kind, group, after))

denied(kind, group, before, after) := support.paths(verdicts) if {
	verdicts := gitops_kept.deny with input as change(kind, group, before, after)
}

flux := "source.toolkit.fluxcd.io"

test_a_source_that_is_trusted_more_is_denied if {
	denied("GitRepository", flux, {"verify": {"mode": "HEAD"}}, {}) == {"spec.verify"}
	denied("HelmRepository", flux, {}, {"insecure": true}) == {"spec.insecure"}
	denied("HelmRepository", flux, {"insecure": true}, {"insecure": true}) == set()
	denied("GitRepository", flux, {}, {"verify": {"mode": "HEAD"}}) == set()
	denied("Foo", flux, {}, {"insecure": true}) == set()
}

test_a_kustomization_that_may_delete_is_denied if {
	group := "kustomize.toolkit.fluxcd.io"
	denied("Kustomization", group, {"prune": false}, {"prune": true}) == {"spec.prune"}
	denied("Kustomization", group, {}, {"force": true}) == {"spec.force"}
	denied("Kustomization", group, {"prune": true}, {"prune": true, "path": "./apps"}) == set()
}

test_an_application_that_stops_following_is_denied if {
	automated := {"syncPolicy": {"automated": {"prune": false}}}
	denied("Application", "argoproj.io", automated, {}) == {"spec.syncPolicy.automated"}
	denied("Application", "argoproj.io", automated, automated) == set()
	denied("Application", "argoproj.io", {}, automated) == set()
}

source(url) := {"source": {"repoURL": url}}

test_another_address_needs_approval if {
	moved := change("GitRepository", flux, {"url": "https://a.io/x"}, {"url": "https://b.io/x"})
	count(gitops_kept.needs_approval) == 1 with input as moved
	repointed := change("Application", "argoproj.io", source("https://a.io/x"), source("https://b.io/x"))
	count(gitops_kept.needs_approval) == 1 with input as repointed
}

test_a_branch_or_a_path_does_not if {
	branch := change("GitRepository", flux, {"url": "u", "ref": {"branch": "mian"}}, {"url": "u", "ref": {"branch": "main"}})
	count(gitops_kept.needs_approval) == 0 with input as branch
	other := change("Foo", "example.org", {"url": "a"}, {"url": "b"})
	count(gitops_kept.needs_approval) == 0 with input as other
}

annotated(value) := support.resource("ConfigMap", {"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": value}}})

test_an_object_that_leaves_git_is_denied if {
	count(gitops_kept.deny) == 1 with input as support.change(annotated("enabled"), annotated("disabled"))
	count(gitops_kept.deny) == 0 with input as support.change(annotated("disabled"), annotated("disabled"))
}

//! A real model server: the wire holds, whatever it says.

use crate::kit::{Namespace, Repository, aifix, failing, faults, lab, wait};
use aifix::cluster::files;
use aifix::diagnose::diagnose;
use aifix::llm::material::{Field, Material};
use aifix::llm::prompt::LIMIT;
use aifix::llm::{Budget, Client, Prompt, Said, Settings};
use aifix::redact;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// A small model on a busy machine is slow; only silence is an error.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// `None`: `tests/lab/up` has said that there is no model server, and why.
pub(crate) fn client() -> Option<Client> {
    let url = lab("AIFIX_LAB_LLM_URL");
    if url.is_empty() {
        return None;
    }
    let mut settings = Settings::new(&url, "asked-for", None).unwrap();
    settings.deadline = PATIENCE;
    Some(Client::new(settings, &BTreeMap::new(), &BTreeSet::new()).unwrap())
}

/// A real memory kill, one field, and a long log.
fn material(lines: usize) -> Material {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded/oom-killed");
    let snapshot = files::load(&case, None).unwrap();
    let log: Vec<_> =
        (0..lines).map(|n| redact::text(&format!("2026-11-22T16:46:58Z request {n} took 1{n} ms"))).collect();
    let mut material = Material::new(&diagnose(&snapshot).findings[0], &log);
    material.fields = vec![Field {
        path: "spec.template.spec.containers[app].resources.limits.memory".to_owned(),
        current: redact::text("32Mi"),
        rule: redact::text("quantity, more than now"),
    }];
    material
}

#[tokio::test]
async fn the_schema_is_held_and_the_model_that_answered_is_named() {
    let Some(client) = client() else { return };
    let prompt = Prompt::build(&material(2), client.settings(), LIMIT);
    let answer = client.ask(&prompt, &mut Budget::of(1, PATIENCE)).await.unwrap();
    assert_eq!(answer.model, "lab");
    assert!(answer.usage.prompt > 100 && answer.usage.answer > 5, "{:?}", answer.usage);
    if let Said::Edit { path, .. } = answer.said {
        assert_eq!(path, material(0).fields[0].path);
    }
}

#[tokio::test]
async fn a_candidate_is_chosen_by_its_text_or_none_is() {
    let Some(client) = client() else { return };
    let mut material = material(2);
    material.candidates = vec!["limits.memory = 64Mi".to_owned(), "image = busybox:1.35".to_owned()];
    let prompt = Prompt::build(&material, client.settings(), LIMIT);
    let answer = client.ask(&prompt, &mut Budget::of(1, PATIENCE)).await.unwrap();
    assert!(matches!(answer.said, Said::Choice { .. } | Said::Nothing { .. }), "{:?}", answer.said);
}

#[tokio::test]
async fn the_largest_prompt_fits_a_context_of_4096_tokens() {
    let Some(client) = client() else { return };
    let prompt = Prompt::build(&material(3_000), client.settings(), LIMIT);
    let answer = client.ask(&prompt, &mut Budget::of(1, PATIENCE)).await.unwrap();
    assert!((2_000..3_700).contains(&answer.usage.prompt), "{:?}", answer.usage);
}

#[test]
fn whatever_a_weak_model_says_about_a_crash_loop_nothing_but_a_review_comes_out() {
    if lab("AIFIX_LAB_LLM_URL").is_empty() {
        return;
    }
    let namespace = Namespace::new("weak");
    let file = faults().join("crash-app-error.yaml");
    namespace.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let repository = Repository::new("weak", &[("ledger.yaml", std::fs::read_to_string(&file).unwrap())]);
    let work = repository.work();
    wait("the crash loop", Duration::from_secs(90), || {
        let found = failing(&aifix(&work, &["scan", "-n", &namespace.0, "-o", "json"]).json());
        if found == ["crash-app-error Deployment/ledger"] { Ok(()) } else { Err(format!("{found:?}")) }
    });
    let url = lab("AIFIX_LAB_LLM_URL");
    let ran = aifix(
        &work,
        &[
            &["propose", "deploy/ledger", "-n", &namespace.0, "--llm-url", &url][..],
            // It computes on one processor, beside other tests.
            &["--llm-budget-seconds", "600", "--push", "--yes", "-o", "json"],
        ]
        .concat(),
    );
    // An answer that can't be taken is refused (4); one that can waits for a person (7): --yes never pushes it.
    assert!(matches!(ran.code, 4 | 7), "{}\n{}\n{}", ran.code, ran.out, ran.err);
    assert_eq!(repository.git(&["ls-remote", "--heads", "origin"]).lines().count(), 1);
}

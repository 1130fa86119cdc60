//! The Git server asks who we are: without an answer nothing hangs and nothing is pushed.

use crate::kit::{Namespace, Repository, aifix, failing, faults, lab, wait};
use std::fs;
use std::time::Duration;

#[test]
fn without_credentials_and_with_those_of_a_reader_the_push_ends_with_a_hint() {
    let namespace = Namespace::new("credentials");
    let file = faults().join("service-selector-mismatch.yaml");
    namespace.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let repository = Repository::new("credentials", &[("shop.yaml", fs::read_to_string(&file).unwrap())]);
    let work = repository.work();
    wait("the finding", Duration::from_secs(60), || {
        let found = failing(&aifix(&work, &["scan", "-n", &namespace.0, "-o", "json"]).json());
        if found == ["service-selector-mismatch Service/shop"] { Ok(()) } else { Err(format!("{found:?}")) }
    });
    let helper = repository.git(&["config", "--get", "credential.helper"]);
    repository.git(&["config", "--unset", "credential.helper"]);
    let ran = aifix(&work, &["propose", "service/shop", "-n", &namespace.0]).exits(3);
    assert!(ran.err.contains("hint:") && ran.err.contains("credential"), "{}", ran.err);

    // A reader may fetch; the push is refused by the server.
    repository.git(&["config", "credential.helper", helper.trim()]);
    let url = repository.git(&["remote", "get-url", "origin"]);
    let (user, password) = (lab("AIFIX_LAB_GIT_READER_USER"), lab("AIFIX_LAB_GIT_READER_PASSWORD"));
    repository.git(&["remote", "set-url", "origin", &url.trim().replace("://", &format!("://{user}:{password}@"))]);
    let ran = aifix(&work, &["propose", "service/shop", "-n", &namespace.0, "--push", "--yes=review"]);
    assert!(matches!(ran.code, 3 | 4), "{} {}", ran.code, ran.err);
    assert!(ran.err.contains("hint:") && !ran.err.contains(&password), "{}", ran.err);
    assert!(!ran.out.contains(&password), "{}", ran.out);
    assert_eq!(repository.git(&["ls-remote", "--heads", "origin"]).lines().count(), 1);
}

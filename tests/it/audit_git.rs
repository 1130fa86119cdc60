//! Records and the commits that name them: verify against them, and read them without a store.

use crate::audit_records::{propose, pushed_and_refused, record};
use crate::harness::Sandbox;
use aifix::audit::Store;
use aifix::model::record::Phase;
use serde_json::{Value, json};
use std::fs;

#[test]
fn verify_says_what_the_chain_proves_and_what_only_commits_do() {
    let sandbox = pushed_and_refused();
    let outside = sandbox.aifix(&["audit", "verify"]).exits(0).out;
    insta::assert_snapshot!(outside, @r"
    holds: 3 entries in 2 records
    proves    nobody without the key changed, added or took away an entry. Who has the key could have written all of it anew; commits were not compared: run it in a clone, or --repo PATH
    ");
    let inside = sandbox.aifix_in("work", &["audit", "verify"]).exits(0).out;
    assert!(inside.contains("commits   1 commit in ") && inside.contains(" names a record here\n"), "{inside}");
    assert!(inside.contains("against that stand the commits that others have fetched (1 commit)\n"), "{inside}");
    let work = sandbox.path("work");
    assert_eq!(sandbox.aifix(&["audit", "verify", "--repo", work.to_str().unwrap()]).exits(0).out, inside);
    let ran = sandbox.aifix(&["audit", "verify", "--repo", "/nowhere"]).exits(2);
    assert!(ran.err.contains("/nowhere"), "{}", ran.err);
}

/// The owner of the key writes all records anew, each as `edit` wants it.
fn write_anew(sandbox: &Sandbox, edit: impl Fn(&mut Value)) {
    let state = sandbox.path("state");
    let store = Store::open_existing(&state, None).unwrap().unwrap();
    let mut records = store.latest(99).unwrap();
    records.reverse();
    drop(store);
    fs::remove_file(state.join("records.db")).unwrap();
    let mut store = Store::open(&state, None).unwrap();
    for entry in records.into_iter().flatten() {
        let mut body = entry.body;
        edit(&mut body);
        store.append(Some(&entry.record), entry.phase, &entry.at, body).unwrap();
    }
    assert_eq!(store.verify().unwrap().first_bad, None, "the chain itself holds");
}

#[test]
fn a_record_that_its_owner_wrote_anew_is_contradicted_by_its_commit() {
    let sandbox = pushed_and_refused();
    write_anew(&sandbox, |body| {
        if body.get("proposedFix").is_some() {
            body["context"]["who"] = json!("Eve <eve@example.com>");
        }
    });
    sandbox.aifix(&["audit", "verify"]).exits(0);
    let ran = sandbox.aifix_in("work", &["audit", "verify"]).exits(5);
    let record = record(&sandbox, "pushed");
    let (id, commit) = (record["metadata"]["name"].as_str().unwrap(), record["status"]["commit"].as_str().unwrap());
    let told = ran.err.replace(id, "ID").replace(commit, "COMMIT");
    insta::assert_snapshot!(told, @r"
    error: the records do not hold: record ID is not what commit COMMIT was pushed with
      caused by: its `Aifix-Record:` names another hash: the record was written anew by who has the key
      hint: see what the commit says: aifix audit show COMMIT --git
    ");
}

#[test]
fn a_store_that_was_begun_anew_and_a_clone_that_knows_nothing_are_told() {
    let sandbox = pushed_and_refused();
    sandbox.git("", &["init", "-q", "other"]);
    let other = sandbox.aifix_in("other", &["audit", "verify"]).exits(0).out;
    assert!(
        other.contains("commits   0 commits in ") && other.contains("1 record pushed a commit that is not here\n"),
        "{other}"
    );
    fs::remove_dir_all(sandbox.path("state")).unwrap();
    Store::open(&sandbox.path("state"), None)
        .unwrap()
        .append(None, Phase::Feedback, "2026-01-02T03:04:05Z", json!({}))
        .unwrap();
    let anew = sandbox.aifix_in("work", &["audit", "verify"]).exits(0).out;
    assert!(anew.contains("1 commit names none here: another person's or machine's"), "{anew}");
}

#[test]
fn without_records_the_commits_of_the_clone_tell_of_the_teams() {
    let sandbox = pushed_and_refused();
    let hash = record(&sandbox, "pushed")["status"]["entries"][0]["hash"].as_str().unwrap().to_owned();
    fs::remove_dir_all(sandbox.path("state")).unwrap();
    // A colleague's clone has only remote-tracking refs.
    sandbox.git("", &["clone", "-q", sandbox.path("remote.git").to_str().unwrap(), "colleague"]);
    let ran = sandbox.aifix_in("colleague", &["audit", "list"]).exits(0);
    let commit = sandbox.git("colleague", &["rev-parse", "--verify", "-q", &branch(&sandbox)]);
    assert_eq!(
        ran.out,
        format!(
            "{}  2026-11-22 17:00  pushed        Deployment cat-oom-killed/web  oom-killed  Ada <ada@example.com>\n",
            &commit[..8]
        )
    );
    assert!(ran.err.starts_with("From the commits of ") && ran.err.contains("colleague"), "{}", ran.err);
    assert!(!sandbox.path("state").exists(), "nothing is made");
    for typed in [&commit[..8], &hash[..12]] {
        let shown = sandbox.aifix_in("colleague", &["audit", "show", typed]).exits(0).out;
        assert!(shown.starts_with("pushed  Deployment cat-oom-killed/web  oom-killed\n"), "{shown}");
        for part in [format!("record    {hash}\n"), format!("commit    {commit}\n"), "Found on the cluster:".to_owned()]
        {
            assert!(shown.contains(&part), "{part}: {shown}");
        }
    }
    let json = sandbox.aifix_in("colleague", &["audit", "show", &commit, "-o", "json"]).exits(0).json();
    assert_eq!((&json["kind"], &json["items"][0]["record"]), (&"PublishedList".into(), &hash.into()));
    let ran = sandbox.aifix_in("colleague", &["audit", "show", "abc"]).exits(2);
    assert!(ran.err.contains("aifix audit list --git"), "{}", ran.err);

    // Merged and taken away, the branch is still told of by the default branch.
    sandbox.git("remote.git", &["update-ref", "refs/heads/main", &commit]);
    sandbox.git(
        "remote.git",
        &["update-ref", "-d", &format!("refs/heads/{}", branch(&sandbox).trim_start_matches("origin/"))],
    );
    sandbox.git("colleague", &["fetch", "-q", "--prune"]);
    let json = sandbox.aifix_in("colleague", &["audit", "list", "--phase", "merged", "-o", "json"]).exits(0).json();
    assert_eq!(json["items"][0]["merged"], true, "{json}");
    let none =
        sandbox.aifix_in("colleague", &["audit", "list", "--git", "--code", "other", "-o", "json"]).exits(0).json();
    assert_eq!(none["items"], json!([]));
}

fn branch(sandbox: &Sandbox) -> String {
    let out = sandbox.git("colleague", &["for-each-ref", "--format=%(refname:short)", "refs/remotes/origin/aifix"]);
    out.lines().next().unwrap().to_owned()
}

#[test]
fn with_records_commits_are_read_when_they_are_asked_for() {
    let sandbox = pushed_and_refused();
    assert!(sandbox.aifix_in("work", &["audit", "list"]).exits(0).err.is_empty());
    let ran = sandbox.aifix_in("work", &["audit", "list", "--git"]).exits(0);
    assert!(ran.err.starts_with("From the commits of ") && ran.out.lines().count() == 1, "{}", ran.out);
    let ran = sandbox.aifix(&["audit", "list", "--git"]).exits(2);
    assert!(ran.err.contains("is not in a Git repository"), "{}", ran.err);
    // A hostile message stays text.
    sandbox.git(
        "work",
        &["commit", "-q", "--allow-empty", "-m", "x\n\nAifix-Object: \u{1b}[2J\u{202e}\nAifix-Record: 00"],
    );
    let ran = sandbox.aifix_in("work", &["audit", "list", "--git"]).exits(0);
    assert!(ran.out.contains("\\e[2J\\u{202e}") && !ran.out.contains('\u{1b}'), "{}", ran.out);
}

#[test]
fn a_declined_proposal_is_named_by_no_commit() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &crate::harness::oom_manifest())]);
    propose(&sandbox, &["--push"]).exits(7);
    let ran = sandbox.aifix_in("work", &["audit", "list", "--git"]).exits(0);
    assert_eq!(ran.out, "");
}

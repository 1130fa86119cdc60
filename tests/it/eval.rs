//! `aifix eval`: what is right, what is not, and going on where it stopped.

use crate::harness::{Sandbox, oom_manifest, recorded};
use crate::model_server::{Act, ModelServer, edit};
use aifix::cluster::files;
use aifix::diagnose::diagnose;
use aifix::fix;
use aifix::model::intent::FieldEdit;
use aifix::model::quantity::Quantity;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const LIMIT: &str = "spec.template.spec.containers[app].resources.limits.memory";

fn shipped() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/eval").to_str().unwrap().to_owned()
}

fn model<'v>(report: &'v Value, name: &str) -> &'v Value {
    let models = report["models"].as_array().unwrap();
    models.iter().find(|model| model["model"].as_str().unwrap().starts_with(name)).unwrap()
}

/// A folder of two cases: one with a fix, one without.
fn cases(sandbox: &Sandbox) -> String {
    let right = format!(
        "snapshot = '{}'\ncode = 'oom-killed'\n[[right]]\npath = '{LIMIT}'\nat-least = '48Mi'\nat-most = '128Mi'\n",
        recorded("oom-killed")
    );
    sandbox.write("cases/a.toml", &right);
    let refuse =
        format!("snapshot = '{}'\ncode = 'crash-app-error'\nrefuse = true\n", recorded("crash-app-error.exit-2"));
    sandbox.write("cases/b.toml", &refuse);
    sandbox.path("cases").to_str().unwrap().to_owned()
}

#[test]
fn no_rule_is_wrong_about_the_cases_that_are_shipped() {
    let sandbox = Sandbox::new();
    let report = sandbox.aifix(&["eval", &shipped(), "-o", "json"]).exits(0).json();
    let rules = model(&report, "rules");
    assert!(rules["cases"].as_u64().unwrap() >= 15, "{rules}");
    assert_eq!(rules["wrong"], 0, "{report:#}");
    let texts = std::fs::read_dir(shipped()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let proved = texts.filter(|path| std::fs::read_to_string(path).unwrap().contains("\nrepository = ")).count();
    assert!(proved >= 4, "{proved} cases are proved in a repository of their own");
    assert!(rules["right"].as_u64().unwrap() >= 3 && rules["refusedRightly"].as_u64().unwrap() >= 9, "{rules}");
}

/// A copy of a recording that a test may change.
fn copied(sandbox: &Sandbox, name: &str, folder: &str) {
    for entry in std::fs::read_dir(recorded(name)).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap();
        sandbox.write(&format!("{folder}/{file}"), &std::fs::read_to_string(&path).unwrap());
    }
}

#[test]
fn each_answer_of_a_model_is_marked_and_what_is_done_is_not_asked_again() {
    let sandbox = Sandbox::new();
    let cases = cases(&sandbox);
    copied(&sandbox, "crash-app-error.exit-2", "own");
    let text = std::fs::read_to_string(sandbox.path("cases/b.toml")).unwrap();
    sandbox.write("cases/b.toml", &text.replace(&recorded("crash-app-error.exit-2"), "../own"));
    let results = sandbox.path("results.json");
    let server = ModelServer::start(&[Act::Say(edit(LIMIT, "32Mi", "64Mi")), Act::Say(edit("none", "", ""))]);
    let run = |more: &[&str]| {
        let url = server.url();
        let args = ["eval", &cases, "--llm-url", &url, "--llm-model", "m", "--results", results.to_str().unwrap()];
        sandbox.aifix(&[&args[..], &["--no-cache", "-o", "json"], more].concat()).exits(0).json()
    };
    let first = run(&[]);
    let played = model(&first, "m at 127.0.0.1");
    assert_eq!((&played["right"], &played["refusedRightly"], &played["valid"]), (&1.into(), &1.into(), &2.into()));
    assert_eq!(played["tokens"], 680, "{played}");
    assert_eq!(server.seen().len(), 2);
    assert_eq!(model(&run(&[]), "m at"), played);
    assert_eq!(server.seen().len(), 2, "what is done is not asked again");
    // A case that was changed is another one.
    let text = std::fs::read_to_string(sandbox.path("cases/b.toml")).unwrap();
    sandbox.write("cases/b.toml", &format!("# again\n{text}"));
    run(&[]);
    assert_eq!(server.seen().len(), 3);
    // So is one whose recording was changed, also where the prompt says nothing of it.
    let file = sandbox.path("own/objects.json");
    let mut objects: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let more =
        serde_json::json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "more", "namespace": "x"}});
    objects["items"].as_array_mut().unwrap().push(more);
    sandbox.write("own/objects.json", &objects.to_string());
    run(&[]);
    run(&[]);
    assert_eq!(server.seen().len(), 4, "only the case of this recording is asked again, and once");
    // And a model that is asked in another way of its settings is another one, for every case.
    run(&["--llm-budget-seconds", "90"]);
    assert_eq!(server.seen().len(), 6, "other time to answer");
    run(&["--llm-api", "azure"]);
    assert_eq!(server.seen().len(), 8, "another protocol and address");
    run(&[]);
    assert_eq!(server.seen().len(), 8, "the answers of before are kept");
}

#[test]
fn wrong_invalid_and_failed_are_told_apart() {
    let sandbox = Sandbox::new();
    let cases = cases(&sandbox);
    for (act, code, marks) in [
        (Act::Say(edit(LIMIT, "32Mi", "200Mi")), 0, ["wrong", "invalid"]),
        (Act::Say("Raise it.".to_owned()), 0, ["invalid", "invalid"]),
        (Act::Fail(500, "", "down"), 3, ["failed", "failed"]),
    ] {
        let server = ModelServer::start(&[act]);
        let report = sandbox.aifix(&["eval", &cases, "--llm-url", &server.url(), "-o", "json"]).exits(code).json();
        let rows = report["cases"].as_array().unwrap().iter().filter(|row| row["model"] != "rules");
        assert_eq!(rows.map(|row| row["mark"].as_str().unwrap()).collect::<Vec<_>>(), marks, "{report:#}");
    }
    let server = ModelServer::start(&[Act::Say(edit(LIMIT, "32Mi", "200Mi"))]);
    let out = sandbox.aifix(&["eval", &cases, "--llm-url", &server.url()]).exits(0).out;
    assert!(out.starts_with("model") && out.contains("refused rightly"), "{out}");
    assert!(out.contains(&format!("a: {LIMIT} = 200Mi")), "what is wrong is shown: {out}");
}

#[test]
fn what_is_no_case_is_named() {
    let sandbox = Sandbox::new();
    assert!(sandbox.aifix(&["eval"]).exits(2).err.contains("tests/eval"));
    for (text, why) in [
        ("code = 'x'\nrefused = true\n", "unknown field"),
        ("snapshot = '/x'\ncode = 'x'\n", "either `refuse = true` or [[right]]"),
        (
            &format!("snapshot = '{}'\ncode = 'oom-killed'\nrefuse = true\n", recorded("crash-abort")),
            "no finding `oom-killed`",
        ),
    ] {
        sandbox.write("cases/a.toml", text);
        let ran = sandbox.aifix(&["eval", sandbox.path("cases").to_str().unwrap()]).exits(2);
        assert!(ran.err.contains("the case `a` can't be used") && ran.err.contains(why), "{}", ran.err);
    }
}

#[test]
fn a_teams_own_records_say_how_often_fixes_were_right() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    let from = recorded("oom-killed");
    let state = sandbox.path("state");
    let state = state.to_str().unwrap();
    let ran = sandbox.aifix(&["eval", "--with-records", state]).exits(2);
    assert!(ran.err.contains("there are no records in"), "{}", ran.err);
    for word in ["reject", "accept"] {
        let push = ["propose", "deployment/web", "--from", &from, "--push", "--yes=review", "-o", "json"];
        let report = sandbox.aifix_in("work", &push).exits(0).json();
        let proposal = &report["proposals"][0];
        sandbox.git("remote.git", &["branch", "-D", proposal["branch"].as_str().unwrap()]);
        sandbox.aifix(&["audit", "feedback", proposal["record"].as_str().unwrap(), word]).exits(0);
    }
    let out = sandbox.aifix(&["eval", "--with-records", state]).exits(0).out;
    assert_eq!(out, "records by rule    right 1 of 2 (50 %), merged with other values 0, wrong 1; not known 0\n");
    let report = sandbox.aifix(&["eval", "--with-records", state, "-o", "json"]).exits(0).json();
    assert_eq!(report["records"][0]["code"], "oom-killed", "{report:#}");
}

#[test]
fn changed_refused_and_open_records_have_columns_of_their_own() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    let from = recorded("oom-killed");
    let propose = |more: &[&str]| {
        sandbox.aifix_in("work", &[&["propose", "deployment/web", "--from", &from, "--push"][..], more].concat())
    };
    // Merged with another value, by a person in the remote.
    propose(&["--yes=review"]).exits(0);
    let branch = sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads/aifix"]);
    sandbox.git("work", &["fetch", "-q", "origin"]);
    sandbox.git("work", &["merge", "-q", "--no-ff", "--no-commit", &format!("origin/{branch}")]);
    sandbox.write("work/k8s/web.yaml", &oom_manifest().replace("32Mi", "96Mi"));
    sandbox.git("work", &["commit", "-qam", "Merge it with more"]);
    sandbox.git("work", &["push", "-q", "origin", "HEAD:main", &format!(":{branch}")]);
    sandbox.aifix_in("work", &["status"]).exits(0);
    sandbox.write("work/k8s/web.yaml", &oom_manifest());
    sandbox.git("work", &["commit", "-qam", "As it was"]);
    sandbox.git("work", &["push", "-q", "origin", "HEAD:main"]);
    // Nobody to ask, pushed and not known, and refused as that one is open.
    propose(&[]).exits(7);
    propose(&["--yes=review"]).exits(0);
    propose(&["--yes=review"]).exits(4);
    let state = sandbox.path("state");
    let report = sandbox.aifix(&["eval", "--with-records", state.to_str().unwrap(), "-o", "json"]).exits(0).json();
    let rows = report["records"].as_array().unwrap();
    let sum = |column: &str| rows.iter().map(|row| row[column].as_u64().unwrap()).sum::<u64>();
    let columns = ["records", "changed", "open", "refused", "right", "wrong"].map(sum);
    assert_eq!(columns, [4, 1, 2, 1, 0, 0], "{report:#}");
    let out = sandbox.aifix(&["eval", "--with-records", state.to_str().unwrap()]).exits(0).out;
    assert!(out.contains("merged with other values 1"), "{out}");
}

/// A case with a right fix, proved in this repository.
fn proved_in(sandbox: &Sandbox, manifest: &str) -> String {
    let case = format!(
        "snapshot = '{}'\nrepository = '../repository'\ncode = 'oom-killed'\n[[right]]\npath = '{LIMIT}'\nat-least = '48Mi'\n",
        recorded("oom-killed")
    );
    sandbox.write("cases/a.toml", &case);
    sandbox.write("repository/k8s/web.yaml", manifest);
    sandbox.path("cases").to_str().unwrap().to_owned()
}

#[test]
fn with_a_repository_only_a_fix_that_is_proved_there_is_right() {
    let sandbox = Sandbox::new();
    let marks = |manifest: &str, value: &str| {
        let cases = proved_in(&sandbox, manifest);
        let server = ModelServer::start(&[Act::Say(edit(LIMIT, "32Mi", value))]);
        let report = sandbox.aifix(&["eval", &cases, "--llm-url", &server.url(), "-o", "json"]).exits(0).json();
        let rows = report["cases"].as_array().unwrap().clone();
        let said = rows[0]["said"].as_str().unwrap().to_owned();
        (rows.iter().map(|row| row["mark"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), said)
    };
    assert_eq!(marks(&oom_manifest(), "64Mi").0, ["right", "right"]);
    let (refused, said) = marks(&oom_manifest().replace("name: web", "name: api"), "64Mi");
    assert_eq!(refused, ["wrong", "wrong"]);
    assert!(said.contains("64Mi, not proved in its repository: "), "{said}");
    // What stands in the repository is part of the case: a kept answer is not taken for another one.
    let results = sandbox.path("results.json");
    let server = ModelServer::start(&[Act::Say(edit(LIMIT, "32Mi", "64Mi"))]);
    let asked = |manifest: &str| {
        let (cases, url) = (proved_in(&sandbox, manifest), server.url());
        let kept = ["--results", results.to_str().unwrap(), "--no-cache"];
        sandbox.aifix(&[&["eval", &cases, "--llm-url", &url, "--llm-model", "m"][..], &kept].concat()).exits(0);
        server.seen().len()
    };
    let manifest = oom_manifest();
    assert_eq!([asked(&manifest), asked(&manifest), asked(&format!("{manifest}# later\n"))], [1, 1, 2]);
}

#[test]
fn a_repository_that_is_none_is_named() {
    let sandbox = Sandbox::new();
    let cases = proved_in(&sandbox, &oom_manifest());
    std::fs::remove_dir_all(sandbox.path("repository")).unwrap();
    let ran = sandbox.aifix(&["eval", &cases]).exits(2);
    assert!(ran.err.contains("the repository") && ran.err.contains("of a case can't be used"), "{}", ran.err);
    std::fs::create_dir(sandbox.path("repository")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", sandbox.path("repository/a.yaml")).unwrap();
    let ran = sandbox.aifix(&["eval", &cases]).exits(2);
    assert!(ran.err.contains("`a.yaml` is a link"), "{}", ran.err);
}

/// The cases that a real model is asked about: field and right value of each.
fn real() -> BTreeMap<&'static str, Vec<(&'static str, &'static str)>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for line in include_str!("../eval/cases.tsv").lines().filter(|line| !line.starts_with('#')) {
        let [case, field, value] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        all.entry(case).or_default().push((field, value));
    }
    all
}

/// Whether an edit of a rule is what a case wants.
fn is_wanted(edit: &FieldEdit, wanted: &[(&str, &str)]) -> bool {
    let path = edit.path.to_string();
    let text = |value: &Option<Value>| match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let (old, new) = (text(&edit.old), text(&edit.new));
    let grows = Quantity::parse(&old).zip(Quantity::parse(&new)).map(|(old, new)| new > old);
    let is_word = path.contains(".command[") || path.contains(".args[");
    let mut of_field = wanted.iter().filter(|(field, _)| path.ends_with(field) || *field == "words" && is_word);
    of_field.any(|(_, value)| match *value {
        "any" | "listed" => true,
        "more" => grows == Some(true),
        "less" => grows == Some(false),
        value => value.strip_prefix('=') == Some(new.as_str()),
    })
}

#[test]
fn a_real_model_is_asked_about_a_hundred_and_twenty_recordings_and_no_rule_is_wrong_about_them() {
    let all = real();
    assert_eq!(all.len(), 120);
    let mut wrong = Vec::new();
    for (case, wanted) in &all {
        let snapshot = files::load(recorded(case).as_ref(), None).unwrap();
        let finding = diagnose(&snapshot).findings.remove(0);
        // What a rule decides is offered to the model, too: taken, it must be right.
        for intent in fix::candidates(&snapshot, &finding).unwrap_or_default() {
            let other = intent.edits.iter().filter(|edit| !is_wanted(edit, wanted));
            wrong.extend(other.map(|edit| format!("{case}: {} = {:?}, not {wanted:?}", edit.path, edit.new)));
        }
        let strict = ["more", "less", "listed", "any", "-"];
        let known = |value: &str| value.starts_with('=') || strict.contains(&value);
        assert!(wanted.iter().all(|(field, value)| known(value) && (*field == "-") == (*value == "-")), "{case}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

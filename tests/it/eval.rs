//! `aifix eval`: what is right, what is not, and going on where it stopped.

use crate::harness::{Sandbox, oom_manifest, recorded};
use crate::model_server::{Act, ModelServer, edit};
use serde_json::Value;
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
    assert!(rules["right"].as_u64().unwrap() >= 3 && rules["refusedRightly"].as_u64().unwrap() >= 9, "{rules}");
}

#[test]
fn each_answer_of_a_model_is_marked_and_what_is_done_is_not_asked_again() {
    let sandbox = Sandbox::new();
    let cases = cases(&sandbox);
    let results = sandbox.path("results.json");
    let server = ModelServer::start(&[Act::Say(edit(LIMIT, "32Mi", "64Mi")), Act::Say(edit("none", "", ""))]);
    let run = || {
        let url = server.url();
        let args = ["eval", &cases, "--llm-url", &url, "--llm-model", "m", "--results", results.to_str().unwrap()];
        let more = ["--no-cache", "-o", "json"];
        let args: Vec<&str> = args.iter().chain(&more).copied().collect();
        sandbox.aifix(&args).exits(0).json()
    };
    let first = run();
    let played = model(&first, "m at 127.0.0.1");
    assert_eq!((&played["right"], &played["refusedRightly"], &played["valid"]), (&1.into(), &1.into(), &2.into()));
    assert_eq!(played["tokens"], 680, "{played}");
    assert_eq!(server.seen().len(), 2);
    assert_eq!(model(&run(), "m at"), played);
    assert_eq!(server.seen().len(), 2, "what is done is not asked again");
    // A case that was changed is another one.
    let text = std::fs::read_to_string(sandbox.path("cases/b.toml")).unwrap();
    sandbox.write("cases/b.toml", &format!("# again\n{text}"));
    run();
    assert_eq!(server.seen().len(), 3);
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

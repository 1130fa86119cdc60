//! Which findings of a scan count: baseline, ignore, only, severity.

use crate::harness::{Ran, Sandbox, recorded};
use aifix::doors::files;
use serde_json::{Value, json};
use std::path::Path;

/// Three roots in three namespaces: oom-killed, configmap-missing and service-selector-mismatch, all critical.
const THREE: [&str; 3] = ["oom-killed", "configmap-missing", "service-selector-mismatch"];

/// The objects of a recording.
fn objects(case: &str) -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded").join(case).join("objects.json");
    let list: Value = serde_json::from_slice(&files::read(&file).unwrap()).unwrap();
    list["items"].as_array().unwrap().clone()
}

/// The same workload once more, as `api`.
fn twin(case: &str) -> Vec<Value> {
    let all = objects(case);
    let mut text = Value::Array(all.clone()).to_string().replace("\"web", "\"api");
    for uid in all.iter().filter_map(|object| object["metadata"]["uid"].as_str()) {
        text = text.replace(uid, &format!("9{}", &uid[1..]));
    }
    serde_json::from_str(&text).unwrap()
}

/// A snapshot file of these objects.
fn snapshot(sandbox: &Sandbox, name: &str, objects: &[Value]) -> String {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    sandbox.write(name, &list.to_string()).to_str().unwrap().to_owned()
}

fn three(sandbox: &Sandbox) -> String {
    let all: Vec<Value> = THREE.into_iter().flat_map(objects).collect();
    snapshot(sandbox, "three.json", &all)
}

fn scan(sandbox: &Sandbox, from: &str, flags: &[&str]) -> Ran {
    sandbox.aifix(&[&["scan", "-A", "--from", from, "--at", "2026-11-22T16:51:27Z"], flags].concat())
}

/// Codes that count, and codes that are set aside with filter and reason.
fn split(ran: &Ran) -> (Vec<String>, Vec<String>) {
    let report = ran.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let counting = report["findings"].as_array().unwrap().iter().map(|one| text(&one["code"])).collect();
    let aside = report["setAside"].as_array().unwrap().iter();
    let aside = aside.map(|one| format!("{}: {} ({})", text(&one["code"]), text(&one["filter"]), text(&one["reason"])));
    (counting, aside.collect())
}

#[test]
fn a_baseline_lets_only_what_is_new_fail() {
    let sandbox = Sandbox::new();
    let old = snapshot(&sandbox, "old.json", &objects("oom-killed"));
    let ran = scan(&sandbox, &old, &["--write-baseline", "known.json"]).exits(0);
    assert!(
        ran.out.contains("oom-killed") && ran.err.contains("Wrote 1 finding to known.json"),
        "{}{}",
        ran.out,
        ran.err
    );
    insta::assert_snapshot!(std::fs::read_to_string(sandbox.path("known.json")).unwrap(), @r#"
    {
      "apiVersion": "aifix.dev/v1alpha1",
      "kind": "Baseline",
      "findings": [
        {"severity":"critical","code":"oom-killed","group":"apps","kind":"Deployment","namespace":"cat-oom-killed","name":"web","container":"app"}
      ]
    }
    "#);

    let ran = scan(&sandbox, &old, &["--baseline", "known.json"]).exits(0);
    assert!(ran.out.starts_with("all namespaces: no root cause that counts; 1 of 1 workload fails\n"), "{}", ran.out);
    assert!(ran.out.contains("1 set aside: 1 in the baseline (known.json): aifix scan --all"), "{}", ran.out);
    assert!(!ran.out.contains("critical"), "{}", ran.out);
    let ran = scan(&sandbox, &old, &["--baseline", "known.json", "--all"]).exits(0);
    assert!(
        ran.out.contains("critical  Deployment/web in cat-oom-killed  oom-killed\n    in the baseline: known.json"),
        "{}",
        ran.out
    );

    let ran = scan(&sandbox, &three(&sandbox), &["--baseline", "known.json", "-o", "json"]).exits(1);
    let (counting, aside) = split(&ran);
    assert_eq!(counting, ["configmap-missing", "service-selector-mismatch"]);
    assert_eq!(aside, ["oom-killed: baseline (known.json)"]);
    let summary = &ran.json()["contexts"][0]["summary"];
    assert_eq!((summary["roots"].as_u64(), summary["failing"].as_u64()), (Some(2), Some(2)), "{summary}");
}

#[test]
fn the_same_findings_make_the_same_file() {
    let sandbox = Sandbox::new();
    let from = three(&sandbox);
    let mut turned: Vec<Value> = THREE.into_iter().flat_map(objects).collect();
    turned.reverse();
    let turned = snapshot(&sandbox, "turned.json", &turned);
    scan(&sandbox, &from, &["--write-baseline", "a.json"]).exits(0);
    scan(&sandbox, &turned, &["--write-baseline", "b.json"]).exits(0);
    let read = |name: &str| std::fs::read_to_string(sandbox.path(name)).unwrap();
    assert_eq!(read("a.json"), read("b.json"));
    assert_eq!(read("a.json").lines().count(), 9, "{}", read("a.json"));
    assert!(!read("a.json").contains("web-"), "no pod is named");
}

#[test]
fn what_is_gone_is_told_unless_it_may_only_be_hidden() {
    let sandbox = Sandbox::new();
    let all = three(&sandbox);
    let one = snapshot(&sandbox, "one.json", &objects("oom-killed"));
    scan(&sandbox, &all, &["--write-baseline", "known.json"]).exits(0);
    let known = ["--baseline", "known.json"];
    let ran = scan(&sandbox, &one, &known).exits(0);
    let told = "2 of the baseline are gone (Deployment/web in cat-configmap-missing configmap-missing and 1 more)";
    assert!(ran.err.contains(told), "{}", ran.err);
    assert!(ran.err.contains("aifix scan --write-baseline known.json"), "{}", ran.err);

    let elsewhere =
        sandbox.aifix(&["scan", "-n", "cat-oom-killed", "--from", &one, "--baseline", "known.json"]).exits(0);
    assert!(!elsewhere.err.contains("gone"), "other namespaces were not looked at: {}", elsewhere.err);
    let narrowed = scan(&sandbox, &one, &[&known[..], &["-l", "app=web"]].concat()).exits(0);
    assert!(!narrowed.err.contains("gone"), "{}", narrowed.err);
    let ignored = scan(&sandbox, &all, &[&known[..], &["--ignore", "configmap-missing"]].concat()).exits(0);
    assert!(!ignored.err.contains("gone"), "what is ignored is still there: {}", ignored.err);
}

#[test]
fn what_grew_worse_is_new() {
    let sandbox = Sandbox::new();
    let from = snapshot(&sandbox, "old.json", &objects("oom-killed"));
    scan(&sandbox, &from, &["--write-baseline", "known.json"]).exits(0);
    let text = std::fs::read_to_string(sandbox.path("known.json")).unwrap();
    for (severity, code) in [("critical", 0), ("error", 1), ("warning", 1)] {
        sandbox.write("known.json", &text.replace("\"critical\"", &format!("{severity:?}")));
        scan(&sandbox, &from, &["--baseline", "known.json"]).exits(code);
    }
}

#[test]
fn one_more_of_the_same_kind_is_new() {
    let sandbox = Sandbox::new();
    let mut all = objects("ingress-backend-port-missing");
    let one = snapshot(&sandbox, "one.json", &all);
    let ingress = all.iter_mut().find(|object| object["kind"] == "Ingress").unwrap();
    let paths = ingress["spec"]["rules"][0]["http"]["paths"].as_array_mut().unwrap();
    let mut second = paths[0].clone();
    second["path"] = json!("/b");
    second["backend"]["service"]["port"] = json!({"number": 4711});
    paths.push(second);
    let two = snapshot(&sandbox, "two.json", &all);
    scan(&sandbox, &one, &["--write-baseline", "known.json"]).exits(0);
    let (counting, aside) = split(&scan(&sandbox, &two, &["--baseline", "known.json", "-o", "json"]).exits(1));
    assert_eq!((counting.len(), aside.len()), (2, 0), "which of them is the old one can not be told");
    scan(&sandbox, &two, &["--write-baseline", "known.json"]).exits(0);
    assert!(std::fs::read_to_string(sandbox.path("known.json")).unwrap().contains("\"count\":2"));
    scan(&sandbox, &two, &["--baseline", "known.json"]).exits(0);
    scan(&sandbox, &one, &["--baseline", "known.json"]).exits(0);
}

#[test]
fn a_file_that_is_no_baseline_is_named_with_the_way_out() {
    let sandbox = Sandbox::new();
    let from = snapshot(&sandbox, "old.json", &objects("oom-killed"));
    let refused = |name: &str| scan(&sandbox, &from, &["--baseline", name]).exits(2).err;
    insta::assert_snapshot!(refused("absent.json"), @r"
    error: there is no baseline `absent.json`
      hint: write it: aifix scan --write-baseline absent.json
    ");
    sandbox.write("cut.json", "{\"apiVersion\": \"aifix.dev/v1alpha1\", \"kind\": \"Base");
    let cut = refused("cut.json");
    assert!(cut.contains("`cut.json` is no baseline") && cut.contains("--write-baseline cut.json"), "{cut}");
    sandbox.write("newer.json", "{\"apiVersion\": \"aifix.dev/v2\", \"kind\": \"Baseline\", \"roots\": []}");
    insta::assert_snapshot!(refused("newer.json"), @r"
    error: the baseline `newer.json` is of another version of aifix
      caused by: it is aifix.dev/v2, and aifix.dev/v1alpha1 is read here
      hint: use the aifix that wrote it, or write it anew: aifix scan --write-baseline newer.json
    ");
    let report = scan(&sandbox, &from, &["-o", "json"]).exits(1).out;
    sandbox.write("report.json", &report);
    assert!(refused("report.json").contains("its kind is ScanReport"));
    sandbox.write(
        "odd.json",
        "{\"apiVersion\": \"aifix.dev/v1alpha1\", \"kind\": \"Baseline\", \"findings\": [{\"code\": 1}]}",
    );
    assert!(refused("odd.json").contains("is no baseline"));
    let ran = scan(&sandbox, &from, &["--write-baseline", "no/such/folder.json"]).exits(2);
    assert!(ran.err.contains("could not write the baseline") && ran.err.contains("folder"), "{}", ran.err);
    scan(&sandbox, &from, &["--write-baseline", "a", "--baseline", "b"]).exits(2);
}

#[test]
fn ignored_roots_are_named_with_their_reason() {
    let sandbox = Sandbox::new();
    let from = three(&sandbox);
    for (pattern, left) in [
        ("oom-killed", 2),
        ("oom-*#known, OPS-12", 2),
        ("Deployment/web", 1),
        ("deploy/w*:oom-killed", 2),
        ("cat-oom-*/Deployment/web", 2),
        ("*/web", 0),
        // The Service has no label; the template of each Deployment has.
        ("app=web", 1),
        ("app=web:configmap-missing#later", 2),
    ] {
        let ran = scan(&sandbox, &from, &["--ignore", pattern, "-o", "json"]);
        let (counting, aside) = split(&ran);
        assert_eq!((counting.len(), aside.len()), (left, 3 - left), "{pattern}: {counting:?} {aside:?}");
        let reason = pattern.split_once('#').map_or("no reason given", |(_, reason)| reason);
        assert!(aside.iter().all(|one| one.ends_with(&format!("ignored ({reason})"))), "{pattern}: {aside:?}");
        assert_eq!(ran.code, i32::from(left > 0), "{pattern}");
    }
    let ran = scan(&sandbox, &from, &["--ignore", "oom-killed#known, OPS-12", "--ignore", "service-*"]).exits(1);
    assert!(
        ran.out.contains("2 set aside: 2 ignored (known, OPS-12; no reason given): aifix scan --all"),
        "{}",
        ran.out
    );
    assert!(ran.err.is_empty(), "{}", ran.err);
}

#[test]
fn the_effects_of_an_ignored_root_go_with_it_and_are_told() {
    let sandbox = Sandbox::new();
    let both = [objects("configmap-missing"), twin("configmap-missing")].concat();
    let from = snapshot(&sandbox, "both.json", &both);
    let ran = scan(&sandbox, &from, &[]).exits(1);
    assert!(ran.out.contains("critical  ConfigMap/app-confg"), "{}", ran.out);
    let ran = scan(&sandbox, &from, &["--ignore", "ConfigMap/app-confg#the next release brings it", "--all"]).exits(0);
    assert!(ran.out.contains("no root cause that counts; 2 of 2 workloads fail"), "{}", ran.out);
    assert!(ran.out.contains("    ignored: the next release brings it; "), "{}", ran.out);
    assert!(ran.out.contains("effects go with it"), "{}", ran.out);
    // An effect is no root: naming it sets nothing aside.
    let ran = scan(&sandbox, &from, &["--ignore", "Deployment/api"]).exits(1);
    assert!(ran.err.contains("`--ignore Deployment/api` matched nothing"), "{}", ran.err);
    // But who asks for a workload is told the root that it suffers from.
    scan(&sandbox, &from, &["--only", "Deployment/api"]).exits(1);
}

#[test]
fn only_and_severity_set_the_rest_aside() {
    let sandbox = Sandbox::new();
    let from = three(&sandbox);
    let ran = scan(&sandbox, &from, &["--only", "oom-*", "--only", "Service/*#the edge", "-o", "json"]).exits(1);
    let (counting, aside) = split(&ran);
    assert_eq!(counting, ["oom-killed", "service-selector-mismatch"]);
    assert_eq!(aside, ["configmap-missing: unasked (--only oom-* or Service/* (the edge))"]);
    let warning = recorded("hpa-target-missing");
    let scan =
        |severity: &str| sandbox.aifix(&["scan", "-A", "--from", &warning, "-o", "json", "--min-severity", severity]);
    let (counting, aside) = split(&scan("error").exits(0));
    assert_eq!((counting.len(), aside.len()), (0, 1), "{aside:?}");
    assert!(aside[0].ends_with("minor (below error)"), "{aside:?}");
    assert_eq!(split(&scan("warning").exits(1)).0.len(), 1);
}

#[test]
fn only_takes_a_label_and_shows_its_reason() {
    let sandbox = Sandbox::new();
    let from = three(&sandbox);
    let (counting, aside) = split(&scan(&sandbox, &from, &["--only", "app=web#ours", "-o", "json"]).exits(1));
    assert_eq!(counting, ["configmap-missing", "oom-killed"], "the template has it, the Service has not");
    assert_eq!(aside, ["service-selector-mismatch: unasked (--only app=web (ours))"]);
    let (counting, aside) = split(&scan(&sandbox, &from, &["--only", "app=api", "-o", "json"]).exits(0));
    assert_eq!((counting.len(), aside.len()), (0, 3));
    let ran = scan(&sandbox, &from, &["--only", "app=web#ours"]).exits(1);
    assert!(ran.out.contains("1 set aside: 1 not asked for (--only app=web (ours))"), "{}", ran.out);
}

#[test]
fn a_pattern_that_can_name_nothing_is_told_the_nearest() {
    let sandbox = Sandbox::new();
    let from = three(&sandbox);
    insta::assert_snapshot!(scan(&sandbox, &from, &["--ignore", "oom-kiled#x"]).exits(2).err, @r"
    error: `--ignore oom-kiled`: there is no code `oom-kiled`
      hint: did you mean oom-killed?
    ");
    let ran = scan(&sandbox, &from, &["--only", "deploymnt/web"]).exits(2);
    assert!(ran.err.contains("did you mean Deployment?"), "{}", ran.err);
    let hostile = scan(&sandbox, &from, &["--ignore", "oom-killed#a\u{1b}[2Jb\n::error::x"]).exits(1);
    assert!(!hostile.out.contains('\u{1b}') && !hostile.out.contains("\n::error"), "{}", hostile.out);
}

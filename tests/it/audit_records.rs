//! Records at the command line: found, compared, erased, checked.

use crate::harness::{Ran, Sandbox, manifest, oom_manifest, recorded};
use crate::model_server::{Act, ModelServer};
use aifix::audit::Store;
use aifix::model::record::Phase;
use rexpect::session::spawn_command;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Stdio;

/// Who owns nothing.
const NOBODY: u32 = 65534;

/// A clone whose fix was pushed, and then refused as it is open already.
pub(crate) fn pushed_and_refused() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    propose(&sandbox, &["--push", "--yes=review"]).exits(0);
    propose(&sandbox, &["--push", "--yes=review"]).exits(4);
    sandbox
}

pub(crate) fn propose(sandbox: &Sandbox, more: &[&str]) -> Ran {
    let from = recorded("oom-killed");
    sandbox.aifix_in("work", &[&["propose", "deployment/web", "--from", &from][..], more].concat())
}

/// The record of the phase.
pub(crate) fn record(sandbox: &Sandbox, phase: &str) -> Value {
    let list = sandbox.aifix(&["audit", "list", "--phase", phase, "-o", "json"]).exits(0).json();
    list["items"][0].clone()
}

fn id(record: &Value) -> &str {
    record["metadata"]["name"].as_str().unwrap()
}

#[test]
fn a_record_says_what_was_seen_where_with_which_versions_and_who_allowed_it() {
    let sandbox = pushed_and_refused();
    let pushed = record(&sandbox, "pushed");
    let context = &pushed["spec"]["context"];
    assert_eq!(context["snapshot"].as_str().unwrap().len(), 64);
    assert_eq!(context["snapshot"], record(&sandbox, "refused")["spec"]["context"]["snapshot"], "the same was seen");
    assert!(context["repository"].as_str().unwrap().ends_with("remote.git"), "{context}");
    assert_eq!((&context["baseBranch"], &context["version"]), (&"main".into(), &env!("CARGO_PKG_VERSION").into()));
    let command = context["command"].as_str().unwrap();
    assert!(command.starts_with("aifix propose deployment/web --from "), "{command}");
    assert!(command.ends_with("/oom-killed --push --yes=review"), "{command}");
    let git = sandbox.git("work", &["version"]);
    assert_eq!(format!("git version {}", context["git"].as_str().unwrap()), git);
    let approval = &pushed["spec"]["policyReport"]["approvals"][0];
    assert_eq!(approval["by"], "Ada <ada@example.com>");
    assert_eq!(approval["how"], "--yes=review");
    let told = sandbox.aifix(&["audit", "show", id(&pushed)]).exits(0).out;
    assert!(told.contains("allowed   by Ada <ada@example.com>, --yes=review\n"), "{told}");
    assert_eq!(record(&sandbox, "refused")["spec"]["refusal"]["code"], "already-proposed");
}

#[test]
fn a_snapshot_that_differs_in_one_status_has_another_hash() {
    let load = |name: &str| aifix::cluster::files::load(recorded(name).as_ref(), None).unwrap();
    let digest = aifix::cluster::files::digest;
    let mut snapshot = load("oom-killed");
    let before = digest(&snapshot);
    assert_eq!(before, digest(&load("oom-killed")));
    snapshot.pods[0].metadata.labels.insert("a".into(), "b".into());
    assert_ne!(before, digest(&snapshot));
}

#[test]
fn what_was_typed_on_the_terminal_is_in_the_record() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    sandbox.write("team/data.yaml", "aifix:\n  critical:\n    namespaces: [cat-oom-killed]\n");
    sandbox.write("team/small.rego", "package team.none\n\nwarn contains \"never\" if { false }\n");
    let run = |answer: &str| {
        let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
        command.args(["propose", "deployment/web", "--push", "--from", &recorded("oom-killed"), "--policy", "../team"]);
        command.current_dir(sandbox.path("work")).env("TERM", "xterm").stdin(Stdio::inherit());
        let mut session = spawn_command(command, Some(30_000)).unwrap();
        session.exp_string("to push:").unwrap();
        session.send_line(answer).unwrap();
        session.exp_eof().unwrap();
        session.process().wait().unwrap();
    };
    run("no");
    let declined = record(&sandbox, "declined");
    assert_eq!(declined["status"]["entries"][1]["body"]["by"], "Ada <ada@example.com>");
    run("web");
    let pushed = record(&sandbox, "pushed");
    let approval = &pushed["spec"]["policyReport"]["approvals"][0];
    assert_eq!((&approval["by"], &approval["how"]), (&"Ada <ada@example.com>".into(), &"typed".into()));
    assert!(!approval["policies"].as_array().unwrap().is_empty(), "{approval}");
    let told = sandbox.aifix(&["audit", "show", id(&pushed)]).exits(0).out;
    assert!(told.contains("who typed the object's name, for "), "{told}");
}

#[test]
fn records_are_found_by_what_they_are_about_and_by_what_they_say() {
    let sandbox = pushed_and_refused();
    let count = |args: &[&str]| {
        let args = [&["audit"][..], args, &["-o", "json"]].concat();
        sandbox.aifix(&args).exits(0).json()["items"].as_array().unwrap().len()
    };
    for (args, found) in [
        (&["list"][..], 2),
        (&["list", "--max", "1"], 1),
        (&["list", "--phase", "pushed"], 1),
        (&["list", "--code", "oom-killed", "--object", "deployment/web"], 2),
        (&["list", "--object", "cat-oom-killed/Deployment/web"], 2),
        (&["list", "--object", "other"], 0),
        (&["list", "--since", "1h"], 2),
        (&["list", "--since", "2100-01-01"], 0),
        (&["search", "MEMORY LIMIT OF 32mi"], 2),
        (&["search", "raise the memory limit"], 1),
        (&["search", "zebra"], 0),
        (&["search", "killed", "--phase", "refused"], 1),
    ] {
        assert_eq!(count(args), found, "{args:?}");
    }
    let out = sandbox.aifix(&["audit", "search", "raise the memory limit"]).exits(0).out;
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].contains("pushed") && lines[0].ends_with("Deployment cat-oom-killed/web  oom-killed"), "{out}");
    assert!(lines[1].starts_with("          proposedFix.intent.subject: Raise the memory limit"), "{out}");
    let ran = sandbox.aifix(&["audit", "list", "--phase", "pushd"]).exits(2);
    assert!(ran.err.contains("pushed"), "{}", ran.err);
    let ran = sandbox.aifix(&["audit", "list", "--since", "yesterday"]).exits(2);
    assert!(ran.err.contains("2026-11-22T16:46:58Z, 12h, 7d or 4w"), "{}", ran.err);
}

#[test]
fn two_records_are_compared() {
    let sandbox = pushed_and_refused();
    let (pushed, refused) = (record(&sandbox, "pushed"), record(&sandbox, "refused"));
    let out = sandbox.aifix(&["audit", "diff", id(&refused), id(&pushed)]).exits(0).out;
    for part in [
        "Outcome\n",
        "  phase: \"refused\" -> \"pushed\"\n",
        "Refusal\n  code: \"already-proposed\" -> absent\n",
        "Fix\n",
        "Policies\n",
        "Diff of the diffs\n",
        "++            memory: 64Mi",
    ] {
        assert!(out.contains(part), "{part:?}:\n{out}");
    }
    assert!(!out.contains("Failure\n"), "it was the same failure:\n{out}");
    let same = sandbox.aifix(&["audit", "diff", id(&pushed), id(&pushed)]).exits(0).out;
    assert!(same.ends_with("They say the same.\n"), "{same}");
}

#[test]
fn evidence_is_erased_for_good_and_the_chain_holds() {
    let sandbox = pushed_and_refused();
    let pushed = record(&sandbox, "pushed");
    let evidence = "OOMKilled";
    let in_file = || {
        let bytes = fs::read(sandbox.path("state/records.db")).unwrap();
        bytes.windows(evidence.len()).any(|window| window == evidence.as_bytes())
    };
    assert!(pushed["spec"]["context"]["evidence"].to_string().contains(evidence) && in_file());
    let ran = sandbox.aifix(&["audit", "erase", id(&pushed)]).exits(2);
    assert!(ran.err.contains("--evidence"), "{}", ran.err);
    let ran = sandbox.aifix(&["audit", "erase", id(&pushed), "--evidence"]).exits(7);
    assert!(ran.err.contains("nobody to ask") && ran.err.contains("--yes"), "{}", ran.err);
    let args = ["audit", "erase", id(&pushed), "--evidence", "--yes", "--reason", "a customer's wish"];
    let ran = sandbox.aifix_in("work", &args).exits(0);
    assert!(ran.out.starts_with("erased: evidence of 1 entry in record "), "{}", ran.out);
    let commit = pushed["status"]["commit"].as_str().unwrap();
    assert!(ran.err.contains(&format!("the message of commit {commit} still quotes evidence")), "{}", ran.err);

    let after = sandbox.aifix(&["audit", "show", id(&pushed), "-o", "json"]).exits(0).json();
    assert_eq!(after["spec"]["context"]["evidence"], Value::Array(Vec::new()));
    assert_eq!(after["spec"]["proposedFix"]["diff"], pushed["spec"]["proposedFix"]["diff"]);
    assert_eq!(after["status"]["entries"][0]["hash"], pushed["status"]["entries"][0]["hash"]);
    let told = sandbox.aifix(&["audit", "show", id(&pushed)]).exits(0).out;
    assert!(told.contains("by Ada <ada@example.com>: a customer's wish\n") && !told.contains(evidence), "{told}");
    let ran = sandbox.aifix_in("work", &["audit", "verify"]).exits(0);
    assert!(ran.out.contains("erased    evidence of entry 1, as later entries say\n"), "{}", ran.out);

    let ran = sandbox.aifix(&["audit", "erase", id(&pushed), "--evidence", "--yes"]).exits(2);
    assert!(ran.err.contains("nothing to erase"), "{}", ran.err);
    let refused = record(&sandbox, "refused");
    sandbox.aifix(&["audit", "erase", id(&refused), "--evidence", "--yes"]).exits(0);
    assert!(!in_file(), "bytes of the evidence are left in the file");
}

#[test]
fn a_no_on_the_terminal_erases_nothing() {
    let sandbox = pushed_and_refused();
    let pushed = record(&sandbox, "pushed");
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.args(["audit", "erase", id(&pushed), "--evidence"]).env("TERM", "xterm").stdin(Stdio::inherit());
    let mut session = spawn_command(command, Some(30_000)).unwrap();
    session.exp_string("for good? [y/N]").unwrap();
    session.send_line("").unwrap();
    session.exp_string("nothing was erased").unwrap();
    session.exp_eof().unwrap();
    assert_eq!(record(&sandbox, "pushed"), pushed);
}

#[test]
fn a_key_is_replaced_and_a_wrong_or_missing_one_is_told_apart() {
    let sandbox = pushed_and_refused();
    let ran = sandbox.aifix(&["audit", "rotate-key"]).exits(0);
    assert!(ran.out.starts_with("in use: key ") && ran.out.ends_with(", of 2 keys\n"), "{}", ran.out);
    let mode = fs::metadata(sandbox.path("state/audit.key")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    propose(&sandbox, &["--push", "--yes=review"]).exits(4);
    let ran = sandbox.aifix(&["audit", "verify"]).exits(0);
    assert!(ran.out.starts_with("holds: 4 entries in 3 records\nkeys      2, each after the other\n"), "{}", ran.out);

    let keys = fs::read_to_string(sandbox.path("state/audit.key")).unwrap();
    // The second key alone.
    sandbox.write("state/audit.key", keys.lines().last().unwrap());
    let ran = sandbox.aifix(&["audit", "verify"]).exits(5);
    insta::assert_snapshot!(without_ids(&ran.err), @r"
    error: the records do not hold: entry 1 of record ID
      caused by: it was written under the key ID, which the key file does not hold
      hint: name the file that holds the key: set AIFIX_AUDIT_KEY_FILE
    ");
    sandbox.write("state/audit.key", &"ab".repeat(32));
    let ran = propose(&sandbox, &["--push", "--yes=review"]).exits(2);
    assert!(ran.err.contains("under another key than") && ran.err.contains("AIFIX_AUDIT_KEY_FILE"), "{}", ran.err);
    sandbox.aifix(&["audit", "list"]).exits(0);
    fs::remove_file(sandbox.path("state/audit.key")).unwrap();
    let ran = sandbox.aifix(&["audit", "rotate-key"]).exits(2);
    assert!(ran.err.contains("is gone") && ran.err.contains("from a backup"), "{}", ran.err);
    assert!(!sandbox.path("state/audit.key").exists());
    sandbox.write("state/audit.key", &keys);
    sandbox.aifix(&["audit", "verify"]).exits(0);
}

#[test]
fn a_home_that_can_only_be_read_is_read_and_a_push_says_so() {
    let sandbox = pushed_and_refused();
    let state = sandbox.path("state");
    let mode = |path: &std::path::Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&sandbox.path(""), 0o755);
    for name in ["records.db", "audit.key"] {
        mode(&state.join(name), 0o444);
    }
    mode(&state, 0o555);
    // The superuser may write everywhere: as somebody else, who can reach the binary.
    let binary = sandbox.path("aifix");
    fs::hard_link(env!("CARGO_BIN_EXE_aifix"), &binary)
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_aifix"), &binary).map(drop))
        .unwrap();
    let is_superuser = fs::metadata(&state).unwrap().uid() == 0;
    let run = |args: &[&str]| {
        let mut command = sandbox.command(binary.to_str().unwrap());
        if is_superuser {
            command.uid(65534).gid(65534);
        }
        Ran::of(&command.args(args).current_dir(sandbox.path("")).output().unwrap())
    };
    let list = run(&["audit", "list"]).exits(0).out;
    assert_eq!(list.lines().count(), 2, "{list}");
    run(&["audit", "verify"]).exits(0);
    run(&["audit", "search", "memory"]).exits(0);
    let first = list.split_whitespace().next().unwrap().to_owned();
    run(&["audit", "show", &first]).exits(0);
    for args in [&["audit", "erase", &first, "--evidence", "--yes"][..], &["audit", "rotate-key"]] {
        let ran = run(args).exits(2);
        assert!(ran.err.contains("can be read and not written") && ran.err.contains("hint:"), "{}", ran.err);
    }
    mode(&state, 0o700);
    for name in ["records.db", "audit.key"] {
        mode(&state.join(name), 0o600);
    }
    sandbox.aifix(&["audit", "verify"]).exits(0);
}

#[test]
fn a_home_that_can_only_be_read_gets_no_push() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("k8s/web.yaml", &oom_manifest())]);
    fs::create_dir(sandbox.path("state")).unwrap();
    let is_superuser = fs::metadata(sandbox.path("state")).unwrap().uid() == 0;
    // The superuser may write everywhere: all of it belongs to somebody else, who runs the binary.
    if is_superuser {
        let owner = format!("{NOBODY}:{NOBODY}");
        let given = sandbox.command("chown").args(["-R", &owner]).arg(sandbox.path("")).status().unwrap();
        assert!(given.success());
    }
    let binary = sandbox.path("aifix");
    fs::hard_link(env!("CARGO_BIN_EXE_aifix"), &binary)
        .or_else(|_| fs::copy(env!("CARGO_BIN_EXE_aifix"), &binary).map(drop))
        .unwrap();
    fs::set_permissions(sandbox.path("state"), fs::Permissions::from_mode(0o555)).unwrap();
    // The recording where it can be read.
    let from = recorded("oom-killed");
    for file in ["objects.json", "logs.txt", "taken-at"] {
        fs::copy(format!("{from}/{file}"), sandbox.path("home").join(file)).unwrap();
    }
    let run = |place: &str| {
        let mut command = sandbox.command(binary.to_str().unwrap());
        if is_superuser {
            command.uid(NOBODY).gid(NOBODY);
        }
        let from = sandbox.path("home");
        let args = ["propose", "deployment/web", "--push", "--yes=review", "--from", from.to_str().unwrap()];
        command.env("AIFIX_STATE_DIR", place).args(args).current_dir(sandbox.path("work"));
        Ran::of(&command.output().unwrap())
    };
    let inside = sandbox.path("state/records");
    let ran = run(inside.to_str().unwrap()).exits(2);
    assert!(ran.err.contains("can't be made") && ran.err.contains("hint: choose another place"), "{}", ran.err);
    let branches =
        || sandbox.git("remote.git", &["-c", "safe.directory=*", "for-each-ref", "--format=%(refname:short)"]);
    assert_eq!(branches(), "main", "no record, no push");
    // It was the place of the records alone that stood in the way.
    run(sandbox.path("elsewhere").to_str().unwrap()).exits(0);
    assert_eq!(branches().lines().count(), 2);
    fs::set_permissions(sandbox.path("state"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn records_of_a_newer_aifix_are_left_as_they_are_and_nothing_is_pushed() {
    let sandbox = pushed_and_refused();
    let heads = || sandbox.git("remote.git", &["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
    sandbox.git("remote.git", &["branch", "-D", heads().lines().next().unwrap()]);
    let file = sandbox.path("state/records.db");
    let mut bytes = fs::read(&file).unwrap();
    // The number of the version: https://www.sqlite.org/fileformat.html#user_version_number
    bytes[60..64].copy_from_slice(&3u32.to_be_bytes());
    fs::write(&file, &bytes).unwrap();
    let names = || {
        let entries = fs::read_dir(sandbox.path("state")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let newer = |ran: Ran| {
        let ran = ran.exits(2);
        assert!(ran.err.contains("were written by a newer aifix"), "{}", ran.err);
        assert!(ran.err.contains("hint: update aifix, or choose another place: set AIFIX_STATE_DIR"), "{}", ran.err);
    };
    for args in [&["audit", "list"][..], &["audit", "verify"], &["audit", "rotate-key"], &["status"]] {
        newer(sandbox.aifix_in("work", args));
    }
    newer(propose(&sandbox, &["--push", "--yes=review"]));
    assert_eq!(heads(), "main", "no record, no push");
    assert_eq!((fs::read(&file).unwrap() == bytes, names()), (true, before), "nothing was written");
}

#[test]
fn a_clock_that_jumped_is_told_by_verify_and_the_records_hold() {
    let sandbox = Sandbox::new();
    let mut store = Store::open(&sandbox.path("state"), None).unwrap();
    let refusal = json!({"refusal": {"code": "x", "message": "m", "hint": ""}});
    let mut told = |at: &str| {
        store.append(None, Phase::Refused, at, refusal.clone()).unwrap();
        sandbox.aifix(&["audit", "verify"]).exits(0).out
    };
    let row = "dated before the one before it: a clock was set back, or another machine's runs behind\n";
    assert!(!told("2026-01-02T03:04:05Z").contains("clock"));
    // Forward it is nothing that can be seen, until the clock is right again.
    assert!(!told("2099-01-01T00:00:00Z").contains("clock"));
    let out = told("2026-01-02T03:04:06Z");
    assert!(out.starts_with("holds: 3 entries") && out.contains(&format!("clock     entry 3 is {row}")), "{out}");
    let out = told("1970-01-01T00:00:00Z");
    assert!(out.starts_with("holds: 4 entries") && out.contains(&format!("clock     entry 3, 4 is {row}")), "{out}");
    let list = sandbox.aifix(&["audit", "list", "-o", "json"]).exits(0).json();
    let first = &list["items"][0]["status"]["entries"][0];
    assert_eq!(first["at"], "1970-01-01T00:00:00Z", "the order is that of writing: {first}");
}

/// Text with `ID` for every id and name of a key.
fn without_ids(text: &str) -> String {
    let is_id = |word: &str| word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
    let shown = words.map(|word| {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_id(bare) { word.replace(bare, "ID") } else { word.to_owned() }
    });
    shown.collect()
}

#[test]
fn the_help_names_what_can_be_asked() {
    let help = Sandbox::new().aifix(&["audit", "--help"]).exits(0).out;
    insta::assert_snapshot!(help, @r"
    Look at the records of decisions, and check that they hold

    Usage: aifix audit [OPTIONS] <COMMAND>

    Commands:
      list        List the newest records
      show        Show one record whole
      search      Find the records that say something
      diff        Compare two records: failure, context, fix, verdicts, what became of it
      export      Write records for other programs: objects, a log, or files for a Git repository
      verify      Check that no entry was changed, added or taken away
      erase       Erase what a record holds of evidence, for good
      rotate-key  Put a new key into use, and keep the old ones
      feedback    Say whether a fix was right: it moves fixes of the same code and shape up or down
      patterns    Say what recorded incidents have in common: a change before them, a workload, an
                  image, a label, an author, a time
      help        Print this message or the help of the given subcommand(s)

    Options:
          --color <WHEN>  When to use colour [default: auto] [possible values: auto, always, never]
      -q, --quiet         Say nothing but warnings and errors on stderr
      -h, --help          Print help
    ");
    for command in ["list", "show", "search", "diff", "export", "verify", "erase", "rotate-key"] {
        let help = Sandbox::new().aifix(&["audit", command, "--help"]).exits(0).out;
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
    }
}

#[test]
fn a_refusal_keeps_what_every_policy_and_a_model_said() {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &oom_manifest())]);
    let deny = "package team.small\n\ndeny contains \"no growth\" if { count(input.changes) > 0 }\n";
    sandbox.write("team/small.rego", deny);
    propose(&sandbox, &["--push", "--yes=review", "--policy", "../team"]).exits(5);
    let report = &record(&sandbox, "refused")["spec"]["policyReport"];
    let policies = report["policies"].as_array().unwrap();
    assert!(policies.iter().any(|policy| policy["decision"] == "deny") && policies.len() > 10, "{report:#}");
    assert!(policies.iter().all(|policy| policy["sha256"].as_str().unwrap().len() == 64), "{report:#}");
    assert_eq!(report["approvals"], Value::Array(Vec::new()));

    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &manifest("cat-crash-exit-2", "exit 2", None))]);
    let server = ModelServer::start(&[Act::Say("no JSON".to_owned())]);
    let (from, url) = (recorded("crash-app-error.exit-2"), server.url());
    let args = ["propose", "deployment/web", "--from", &from, "--push", "--yes=review", "--llm-url", &url];
    sandbox.aifix_in("work", &args).exits(4);
    let prompt = &record(&sandbox, "refused")["spec"]["prompt"];
    assert_eq!(prompt["answers"].as_array().unwrap().len() as u64, prompt["calls"].as_u64().unwrap(), "{prompt:#}");
    assert!(prompt["answers"][0]["failed"].is_string() && prompt["request"].is_object(), "{prompt:#}");
}

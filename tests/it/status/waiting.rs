//! `status --wait`: on a terminal, in a pipe, and when it is ended from outside.

use super::{later, merge, phases, pushed};
use crate::harness::{Ran, Sandbox, recorded};
use rexpect::process::WaitStatus;
use rexpect::session::spawn_command;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

const PATIENCE: u64 = 60_000;

/// A merged fix, and a folder that shows the cluster as it was before it.
fn merged() -> (Sandbox, PathBuf) {
    let sandbox = pushed();
    merge(&sandbox);
    let folder = sandbox.path("seen");
    fs::create_dir(&folder).unwrap();
    for file in ["objects.json", "taken-at"] {
        fs::copy(format!("{}/{file}", recorded("oom-killed")), folder.join(file)).unwrap();
    }
    (sandbox, folder)
}

/// The cluster gets the change and is well, between two looks.
fn heal(sandbox: &Sandbox) {
    let well = later(sandbox, "64Mi", true);
    for file in ["taken-at", "objects.json"] {
        fs::rename(format!("{well}/{file}"), sandbox.path("seen").join(file)).unwrap();
    }
}

fn waiting(sandbox: &Sandbox, time: &str) -> Command {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.args(["status", "--wait", time, "--from"]).arg(sandbox.path("seen"));
    command.current_dir(sandbox.path("work")).env("TERM", "xterm").env("NO_COLOR", "1");
    command
}

#[test]
fn a_terminal_shows_what_is_waited_for_and_ctrl_c_loses_nothing() {
    let (sandbox, _) = merged();
    let mut command = waiting(&sandbox, "10m");
    command.stdin(Stdio::inherit());
    let mut session = spawn_command(command, Some(PATIENCE)).unwrap();
    session.exp_string("Looking at Deployment/web").unwrap();
    session.exp_string("Deployment/web: merged\r\n").unwrap();
    session.exp_regex(r"Waiting, (10|9) min.* left; Deployment/web: merged").unwrap();
    session.send_control('c').unwrap();
    let rest = session.exp_eof().unwrap();
    let last = rest.rsplit(['\r', '\n']).find(|line| !line.is_empty()).unwrap();
    assert!(last.ends_with("Interrupted"), "{rest:?}");
    assert!(matches!(session.process().wait().unwrap(), WaitStatus::Exited(_, 130)));
    // What was seen is on disk, and the next run goes on from there.
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged"]);
    heal(&sandbox);
    Ran::of(&waiting(&sandbox, "1m").output().unwrap()).exits(0);
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged", "synced", "rolled-out", "healed"]);
}

#[test]
fn a_terminal_is_left_clean_when_the_time_is_over() {
    let (sandbox, _) = merged();
    let mut command = waiting(&sandbox, "1s");
    command.stdin(Stdio::inherit());
    let mut session = spawn_command(command, Some(PATIENCE)).unwrap();
    session.exp_string("left; Deployment/web: merged").unwrap();
    session.exp_string("\u{1b}[2K").unwrap();
    let rest = session.exp_eof().unwrap();
    let answer = rest.rsplit_once("\u{1b}[2K").map_or(rest.as_str(), |(_, answer)| answer);
    assert!(answer.starts_with("merged  Deployment cat-oom-killed/web  oom-killed\r\n"), "{rest:?}");
    assert!(answer.contains("still there: oom-killed: "), "{rest:?}");
    assert!(matches!(session.process().wait().unwrap(), WaitStatus::Exited(_, 6)));
}

#[test]
fn a_fix_that_heals_within_the_wait_ends_it() {
    let (sandbox, _) = merged();
    let mut child = waiting(&sandbox, "30s").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "Deployment/web: merged");
    heal(&sandbox);
    let ran = Ran::of(&child.wait_with_output().unwrap()).exits(0);
    assert!(ran.out.starts_with("healed  Deployment cat-oom-killed/web  oom-killed\n"), "{}", ran.out);
    assert!(lines.next().is_none(), "a pipe gets a line per change, and no progress");
    assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged", "synced", "rolled-out", "healed"]);
}

#[test]
fn a_pipeline_that_ends_the_wait_gets_no_answer_and_keeps_the_record() {
    for (signal, code, words) in [("INT", 130, "Interrupted"), ("TERM", 143, "Interrupted")] {
        let (sandbox, _) = merged();
        let mut command = waiting(&sandbox, "10m");
        let mut child = command.args(["-o", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "Deployment/web: merged");
        assert!(
            Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap().success()
        );
        let ran = Ran::of(&child.wait_with_output().unwrap()).exits(code);
        assert_eq!(ran.out, "", "{signal}: half a document is none");
        assert_eq!(lines.next().unwrap().unwrap(), words, "{signal}");
        assert_eq!(phases(&sandbox), ["proposed", "pushed", "merged"], "{signal}");
    }
}

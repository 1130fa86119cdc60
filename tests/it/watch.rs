//! `aifix scan --watch`: on a terminal, in a pipe, and when the cluster goes and comes back.

use crate::api_server::{Act, ApiServer};
use crate::contexts::kubeconfig;
use crate::harness::Sandbox;
use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

const PATIENCE: u64 = 60_000;
const NO_PODS: &str = r#"{"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": []}"#;

fn watching(server: &ApiServer, user: Value) -> Sandbox {
    let mut sandbox = Sandbox::new();
    sandbox.use_kubeconfig(&kubeconfig(&[("lab", server.port(), user)]));
    sandbox
}

/// `aifix scan -A --watch 1s` with these further flags.
fn command(sandbox: &Sandbox, flags: &[&str]) -> Command {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_aifix"));
    command.args(["scan", "-A", "--watch", "1s"]).args(flags);
    command
}

/// On a pseudo-terminal; the file `pid` tells which process it is.
fn on_a_terminal(sandbox: &Sandbox) -> PtySession {
    let mut command = sandbox.command("sh");
    command.args(["-c", "echo $$ > \"$0\"; exec \"$@\""]).arg(sandbox.path("pid"));
    command.args([env!("CARGO_BIN_EXE_aifix"), "scan", "-A", "--watch", "1s"]);
    command.env("TERM", "xterm").env("NO_COLOR", "1").stdin(Stdio::inherit());
    spawn_command(command, Some(PATIENCE)).unwrap()
}

#[test]
fn a_terminal_is_drawn_anew_and_given_back() {
    let server = ApiServer::recorded("oom-killed");
    server.once("/pods?", Act::Body(NO_PODS.to_owned()));
    let sandbox = watching(&server, json!({}));
    let mut session = on_a_terminal(&sandbox);
    session.exp_string("\u{1b}[?1049h\u{1b}[?25l\u{1b}[H").unwrap();
    session.exp_string("Every 1 s, last look 16:46:58 UTC; Ctrl-C ends").unwrap();
    session.exp_string("nothing came and nothing healed").unwrap();
    session.exp_string("Since 16:46:58 UTC new or worse: Deployment/web in cat-oom-killed oom-killed").unwrap();
    server.dies_after(0);
    session.exp_string("STALE  context lab: not seen since 16:").unwrap();
    session.exp_string("critical  Deployment/web in cat-oom-killed  oom-killed").unwrap();
    server.dies_after(usize::MAX);
    session.exp_string("Ctrl-C ends\r\nSince").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("\u{1b}[?25h\u{1b}[?1049l").unwrap();
    session.exp_eof().unwrap();
    assert!(matches!(session.process().wait().unwrap(), WaitStatus::Exited(_, 130)));
}

#[test]
fn the_stop_key_gives_the_terminal_back_until_it_goes_on() {
    let server = ApiServer::recorded("oom-killed");
    let sandbox = watching(&server, json!({}));
    let mut session = on_a_terminal(&sandbox);
    session.exp_string("\u{1b}[?1049h").unwrap();
    session.exp_string("oom-killed").unwrap();
    session.send_control('z').unwrap();
    session.exp_string("\u{1b}[?25h\u{1b}[?1049l").unwrap();
    let pid = std::fs::read_to_string(sandbox.path("pid")).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap().contains(") T ");
    while cfg!(target_os = "linux") && !state() {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(Command::new("kill").args(["-CONT", pid.trim()]).status().unwrap().success());
    session.exp_string("\u{1b}[?1049h\u{1b}[?25l\u{1b}[H").unwrap();
    session.exp_string("oom-killed").unwrap();
    session.send_control('c').unwrap();
    session.exp_eof().unwrap();
    assert!(matches!(session.process().wait().unwrap(), WaitStatus::Exited(_, 130)));
}

#[test]
fn a_terminal_is_given_back_when_it_is_terminated() {
    let server = ApiServer::recorded("oom-killed");
    let sandbox = watching(&server, json!({}));
    let mut session = on_a_terminal(&sandbox);
    session.exp_string("oom-killed").unwrap();
    let status = session.process_mut().exit().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 143)), "{status:?}");
    session.exp_string("\u{1b}[?25h\u{1b}[?1049l").unwrap();
    session.exp_eof().unwrap();
}

/// A run whose stdout is a pipe.
struct Piped {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Piped {
    fn start(sandbox: &Sandbox, flags: &[&str]) -> Self {
        let mut child = command(sandbox, flags).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().unwrap().unwrap()
    }

    /// Reads up to a line that has this in it.
    fn until(&mut self, part: &str) -> String {
        let mut text = String::new();
        loop {
            let line = self.line();
            text.push_str(&format!("{line}\n"));
            if line.contains(part) {
                return text;
            }
        }
    }

    fn report(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// The next report that is stale or is not. One between them saw only a part, when the server went in its middle.
    fn report_that_is(&mut self, stale: bool, gaps: usize) -> Value {
        loop {
            let report = self.report();
            let found = report["contexts"][0]["gaps"].as_array().unwrap();
            let is_stale = found.iter().any(|gap| gap["what"] == "context lab");
            if is_stale == stale && (stale || found.len() == gaps) {
                return report;
            }
        }
    }

    /// Stops reading; what it ends with, and what it said.
    fn close(self) -> (Option<i32>, String) {
        let Self { mut child, lines } = self;
        drop(lines);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (child.wait().unwrap().code(), err)
    }
}

#[test]
fn json_is_a_line_per_change_and_a_reader_that_goes_away_ends_it() {
    let server = ApiServer::recorded("oom-killed");
    let sandbox = watching(&server, json!({}));
    let mut run = Piped::start(&sandbox, &["-o", "json"]);
    let first = run.report();
    assert_eq!(
        (first["kind"].as_str(), first["findings"][0]["code"].as_str()),
        (Some("ScanReport"), Some("oom-killed"))
    );
    let gaps = first["contexts"][0]["gaps"].as_array().unwrap().len();
    let requests = server.seen().len();

    server.dies_after(0);
    let stale = run.report_that_is(true, 0);
    assert_eq!(stale["findings"][0]["code"], "oom-killed", "the last report is kept");
    let gap = &stale["contexts"][0]["gaps"][0];
    assert_eq!((gap["what"].as_str(), gap["essential"].as_bool()), (Some("context lab"), Some(true)), "{gap}");
    assert!(gap["why"].as_str().unwrap().contains("what is shown is of 16:46:58 UTC"), "{gap}");

    server.dies_after(usize::MAX);
    let back = run.report_that_is(false, gaps);
    assert_eq!((&back["findings"], &back["contexts"]), (&first["findings"], &first["contexts"]));
    let looks = server.targets("/pods?").len();
    assert!(
        requests <= 30 && server.seen().len() <= 30 * looks,
        "{requests}, {} in {looks} looks",
        server.seen().len()
    );

    server.dies_after(0);
    let (code, err) = run.close();
    assert_eq!((code, err.as_str()), (Some(0), ""));
}

#[test]
fn a_pipe_gets_text_only_when_something_changed() {
    let server = ApiServer::recorded("oom-killed");
    let sandbox = watching(&server, json!({}));
    let mut run = Piped::start(&sandbox, &["--ignore", "probe-*"]);
    let first = run.until("Next: ");
    assert!(first.starts_with("--- 2026-11-22 16:46:58 UTC\nEvery 1 s"), "{first}");
    // Some looks bring nothing new.
    while server.targets("/pods?").len() < 3 {
        std::thread::sleep(Duration::from_millis(50));
    }
    server.dies_after(0);
    let second = run.until("STALE");
    // A look that the server left in its middle may stand between.
    assert!(second.matches("--- ").count() <= 2, "{second}");
    assert!(!second.contains('\u{1b}'), "{second}");
    server.dies_after(usize::MAX);
    run.until("--- ");
    server.dies_after(0);
    let (code, err) = run.close();
    assert_eq!((code, err.as_str()), (Some(0), "`--ignore probe-*` matched nothing so far\n"));
}

#[test]
fn a_credential_that_expires_is_renewed_without_a_word() {
    let server = ApiServer::recorded("oom-killed");
    let mut sandbox = Sandbox::new();
    let calls = sandbox.path("calls");
    let script = format!(
        "echo x >> {0}; echo '{{\"kind\": \"ExecCredential\", \"status\": {{\"token\": \"t'$(wc -l < {0})'\"}}}}'",
        calls.display()
    );
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script]});
    sandbox.use_kubeconfig(&kubeconfig(&[("lab", server.port(), json!({"exec": exec}))]));
    let mut run = Piped::start(&sandbox, &["-o", "json"]);
    run.report();
    server.expires("t1");
    let with = |token: &str| {
        let token = format!("Bearer {token}");
        server.seen().iter().filter(|seen| seen.headers["authorization"][0] == token).count()
    };
    while with("t2") < 20 {
        std::thread::sleep(Duration::from_millis(50));
    }
    server.dies_after(0);
    let next = run.report_that_is(true, 0);
    let why = next["contexts"][0]["gaps"][0]["why"].as_str().unwrap();
    assert!(why.contains("closed the connection"), "the first that was said is of a server that is gone: {why}");
    assert!(std::fs::read_to_string(&calls).unwrap().lines().count() >= 2);
    // A change, so that it writes, and learns that nobody reads.
    server.dies_after(usize::MAX);
    assert_eq!(run.close().0, Some(0));
}

#[test]
fn what_can_not_be_watched_is_refused() {
    let server = ApiServer::recorded("oom-killed");
    let sandbox = watching(&server, json!({}));
    for flags in [&["--from", "x.json"][..], &["--write-baseline", "x.json"], &["--context", "nowhere"]] {
        assert_eq!(command(&sandbox, flags).output().unwrap().status.code(), Some(2), "{flags:?}");
    }
    let ran = sandbox.aifix(&["scan", "--watch", "200ms"]).exits(2);
    assert!(ran.err.contains("at least a second"), "{}", ran.err);
    server.dies_after(0);
    let ran = sandbox.aifix(&["scan", "--watch"]).exits(3);
    assert!(ran.out.is_empty(), "the first look must succeed");
}

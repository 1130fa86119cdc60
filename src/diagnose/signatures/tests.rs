//! Lines of real logs and what they mean.
#![allow(clippy::unwrap_used, reason = "a test that finds nothing fails")]

use super::*;

fn find(log: &str) -> Option<Hit> {
    let lines: Vec<LogLine> = log.lines().map(|text| LogLine { at: None, text: text.to_owned() }).collect();
    search(&lines, |hit| hit.id != "env-unset" || hit.get("var").is_some_and(|name| name != "IS_SET"))
}

fn code(hit: &Hit) -> &'static str {
    hit.code.map_or("-", |code| code.name)
}

#[test]
fn every_shape_compiles() {
    assert!(SHAPES.iter().all(|shape| shape.regex().is_some()));
    assert_eq!(STOPS.len(), 4);
    assert_eq!(ANY.as_ref().map(RegexSet::len), Some(ROWS.iter().map(|row| row.shapes.len()).sum::<usize>()));
    assert!(PY_ERROR.is_some() && NODE_ERROR.is_some() && LEVEL.is_some());
}

#[test]
fn lines_of_logs_select_a_code_and_fill_its_captures() {
    for (line, id, want, captures) in [
        (
            "dial tcp 10.0.0.5:5432: connect: connection refused",
            "conn-refused",
            "crash-dependency-refused",
            &[("host", "10.0.0.5"), ("port", "5432")][..],
        ),
        (
            "Error: connect ECONNREFUSED db:5432",
            "conn-refused",
            "crash-dependency-refused",
            &[("host", "db"), ("port", "5432")],
        ),
        (
            "wget: can't connect to remote host (10.1.2.3): Connection refused",
            "conn-refused",
            "crash-dependency-refused",
            &[("host", "10.1.2.3")],
        ),
        (
            "connection to server at \"db\" (10.9.9.9), port 5432 failed: Connection refused",
            "conn-refused",
            "crash-dependency-refused",
            &[("port", "5432")],
        ),
        (
            "dial tcp 10.0.0.5:5432: i/o timeout",
            "conn-timeout",
            "crash-dependency-timeout",
            &[("host", "10.0.0.5"), ("port", "5432")],
        ),
        (";; connection timed out; no servers could be reached", "dns-down", "crash-dns", &[]),
        ("getaddrinfo EAI_AGAIN db", "dns-down", "crash-dns", &[("host", "db")]),
        (
            "** server can't find db.prod.svc.cluster.local: NXDOMAIN",
            "dns-nx",
            "crash-dns",
            &[("host", "db.prod.svc.cluster.local")],
        ),
        ("dial tcp: lookup postgress on 10.96.0.10:53: no such host", "dns-nx", "crash-dns", &[("host", "postgress")]),
        ("wget: bad address 'orders'", "dns-nx", "crash-dns", &[("host", "orders")]),
        (
            "nginx: [emerg] host not found in upstream \"api:80\" in /etc/nginx/nginx.conf:7",
            "cfg-nginx-upstream",
            "crash-dns",
            &[("host", "api"), ("port", "80")],
        ),
        (
            "nginx: [emerg] unknown directive \"servr\" in /etc/nginx/nginx.conf:7",
            "cfg-nginx",
            "crash-config-parse",
            &[("path", "/etc/nginx/nginx.conf"), ("line", "7")],
        ),
        (
            "mkdir: can't create directory '/data': Permission denied",
            "perm",
            "crash-permission-denied",
            &[("path", "/data")],
        ),
        (
            "cannot open /dev/kmsg: Operation not permitted",
            "perm",
            "crash-permission-denied",
            &[("path", "/dev/kmsg"), ("owner", "Operation not permitted")],
        ),
        (
            "Error: EACCES: permission denied, open '/data/x.db'",
            "perm",
            "crash-permission-denied",
            &[("path", "/data/x.db")],
        ),
        ("httpd: bind: Permission denied", "bind-perm", "crash-port-privileged", &[]),
        ("listen tcp :80: bind: permission denied", "bind-perm", "crash-port-privileged", &[("port", "80")]),
        (
            "sh: can't create /var/run/app.pid: Read-only file system",
            "rofs",
            "crash-read-only-fs",
            &[("path", "/var/run/app.pid")],
        ),
        ("dd: error writing '/cache/x': No space left on device", "enospc", "crash-disk-full", &[("path", "/cache/x")]),
        (
            "ENOSPC: System limit for number of file watchers reached, watch '/app'",
            "emfile",
            "crash-too-many-files",
            &[],
        ),
        ("httpd: bind: Address already in use", "addr-in-use", "crash-port-in-use", &[]),
        (
            "listen tcp 0.0.0.0:8080: bind: address already in use",
            "addr-in-use",
            "crash-port-in-use",
            &[("port", "8080")],
        ),
        (
            "Error: listen EADDRINUSE: address already in use :::3000",
            "addr-in-use",
            "crash-port-in-use",
            &[("port", "3000")],
        ),
        ("exec /b/server: exec format error", "exec-fmt", "exec-format-error", &[("path", "/b/server")]),
        ("exec /b/run.sh: no such file or directory", "interp", "script-crlf", &[("path", "/b/run.sh")]),
        (
            "panic: could not open config /etc/app/config.yaml: no such file or directory",
            "enoent",
            "crash-file-missing",
            &[("path", "/etc/app/config.yaml")],
        ),
        (
            "FileNotFoundError: [Errno 2] No such file or directory: 'settings.ini'",
            "enoent",
            "crash-file-missing",
            &[("path", "settings.ini")],
        ),
        (
            "read /etc/app/app.yml: is a directory",
            "enoent",
            "crash-file-missing",
            &[("path", "/etc/app/app.yml"), ("folder", "is a directory")],
        ),
        ("sh: DATABASE_URL: must be set", "env-unset", "crash-env-missing", &[("var", "DATABASE_URL")]),
        ("KeyError: 'API_TOKEN'", "env-unset", "crash-env-missing", &[("var", "API_TOKEN")]),
        ("sh: 1: PORT: parameter not set", "env-unset", "crash-env-missing", &[("var", "PORT")]),
        ("Error: invalid value for --workers: \"many\"", "bad-flag", "crash-bad-args", &[("flag", "--workers")]),
        ("flag provided but not defined: -prot", "bad-flag", "crash-bad-args", &[("flag", "-prot")]),
        ("Error: unknown flag: --prot", "bad-flag", "crash-bad-args", &[("flag", "--prot")]),
        (
            "open /var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory",
            "sa-token",
            "sa-token-missing",
            &[("file", "token")],
        ),
        (
            "error while loading shared libraries: libpq.so.5: cannot open shared object file: No such file or directory",
            "lib",
            "crash-missing-library",
            &[("lib", "libpq.so.5")],
        ),
        ("ModuleNotFoundError: No module named 'flask'", "py-module", "crash-missing-module", &[("module", "flask")]),
        (
            "Error: Cannot find module '/app/server.js'",
            "node-module",
            "crash-missing-module",
            &[("module", "/app/server.js")],
        ),
        ("FATAL:  password authentication failed for user \"app\"", "pg-auth", "crash-db-auth", &[("user", "app")]),
        ("relation \"users\" already exists", "pg-db", "crash-migration", &[("name", "users")]),
        (
            "error: Dirty database version 12. Fix and force version.",
            "migration",
            "crash-migration",
            &[("version", "12")],
        ),
        ("sh: nosuchtool: not found", "sh-notfound", "crash-exit-127", &[("program", "nosuchtool")]),
        ("java.lang.OutOfMemoryError: Java heap space", "jvm-oom", "oom-runtime-heap", &[("kind", "Java heap space")]),
        (
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            "node-oom",
            "oom-runtime-heap",
            &[],
        ),
        ("x509: certificate is valid for a.example, not b.example", "x509-name", "crash-tls", &[("host", "b.example")]),
        ("x509: certificate signed by unknown authority", "x509-ca", "crash-tls", &[]),
        (
            "Web server failed to start. Port 8080 was already in use.",
            "addr-in-use",
            "crash-port-in-use",
            &[("port", "8080")],
        ),
        (
            "GET https://api.example.com/v1: status 429",
            "http-4xx",
            "crash-quota-upstream",
            &[("host", "api.example.com"), ("status", "429")],
        ),
        ("license has expired", "license", "crash-license", &[]),
        ("connection reset by peer", "conn-reset", "-", &[]),
        (
            "yaml: line 12: mapping values are not allowed in this context",
            "cfg-parse",
            "crash-config-parse",
            &[("line", "12")],
        ),
    ] {
        let hit = find(line).unwrap();
        assert_eq!((hit.id, code(&hit)), (id, want), "{line}");
        for (name, value) in captures {
            assert_eq!(hit.get(name), Some(*value), "{line}: {name}");
        }
    }
}

#[test]
fn a_refusal_of_the_api_names_who_may_not_do_what() {
    let line = "E1122 pods is forbidden: User \"system:serviceaccount:shop:reader\" cannot list resource \"pods\" in API \
                group \"\" in the namespace \"shop\"";
    let hit = find(line).unwrap();
    assert!(hit.strong);
    for (name, value) in [("ns", "shop"), ("sa", "reader"), ("verb", "list"), ("resource", "pods"), ("group", "")] {
        assert_eq!(hit.get(name), Some(value));
    }
}

#[test]
fn words_of_chatter_are_no_signature() {
    for line in [
        "Using in-cluster config",
        "listening on :8080",
        "ERROR config file is missing",
        "IS_SET is not set",
        "unable to retrieve container logs for containerd://abc: connection refused",
        "no such bucket",
        "migrate: relation users does not exist",
        "permission denied for table users",
        "Permission denied for row 12:34",
        "was Killed by the boss",
    ] {
        assert!(find(line).is_none(), "{line}");
    }
}

#[test]
fn the_last_specific_line_wins_and_a_trace_stops_the_search() {
    let id = |log: &str| find(log).map(|hit| hit.id);
    assert_eq!(id("dial tcp 1.2.3.4:80: connection refused\nsh: DATABASE_URL: must be set\nbye"), Some("env-unset"));
    assert_eq!(
        id("connection refused, retrying\npanic: nil map\n\ngoroutine 1 [running]:\n\t/src/a.go:1"),
        Some("go-panic")
    );
    assert_eq!(id("Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: nope"), Some("py-trace"));
    assert_eq!(id("Traceback (most recent call last):\nKeyError: 'API_TOKEN'"), Some("env-unset"));
    assert_eq!(id("TypeError: x is not a function\n    at run (/app/a.js:1)"), Some("node-trace"));
    assert_eq!(id("ValueError: handled\nbye"), None);
    let rust = find("thread 'main' panicked at src/main.rs:3:5:\nno luck\nnote: run with it").unwrap();
    assert!(rust.line.text.ends_with("no luck"), "{}", rust.line.text);
}

#[test]
fn usage_after_a_bad_flag_belongs_to_it() {
    let log = "unknown flag: --prot\nUsage of app:\n  --token string   API_TOKEN is required\n";
    assert_eq!(find(log).unwrap().id, "bad-flag");
}

#[test]
fn envelopes_and_levels_do_not_hide_a_line() {
    for line in [
        "2026-01-02 03:04:05,678 ERROR exec /b/server: exec format error",
        r#"{"level":"error","msg":"start","error":"exec /b/server: exec format error"}"#,
        "\u{1b}[31m[FATAL] exec /b/server: exec format error\u{1b}[0m",
    ] {
        assert_eq!(find(line).unwrap().get("path"), Some("/b/server"), "{line}");
    }
}

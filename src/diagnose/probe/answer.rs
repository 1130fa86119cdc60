//! What the kubelet says of a probe.

use regex::Regex;
use std::sync::LazyLock;

/// One answer to a probe, as an Unhealthy event tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nobody listens on this port.
    Refused(i64),
    Path(i64),
    Auth(i64),
    Server(i64),
    /// The scheme that the server speaks.
    Speaks(&'static str),
    Timeout,
    Unimplemented,
    NotServing,
    /// The output of a command.
    Said(String),
    /// It could not run: no port of this name.
    NoPort(String),
    /// It could not run: no such program.
    NoCommand(String),
    Other,
}

static REFUSED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shape = r#"(?:dial tcp \S+:(\d+): connect: connection refused|failed to connect service "[^"]*:(\d+)" within)"#;
    Regex::new(shape).ok()
});
static STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"failed with statuscode: (\d+)").ok());
static NO_PORT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"strconv\.Atoi: parsing "([^"]*)": invalid syntax"#).ok());
static NO_COMMAND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"exec: "([^"]*)": (?:stat [^:"]*: no such file or directory|executable file not found)"#).ok()
});

fn first(shape: &LazyLock<Option<Regex>>, text: &str) -> Option<String> {
    let found = shape.as_ref()?.captures(text)?;
    found.get(1).or(found.get(2)).map(|found| found.as_str().to_owned())
}

/// Reads `Readiness probe failed: ...` or `Readiness probe errored and resulted in unknown state: ...`.
/// They do not mix: what could not run never counts.
pub(super) fn read(text: &str, is_exec: bool) -> Answer {
    if text.contains(" probe errored") {
        let port = first(&NO_PORT, text).map(Answer::NoPort);
        return port.or_else(|| first(&NO_COMMAND, text).map(Answer::NoCommand)).unwrap_or(Answer::Other);
    }
    let said = text.split_once(" probe failed: ").map_or(text, |(_, said)| said);
    if let Some(port) = first(&REFUSED, said).and_then(|port| port.parse().ok()) {
        return Answer::Refused(port);
    }
    if let Some(status) = first(&STATUS, said).and_then(|status| status.parse().ok()) {
        return match status {
            404 | 405 | 410 => Answer::Path(status),
            401 | 403 => Answer::Auth(status),
            500..=599 => Answer::Server(status),
            _ => Answer::Other,
        };
    }
    let has = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    if has(&["server gave HTTP response to HTTPS client"]) {
        Answer::Speaks("HTTP")
    } else if has(&[r#"malformed HTTP response "\x15\x03"#]) {
        Answer::Speaks("HTTPS")
    } else if has(&["does not implement the grpc health protocol"]) {
        Answer::Unimplemented
    } else if has(&["service unhealthy (responded with"]) {
        Answer::NotServing
    } else if has(&["Client.Timeout exceeded", "command timed out", "context deadline exceeded", "i/o timeout"]) {
        Answer::Timeout
    } else if is_exec {
        Answer::Said(said.trim().to_owned())
    } else {
        Answer::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_of_an_unhealthy_event_is_read() {
        let oci = "rpc error: code = Unknown desc = failed to exec in container: failed to start exec \"ab\": OCI runtime exec \
                   failed: exec failed: unable to start container process: exec: \"/bin/check\": stat /bin/check: no such \
                   file or directory: unknown";
        for (text, want) in [
            (
                r#"Readiness probe failed: Get "http://10.88.0.1:9090/": dial tcp 10.88.0.1:9090: connect: connection refused"#,
                Answer::Refused(9090),
            ),
            ("Liveness probe failed: dial tcp [fd00::1]:9090: connect: connection refused", Answer::Refused(9090)),
            (
                r#"Readiness probe failed: timeout: failed to connect service "10.88.0.160:9090" within 1s: context deadline exceeded"#,
                Answer::Refused(9090),
            ),
            ("Readiness probe failed: HTTP probe failed with statuscode: 404", Answer::Path(404)),
            ("Readiness probe failed: HTTP probe failed with statuscode: 403", Answer::Auth(403)),
            ("Readiness probe failed: HTTP probe failed with statuscode: 503", Answer::Server(503)),
            ("Readiness probe failed: HTTP probe failed with statuscode: 400", Answer::Other),
            (
                r#"Readiness probe failed: Get "https://1.2.3.4:8080/": http: server gave HTTP response to HTTPS client"#,
                Answer::Speaks("HTTP"),
            ),
            (
                r#"Readiness probe failed: Get "http://1.2.3.4:8443/": net/http: HTTP/1.x transport connection broken: malformed HTTP response "\x15\x03\x01""#,
                Answer::Speaks("HTTPS"),
            ),
            (
                r#"Readiness probe failed: Get "http://1.2.3.4:80/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"#,
                Answer::Timeout,
            ),
            (r#"Liveness probe failed: command timed out: "sleep 5" timed out after 1s"#, Answer::Timeout),
            (
                "Readiness probe failed: error: this server does not implement the grpc health protocol (grpc.health.v1.Health): x",
                Answer::Unimplemented,
            ),
            (r#"Readiness probe failed: service unhealthy (responded with "NOT_SERVING")"#, Answer::NotServing),
            (
                r#"Readiness probe errored and resulted in unknown state: strconv.Atoi: parsing "htpp": invalid syntax"#,
                Answer::NoPort("htpp".to_owned()),
            ),
        ] {
            assert_eq!(read(text, false), want, "{text}");
        }
        let errored = format!("Liveness probe errored and resulted in unknown state: {oci}");
        assert_eq!(read(&errored, true), Answer::NoCommand("/bin/check".to_owned()));
        assert_eq!(read("Readiness probe failed: not yet\n", true), Answer::Said("not yet".to_owned()));
        assert_eq!(read("Readiness probe failed: not yet\n", false), Answer::Other);
    }
}

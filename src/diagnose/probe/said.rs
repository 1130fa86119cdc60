//! Probes that get an answer, and it is no.

use super::failing::Failing;
use super::{Answer, probe_of, rows, show, was_ready, who};
use crate::diagnose::eviction;
use crate::diagnose::observe::Observation;
use crate::diagnose::view::Running;
use crate::model::code::CodeInfo;
use crate::model::finding::{Confidence, Severity, Source};
use crate::model::quantity::Quantity;
use crate::text;
use serde_json::json;

/// A cpu limit below this makes even small checks slow.
const SMALL_CPU: i128 = 200;

/// One finding for each kind of answer; probes with the same answer are one.
pub(super) fn observe(container: &Running<'_, '_>, failing: &[Failing<'_>]) -> Vec<Observation> {
    let mut out: Vec<Observation> = Vec::new();
    for one in failing {
        let Some(code) = code(&one.answer) else { continue };
        if out.iter().any(|seen| seen.code.name == code.name) {
            continue;
        }
        let alike: Vec<&Failing<'_>> =
            failing.iter().filter(|other| self::code(&other.answer).is_some_and(|c| c.name == code.name)).collect();
        out.push(tell(container, code, one, &alike));
    }
    if out.iter().any(|seen| seen.code.name == rows::PROBE_TIMEOUT.name) {
        out.extend(throttled(container));
    }
    out
}

fn code(answer: &Answer) -> Option<&'static CodeInfo> {
    Some(match answer {
        Answer::Path(_) => &rows::PROBE_PATH_MISSING,
        Answer::Auth(_) => &rows::PROBE_AUTH_REQUIRED,
        Answer::Server(_) => &rows::PROBE_SERVER_ERROR,
        Answer::Speaks(_) => &rows::PROBE_SCHEME_MISMATCH,
        Answer::Timeout => &rows::PROBE_TIMEOUT,
        Answer::Unimplemented => &rows::PROBE_GRPC_UNIMPLEMENTED,
        Answer::NotServing => &rows::PROBE_GRPC_NOT_SERVING,
        Answer::Said(_) => &rows::PROBE_EXEC_FAILED,
        Answer::NoPort(_) => &rows::PROBE_NAMED_PORT_MISSING,
        Answer::NoCommand(_) => &rows::PROBE_EXEC_COMMAND_MISSING,
        Answer::Refused(_) | Answer::Other => return None,
    })
}

fn tell(
    container: &Running<'_, '_>,
    code: &'static CodeInfo,
    first: &Failing<'_>,
    alike: &[&Failing<'_>],
) -> Observation {
    let kinds: Vec<String> = alike.iter().map(|one| one.kind.to_lowercase()).collect();
    let who = who(alike, &container.status.name);
    let does = |one, many| super::does(alike, one, many);
    let probe = container.spec.and_then(|spec| probe_of(spec, first.field));
    let path = probe.and_then(|probe| probe.http_get.as_ref()).map(|get| get.path.clone()).unwrap_or_default();
    let mut seen = Observation::of_container(code, container);
    seen.message = format!("{kinds:?} {:?}", first.answer);
    seen.summary = match &first.answer {
        Answer::Path(status) | Answer::Auth(status) => {
            format!("{who} {} for {path} and {} {status}", does("asks", "ask"), does("gets", "get"))
        }
        Answer::Server(status) => {
            format!("{who} {} {status} from {path}: the program says that it is not well", does("gets", "get"))
        }
        Answer::Speaks(scheme) => {
            let asked = if *scheme == "HTTP" { "HTTPS" } else { "HTTP" };
            format!("{who} {} {asked} and the program answers {scheme}", does("speaks", "speak"))
        }
        Answer::Timeout => {
            let seconds = probe.map_or(1, |probe| probe.timeout_seconds.max(1));
            format!("{who} {} no answer within {seconds} s", does("gets", "get"))
        }
        Answer::Unimplemented => format!("{who} {} a server without the grpc health service", does("asks", "ask")),
        Answer::NotServing => format!("{who} {} told that the service is not serving", does("is", "are")),
        Answer::Said(output) => format!("{who} {}: {}", does("fails", "fail"), text::clip(output, 120)),
        Answer::NoPort(port) => no_port(container, &format!("{who} {}", does("names", "name")), port),
        Answer::NoCommand(program) => match first.field {
            "livenessProbe" => {
                format!("{who} never {}: {program} is not in the image, so nothing protects it", does("runs", "run"))
            }
            _ => format!("{who} never {}: {program} is not in the image", does("runs", "run")),
        },
        Answer::Refused(_) | Answer::Other => String::new(),
    };
    // Nothing fails now, and nothing would notice if it did.
    if container.status.ready && alike.iter().all(|one| one.field == "livenessProbe") {
        seen.severity = Some(Severity::Warning);
        seen.is_aside = true;
    }
    if matches!(first.answer, Answer::Timeout | Answer::Said(_) | Answer::Server(_)) {
        seen.confidence = Confidence::Likely;
    }
    show(&mut seen, container, alike);
    facts(&mut seen, container, first, alike);
    seen
}

fn no_port(container: &Running<'_, '_>, who: &str, port: &str) -> String {
    let names = container.spec.iter().flat_map(|spec| &spec.ports).map(|port| port.name.as_str());
    match text::nearest(port, names.filter(|name| !name.is_empty())) {
        Some(near) => format!("{who} port {port}, which it does not have; it has {near}"),
        None => format!("{who} port {port}, which it does not have"),
    }
}

fn facts(seen: &mut Observation, container: &Running<'_, '_>, first: &Failing<'_>, alike: &[&Failing<'_>]) {
    match &first.answer {
        Answer::Path(status) | Answer::Auth(status) | Answer::Server(status) => seen.fact("status", *status),
        Answer::Speaks(scheme) => seen.fact("scheme", *scheme),
        Answer::NoPort(name) => seen.fact("missing", name.as_str()),
        Answer::NoCommand(program) => seen.fact("program", program.as_str()),
        _ => {}
    }
    if matches!(first.answer, Answer::Timeout)
        && let Some(probe) = container.spec.and_then(|spec| probe_of(spec, first.field))
    {
        let path = container.path().field(first.field).field("timeoutSeconds");
        let (timeout, period) = (probe.timeout_seconds.max(1), probe.period_seconds);
        seen.show(Source::Spec, None, &format!("timeoutSeconds: {timeout}, periodSeconds: {period}"), Some(path));
        seen.fact("timeoutSeconds", timeout);
        seen.fact("periodSeconds", period);
    }
    seen.fact("probes", alike.iter().map(|one| json!(one.field)).collect::<Vec<_>>());
    seen.fact("worked", container.ran_long_in_revision() || was_ready(container, alike));
}

/// A small cpu limit beside timeouts: a possible cause.
fn throttled(container: &Running<'_, '_>) -> Option<Observation> {
    let limit = container.spec?.resources.limits.get("cpu")?;
    Quantity::of(limit).filter(|limit| limit.milli < SMALL_CPU)?;
    let shown = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
    let mut seen = Observation::of_container(&eviction::rows::CPU_THROTTLED, container);
    seen.confidence = Confidence::Hypothesis;
    seen.message.clone_from(&shown);
    seen.summary = format!(
        "container {} may be throttled: its cpu limit is {shown} and its probes time out",
        container.status.name
    );
    let path = container.path().field("resources").field("limits").field("cpu");
    seen.show(Source::Spec, None, &format!("limits.cpu: {shown}"), Some(path));
    seen.fact("limit", shown);
    Some(seen.aside())
}

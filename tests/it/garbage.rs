//! A server that answers garbage: never a panic, never a hang, the right exit code.

use crate::harness::{Sandbox, manifest, recorded};
use crate::llm::{ask_with, settings};
use crate::model_server::{Act, ModelServer, completion, edit};
use aifix::error::Kind;
use aifix::llm::{Budget, Failure};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How often each shape is answered.
const TIMES: usize = 17;

/// What takes so much longer than its deadline hangs. It is less than the budget of one question below: a client that
/// waits for its budget in place of its deadline is seen.
const HANGS: Duration = Duration::from_secs(45);

/// Shapes that never end, or never go on.
const ENDLESS: [usize; 2] = [16, 20];

/// What a whole HTTP answer must look like for the body to be read.
fn http(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn envelope(change: impl FnOnce(&mut Value)) -> Act {
    let mut body: Value = serde_json::from_str(&completion("stop", &good())).unwrap();
    change(&mut body);
    Act::Body(body.to_string())
}

fn good() -> String {
    edit("spec.a", "1", "2")
}

/// One shape of garbage in its `n`th form, and what it must come to: nothing usable from the model (4), or
/// no server of models at all (3). `None`: the answer is whole after all.
fn shape(number: usize, n: usize) -> (Act, Option<Kind>) {
    let (refused, unreachable) = (Some(Kind::Refused), Some(Kind::Unreachable));
    let (text, whole) = (good(), completion("stop", &good()));
    let said = |text: String| (Act::Say(text), refused);
    match number {
        0 => said(text[..1 + n * 3].to_owned()),
        1 => (Act::Body(whole[..1 + n * 5].to_owned()), refused),
        2 => said(text.replace("\"1\"", ["1", "null", "[]", "{}", "true", "1e999"][n % 6])),
        3 => said(text.replace("[1]", ["[-1]", "\"1\"", "{}", "[1.5]", "[null]", "[99999999999]"][n % 6])),
        4 => said("x".repeat((1 << 20) + n)),
        5 => said(text.replace("\"new\"", &format!("\"old\":\"{n}\",\"new\""))),
        6 => said(format!("{}{text}{}", "[".repeat(1_000 * (n + 1)), "]".repeat(1_000 * (n + 1)))),
        7 => said(format!("{{\"path\":{}1{}}}", "{\"a\":".repeat(200 + n * 100), "}".repeat(200 + n * 100))),
        8 => (Act::Body(format!("{}{}", "[".repeat(500 + n), "]".repeat(500 + n))), unreachable),
        9 => {
            let mut bytes = whole.into_bytes();
            bytes[40 + n] = 0xff;
            (Act::Raw(http("application/json", &bytes)), unreachable)
        }
        10 => said(
            [
                "I'm sorry, I can't help with that.",
                "Désolé, je ne peux pas.",
                "对不起，我不能。",
                "As a model I must refuse",
            ][n % 4]
                .to_owned(),
        ),
        11 => said(" \n\t".repeat(n)),
        12 => (Act::Body(" ".repeat(n)), unreachable),
        13 => (Act::Raw(http("text/html", format!("<!DOCTYPE html><h1>{n} Bad Gateway</h1>").as_bytes())), unreachable),
        14 => (
            Act::Raw(http("text/event-stream", format!("data: {whole}\n\n: {n}\n\ndata: [DONE]\n\n").as_bytes())),
            unreachable,
        ),
        15 => (
            Act::Raw(http(
                ["text/plain", "image/png", "", "application/json; charset=utf-16"][n % 4],
                whole.as_bytes(),
            )),
            None,
        ),
        16 => (
            Act::Stall(
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n", &whole[..5]).into_bytes(),
            ),
            unreachable,
        ),
        17 => (
            Act::Raw(
                format!(
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n{whole}\r\n0\r\n\r\n",
                    ["zz", "-5", "ffffffffffffffffff", ";"][n % 4]
                )
                .into_bytes(),
            ),
            unreachable,
        ),
        18 => (
            Act::Raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{whole}", whole.len() + 1 + n).into_bytes()),
            unreachable,
        ),
        19 => (
            Act::Raw(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{whole}", whole.len() / 2 + n).into_bytes()),
            refused,
        ),
        20 => (Act::Drip, unreachable),
        21 => said(format!("{text}{}", [&text, "}", ",", "\n{}", " // done"][n % 5])),
        22 => {
            let content = [json!(null), json!(7), json!({}), json!(true)][n % 4].clone();
            let want = if content.is_null() { refused } else { unreachable };
            (envelope(|body| body["choices"][0]["message"]["content"] = content), want)
        }
        23 => {
            let choices = [json!([]), json!({}), json!(null), json!("x")][n % 4].clone();
            let want = if choices.is_array() { refused } else { unreachable };
            (envelope(|body| body["choices"] = choices), want)
        }
        24 => (Act::Finish(["length", "content_filter"][n % 2], text[..20 + n].to_owned()), refused),
        25 => said(text.replace("\"2\"", &format!("\"2{}\"", ["\0", "\u{1b}[2J", "\u{7}", "\u{0}\u{1}"][n % 4]))),
        26 => (
            Act::Raw(http("application/json", &whole.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>())),
            unreachable,
        ),
        27 => (
            Act::Raw(
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n{}",
                    9 + n,
                    "x".repeat(9 + n)
                )
                .into_bytes(),
            ),
            unreachable,
        ),
        28 => (Act::Raw([&b"\x16\x03\x01"[..], "no status line ".repeat(n + 1).as_bytes()].concat()), unreachable),
        _ => (
            Act::Raw([b"HTTP/1.1 200 OK\r\nX: ", "y".repeat((1 << 20) + n).as_bytes(), b"\r\n\r\n"].concat()),
            unreachable,
        ),
    }
}

const SHAPES: usize = 30;

#[tokio::test]
async fn five_hundred_answers_of_garbage_are_each_told_for_what_they_are() {
    let mut wrong = Vec::new();
    for number in 0..SHAPES {
        let mut asked = tokio::task::JoinSet::new();
        for n in 0..TIMES {
            let (act, want) = shape(number, n);
            asked.spawn(async move {
                let server = ModelServer::start(&[act]);
                let mut settings = settings(&server.url());
                let host = settings.host();
                settings.deadline = Duration::from_millis(if ENDLESS.contains(&number) { 200 } else { 60_000 });
                let mut budget = Budget::of(1, Duration::from_secs(60));
                // Whatever ends, ends at once: none of the others may take its deadline of a minute either.
                let said = tokio::time::timeout(HANGS, ask_with(settings, &mut budget)).await;
                let said = said.unwrap_or_else(|_| panic!("shape {number}, form {n} hangs past its deadline"));
                let kind = said.as_ref().err().cloned().map(|failure: Failure| failure.into_error(&host).kind);
                (kind != want).then(|| format!("shape {number}, form {n}: {said:?} instead of {want:?}"))
            });
        }
        while let Some(found) = asked.join_next().await {
            wrong.extend(found.unwrap());
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), SHAPES * TIMES, wrong.join("\n"));
}

/// What the binary makes of each shape in this form; wrong answers are returned.
fn proposals(n: usize) -> Vec<String> {
    let sandbox = Sandbox::new();
    sandbox.repository(&[("web.yaml", &manifest("cat-crash-exit-2", "exit 2", None))]);
    let from = recorded("crash-app-error.exit-2");
    let mut wrong = Vec::new();
    for number in 0..SHAPES {
        let (act, want) = shape(number, n);
        let server = ModelServer::start(&[act]);
        // Half of it is the deadline of one call.
        let seconds = if ENDLESS.contains(&number) { "2" } else { "120" };
        let url = server.url();
        let args = ["propose", "deployment/web", "--from", &from, "--llm-url", &url, "--llm-budget-seconds", seconds];
        let began = Instant::now();
        let ran = sandbox.aifix_in("work", &args);
        // A whole answer about a field that was not offered is refused, too.
        let code = i32::from(want.unwrap_or(Kind::Refused).exit_code());
        let is_calm = !ran.err.contains("has a bug") && !ran.out.contains('\u{1b}');
        let is_short = ran.out.len() + ran.err.len() < 20_000;
        if ran.code != code || !is_calm || !is_short || began.elapsed() > HANGS {
            let text: String = format!("{}{}", ran.out, ran.err).chars().take(2_000).collect();
            wrong.push(format!("shape {number}, form {n}: {} in place of {code}\n{text}", ran.code));
        }
    }
    wrong
}

#[test]
fn a_proposal_ends_with_the_exit_code_of_what_the_server_did() {
    // Each of the shapes in four of its forms.
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let running = [0, 3, 7, 14].map(|n| scope.spawn(move || proposals(n)));
        running.into_iter().flat_map(|forms| forms.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), 4 * SHAPES, wrong.join("\n"));
}

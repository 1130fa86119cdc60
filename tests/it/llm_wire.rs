//! Both wire formats, the ways to ask, what is remembered, and what servers refuse.

use crate::llm::{budget, material, settings};
use crate::model_server::{Act, ModelServer, completion, edit};
use aifix::error::{Error, Kind};
use aifix::llm::prompt::LIMIT;
use aifix::llm::{Answer, Api, ApiKey, Budget, Client, Failure, Memory, Prompt, Settings, Usage, Way};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::Duration;

fn good() -> String {
    edit("spec.a", "1", "2")
}

fn client(settings: Settings) -> Client {
    Client::new(settings, &BTreeMap::new(), &BTreeSet::new()).unwrap()
}

async fn ask(client: &Client, budget: &mut Budget) -> Result<Answer, Failure> {
    client.ask(&Prompt::build(&material(), client.settings(), LIMIT), budget).await
}

fn body(server: &ModelServer, at: usize) -> Value {
    serde_json::from_slice(&server.seen()[at].body).unwrap()
}

#[tokio::test]
async fn messages_are_spoken_with_their_path_headers_tool_and_usage() {
    let answered = json!({
        "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": "t", "name": "answer", "input": serde_json::from_str::<Value>(&good()).unwrap()}],
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 60, "output_tokens": 12},
    });
    let server = ModelServer::start(&[Act::Body(answered.to_string())]);
    let base = server.url().replace("/v1", "");
    let settings = Settings::of(&base, "claude", ApiKey::new("sk-ant"), Some(Api::Anthropic)).unwrap();
    let answer = ask(&client(settings), &mut budget()).await.unwrap();
    assert_eq!((answer.model.as_str(), answer.usage), ("claude-x", Usage { prompt: 65, answer: 12, cached: 60 }));
    let seen = &server.seen()[0];
    assert_eq!(seen.target, "/v1/messages");
    assert!(
        seen.head.contains("x-api-key: sk-ant") && seen.head.contains("anthropic-version: 2023-06-01"),
        "{}",
        seen.head
    );
    assert!(!seen.head.contains("authorization"), "{}", seen.head);
    assert_eq!(body(&server, 0)["tool_choice"]["name"], "answer");
}

#[tokio::test]
async fn azure_is_spoken_below_its_deployment_with_its_own_header() {
    let server = ModelServer::start(&[Act::Say(good())]);
    let base = server.url().replace("/v1", "");
    let settings = Settings::of(&base, "gpt", ApiKey::new("k1"), Some(Api::Azure)).unwrap();
    ask(&client(settings), &mut budget()).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.target, "/openai/deployments/gpt/chat/completions?api-version=2024-10-21");
    assert!(seen.head.contains("api-key: k1") && !seen.head.contains("authorization"), "{}", seen.head);
}

#[tokio::test]
async fn a_server_is_asked_in_the_best_way_it_has_and_that_is_remembered() {
    let scratch = tempfile::tempdir().unwrap();
    let memory = Memory::new(scratch.path().join("llm"), true);
    let server = ModelServer::start(&[
        Act::Fail(400, "", "'response_format.type' must be 'text' or 'json_object'"),
        Act::Fail(422, "", "response_format: Extra inputs are not permitted"),
        Act::Fail(400, "", "this model does not support tools"),
        Act::Say(good()),
    ]);
    let first = client(settings(&server.url())).remembering(memory.clone());
    let mut budget = budget();
    let answer = ask(&first, &mut budget).await.unwrap();
    assert_eq!((answer.way, budget.made()), (Way::Plain, 1), "what the model never saw is no call");
    let asked: Vec<_> = (0..4).map(|at| body(&server, at)).collect();
    assert_eq!(asked[0]["response_format"]["type"], "json_schema");
    assert_eq!(asked[1]["response_format"]["type"], "json_object");
    assert!(asked[2]["tools"].is_array() && asked[3]["tools"].is_null() && asked[3]["response_format"].is_null());
    let told = |body: &Value| body["messages"][0]["content"].as_str().unwrap().contains("JSON Schema");
    assert_eq!(asked.iter().map(told).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(memory.way(&settings(&server.url())), Some(Way::Plain));
}

#[tokio::test]
async fn a_server_that_ignores_the_schema_is_told_the_shape_in_the_prompt() {
    let server = ModelServer::start(&[Act::Say("Raise it.".to_owned()), Act::Say(good())]);
    let client = client(settings(&server.url()));
    let mut budget = budget();
    assert!(matches!(ask(&client, &mut budget).await, Err(Failure::Prose(_))));
    assert_eq!(ask(&client, &mut budget).await.unwrap().way, Way::Object);
    assert!(body(&server, 1)["messages"][0]["content"].as_str().unwrap().contains("JSON Schema"));
}

#[tokio::test]
async fn an_answer_is_remembered_and_said_to_be_so() {
    let scratch = tempfile::tempdir().unwrap();
    let server = ModelServer::start(&[Act::Say(good())]);
    let client =
        |answers| client(settings(&server.url())).remembering(Memory::new(scratch.path().join("llm"), answers));
    let mut first = budget();
    assert!(!ask(&client(true), &mut first).await.unwrap().remembered);
    assert_eq!((first.made(), first.remembered(), first.usage().prompt), (1, 0, 300));
    let mut second = budget();
    let again = ask(&client(true), &mut second).await.unwrap();
    assert!(again.remembered && again.model == "played");
    assert_eq!((second.made(), second.remembered(), second.usage().prompt), (0, 1, 0));
    assert_eq!(server.seen().len(), 1);
    assert!(!ask(&client(false), &mut budget()).await.unwrap().remembered);
    assert_eq!(server.seen().len(), 2);
    for file in std::fs::read_dir(scratch.path().join("llm")).unwrap() {
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.unwrap().metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[tokio::test]
async fn what_can_not_be_used_is_not_remembered() {
    let scratch = tempfile::tempdir().unwrap();
    let server = ModelServer::start(&[Act::Say("half".to_owned()), Act::Say(good())]);
    let client = client(settings(&server.url())).remembering(Memory::new(scratch.path().join("llm"), true));
    assert!(ask(&client, &mut budget()).await.is_err());
    assert!(ask(&client, &mut budget()).await.is_ok());
}

#[tokio::test]
async fn a_budget_of_tokens_ends_the_asking_before_the_next_call() {
    let answered = completion("stop", &good()).replace("300", "5000");
    let server = ModelServer::start(&[Act::Body(answered)]);
    let mut settings = settings(&server.url());
    // Before a call its estimate must fit, after it what the server counted is gone: here 5,040.
    settings.tokens = Some(5_100);
    let client = client(settings);
    assert!(ask(&client, &mut budget()).await.is_ok());
    let copy = client.clone();
    let mut unspent = budget();
    let failure = ask(&copy, &mut unspent).await.unwrap_err();
    assert_eq!(unspent.made(), 0);
    assert_eq!(failure, Failure::Dear { budget: 5_100 });
    assert_eq!(server.seen().len(), 1);
    let error = failure.into_error("h:1");
    assert_eq!(error.message, "another call to the model at h:1 would pass the budget of 5100 tokens");
    assert!(error.hints[0].contains("--llm-budget-tokens"), "{error:?}");
}

/// What an act comes to, with the host as `HOST`.
async fn outcome(act: Act, key: Option<&str>) -> Error {
    let server = ModelServer::start(&[act]);
    let mut settings = settings(&server.url());
    settings.key = key.and_then(ApiKey::new);
    let host = settings.host();
    let mut error = ask(&client(settings), &mut budget()).await.unwrap_err().into_error(&host);
    error.message = error.message.replace(&host, "HOST");
    error
}

#[tokio::test]
async fn each_refusal_of_a_service_has_its_own_message_and_hint() {
    let openai = |code: &str, message: &str| json!({"error": {"message": message, "code": code}}).to_string();
    let anthropic =
        |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}}).to_string();
    let mut hints = BTreeSet::new();
    for (code, body, key, message, hint) in [
        (
            401,
            openai("invalid_api_key", "Incorrect API key provided"),
            Some("k"),
            "the model at HOST refused the key (401)",
            "expired",
        ),
        (
            401,
            openai("", "Missing bearer"),
            None,
            "the model at HOST wants a key, and none was sent",
            "AIFIX_LLM_API_KEY",
        ),
        (
            429,
            openai("insufficient_quota", "You exceeded your current quota"),
            Some("k"),
            "the account of the key at HOST has nothing left (429)",
            "billing",
        ),
        (
            404,
            openai("model_not_found", "The model `x` does not exist"),
            Some("k"),
            "there is no such model at HOST (404)",
            "--llm-model",
        ),
        (404, openai("", "File Not Found"), Some("k"), "there is no such path at HOST (404)", "--llm-url"),
        (
            400,
            anthropic("invalid_request_error", "prompt is too long: 5000 tokens > 4096 maximum"),
            Some("k"),
            "the prompt of 5000 tokens does not fit the 4096 tokens of the model at HOST",
            "context",
        ),
        (
            400,
            openai("content_filter", "filtered"),
            Some("k"),
            "the model at HOST declined, or a filter of its server stopped it",
            "another model",
        ),
    ] {
        let error = outcome(Act::Status(code, body), key).await;
        assert_eq!(error.message, message);
        assert!(error.hints[0].contains(hint), "{error:?}");
        assert!(hints.insert(error.hints[0].clone()), "two failures have one hint: {error:?}");
    }
    let overloaded = outcome(Act::Status(529, anthropic("overloaded_error", "Overloaded")), Some("k"));
    let mut waited = overloaded.await;
    waited.message.truncate(40);
    assert_eq!((waited.message.as_str(), waited.kind), ("the model at HOST is overloaded (529)", Kind::Unreachable));
}

#[tokio::test]
async fn a_proxy_that_wants_a_password_is_named_for_plain_and_for_encrypted_requests() {
    let proxy = ModelServer::start(&[Act::Fail(407, "Proxy-Authenticate: Basic realm=\"x\"\r\n", "no")]);
    let address = OsString::from(proxy.url().trim_end_matches("/v1"));
    for (name, url) in [("HTTP_PROXY", "http://model.invalid/v1"), ("HTTPS_PROXY", "https://model.invalid/v1")] {
        let mut settings = Settings::new(url, "m", None).unwrap();
        settings.deadline = Duration::from_secs(20);
        let host = settings.host();
        let agreed = BTreeSet::from(["http://model.invalid:80".to_owned(), "model.invalid:443".to_owned()]);
        let environment = BTreeMap::from([(OsString::from(name), address.clone())]);
        let client = Client::new(settings, &environment, &agreed).unwrap();
        let error = ask(&client, &mut budget()).await.unwrap_err().into_error(&host);
        assert_eq!(error.message, format!("the proxy before {host} asks for a name and a password (407)"));
        assert!(error.hints[0].contains("HTTPS_PROXY=http://name:password@host:port"), "{error:?}");
    }
}

#[tokio::test]
async fn the_password_of_a_proxy_goes_to_the_proxy_alone_and_no_failure_shows_it() {
    // What `ada` and `c@nary-pw` come to in the header.
    const SENT: &str = "proxy-authorization: basic ywrhomnabmfyes1wdw==";
    let agreed = BTreeSet::from(["http://model.invalid:80".to_owned(), "model.invalid:443".to_owned()]);
    let at = |address: &str| {
        format!("http://ada:c%40nary-pw@{}", address.trim_start_matches("http://").trim_end_matches("/v1"))
    };
    let client_of = |name: &str, address: &str, url: &str| {
        let mut settings = Settings::new(url, "m", None).unwrap();
        settings.deadline = Duration::from_secs(20);
        Client::new(settings, &BTreeMap::from([(OsString::from(name), OsString::from(address))]), &agreed)
    };
    let hidden = |text: String| {
        for part in ["c@nary", "c%40nary", "YWRhOmNAbmFyeS1wdw=="] {
            assert!(!text.contains(part), "{part} in {text}");
        }
    };
    let sent = |proxy: &ModelServer| proxy.seen().iter().filter(|seen| seen.head.to_lowercase().contains(SENT)).count();
    // Plain: the proxy answers in place of the model.
    let proxy = ModelServer::start(&[Act::Say(good())]);
    let client = client_of("HTTP_PROXY", &at(&proxy.url()), "http://model.invalid/v1").unwrap();
    ask(&client, &mut budget()).await.unwrap();
    assert_eq!((sent(&proxy), proxy.seen()[0].target.as_str()), (1, "http://model.invalid/v1/chat/completions"));
    hidden(format!("{client:?}"));
    // This machine's own server is asked past the proxy, and gets no password.
    let server = ModelServer::start(&[Act::Say(good())]);
    ask(&client_of("HTTP_PROXY", &at(&proxy.url()), &server.url()).unwrap(), &mut budget()).await.unwrap();
    assert!(!server.seen()[0].head.to_lowercase().contains("proxy-authorization"), "{}", server.seen()[0].head);
    // Refused, absent, broken: the password is in none of it.
    let refuses = ModelServer::start(&[Act::Fail(407, "Proxy-Authenticate: Basic realm=\"x\"\r\n", "no")]);
    let breaks = ModelServer::start(&[Act::Raw(b"no proxy\r\n\r\n".to_vec())]);
    for (address, asked) in
        [(refuses.url(), Some(&refuses)), (breaks.url(), Some(&breaks)), (ModelServer::absent(), None)]
    {
        for (name, url) in [("HTTP_PROXY", "http://model.invalid/v1"), ("HTTPS_PROXY", "https://model.invalid/v1")] {
            let client = client_of(name, &at(&address), url).unwrap();
            let error = ask(&client, &mut budget()).await.unwrap_err().into_error(&client.host());
            hidden(format!("{error} {error:?}"));
        }
        assert_eq!(asked.map_or(2, sent), 2, "both requests carry it, plain and CONNECT");
    }
    let error = client_of("HTTPS_PROXY", "http://ada:c%40nary-pw@[no", "https://model.invalid/v1").unwrap_err();
    hidden(format!("{error} {error:?}"));
}

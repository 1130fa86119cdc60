//! When a model server asks to be left alone for a while.

use crate::llm::{budget, material, settings};
use crate::model_server::{Act, ModelServer, edit};
use aifix::llm::prompt::LIMIT;
use aifix::llm::{Answer, Client, Failure, Prompt};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What comes of a refusal with these headers, which is followed by a good answer, and how often was asked.
async fn after(headers: &'static str) -> (Result<Answer, Failure>, usize) {
    let good = Act::Say(edit("spec.a", "1", "2"));
    let server = ModelServer::start(&[Act::Fail(429, headers, "slow down"), good]);
    let client = Client::new(settings(&server.url()), &BTreeMap::new(), &BTreeSet::new()).unwrap();
    let answer = client.ask(&Prompt::build(&material(), client.settings(), LIMIT), &mut budget()).await;
    (answer, server.seen().len())
}

#[tokio::test]
async fn a_wish_for_a_date_is_measured_with_the_servers_own_clock() {
    let asked = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:59:37 GMT\r\n";
    let (answer, calls) = after(asked).await;
    assert!(
        matches!(answer, Err(Failure::Limited { wait: Some(wait) }) if wait == Duration::from_secs(600)),
        "{answer:?}"
    );
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn a_date_that_has_passed_is_asked_again_at_once() {
    let asked = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:36 GMT\r\n";
    let (answer, calls) = after(asked).await;
    assert!(answer.is_ok() && calls == 2, "{answer:?}");
}

#[tokio::test]
async fn a_date_without_the_servers_clock_and_no_date_at_all_is_no_wish() {
    for asked in [
        "Retry-After: Sun, 06 Nov 2094 08:59:37 GMT\r\n",
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: soon\r\n",
    ] {
        let (answer, calls) = after(asked).await;
        assert!(answer.is_ok() && calls == 2, "{asked}: {answer:?}");
    }
}

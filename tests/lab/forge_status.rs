//! What became of a pull request at a real forge, as `status` tells it.

use crate::forge::Shop;
use crate::kit::{Ran, aifix};
use serde_json::{Value, json};

fn status(shop: &Shop, more: &[&str]) -> Ran {
    aifix(&shop.work(), &[&["status"], more].concat())
}

fn item(shop: &Shop) -> Value {
    status(shop, &["-o", "json"]).json()["items"][0].take()
}

fn phases(shop: &Shop) -> Vec<String> {
    let list = aifix(&shop.work(), &["audit", "list", "-o", "json"]).exits(0).json();
    aifix(&shop.work(), &["audit", "verify"]).exits(0);
    let entries = list["items"][0]["status"]["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["phase"].as_str().unwrap().to_owned()).collect()
}

/// A proposed fix whose pull request can be merged; its number.
fn proposed(shop: &Shop) -> u64 {
    let row = shop.propose(&[]).exits(0).json()["proposals"][0].clone();
    let number = row["pullRequest"]["number"].as_u64().unwrap();
    let open = item(shop);
    assert_eq!((&open["phase"], &open["end"]), (&json!("pull-request"), &json!("open")), "{open:#}");
    shop.ready(number);
    shop.pull(number, true);
    number
}

#[test]
fn a_review_and_each_kind_of_merge_are_told() {
    for how in ["merge", "squash", "rebase"] {
        let shop = Shop::new(&[]);
        let number = proposed(&shop);
        shop.api("POST", &format!("pulls/{number}/reviews"), &json!({"event": "APPROVED", "body": "yes"}));
        let reviewed = item(&shop);
        assert_eq!(reviewed["phase"], "reviewed", "{how}: {reviewed:#}");
        let delete = json!({"Do": how, "delete_branch_after_merge": how == "squash"});
        shop.api("POST", &format!("pulls/{number}/merge"), &delete);
        let merged = item(&shop);
        assert_eq!((&merged["phase"], &merged["end"]), (&json!("merged"), &json!("open")), "{how}: {merged:#}");
        let body = &merged["reached"].as_array().unwrap().iter().find(|one| one["phase"] == "merged").unwrap()["body"];
        let tip = shop.git(&["ls-remote", "origin", "refs/heads/main"]);
        assert_eq!(body["mergeCommit"].as_str(), tip.split_whitespace().next(), "{how}: {merged:#}");
        assert_eq!((&body["base"], &body["changes"]), (&json!("main"), &json!([])), "{how}: {merged:#}");
        assert_eq!(phases(&shop), ["proposed", "pushed", "pull-request", "reviewed", "merged"], "{how}");
    }
}

#[test]
fn a_request_that_was_closed_is_an_ill_end() {
    let shop = Shop::new(&[]);
    let number = proposed(&shop);
    shop.api("PATCH", &format!("pulls/{number}"), &json!({"state": "closed"}));
    let ran = status(&shop, &["--wait", "1s"]).exits(1);
    assert!(ran.out.starts_with("closed  ") && ran.out.contains("closed without a merge"), "{}", ran.out);
    assert_eq!(phases(&shop), ["proposed", "pushed", "pull-request", "closed"]);
}

#[test]
fn a_request_that_was_merged_with_another_value_says_which() {
    let shop = Shop::new(&[]);
    let number = proposed(&shop);
    let branch = shop.api("GET", &format!("pulls/{number}"), &Value::Null)["head"]["ref"].as_str().unwrap().to_owned();
    shop.git(&["fetch", "-q", "origin", &branch]);
    shop.git(&["checkout", "-q", "FETCH_HEAD"]);
    let file = shop.work().join("k8s/web.yaml");
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("64Mi", "96Mi")).unwrap();
    shop.git(&["commit", "-qam", "Rather more"]);
    shop.git(&["push", "-q", "origin", &format!("HEAD:refs/heads/{branch}")]);
    shop.git(&["checkout", "-q", "main"]);
    shop.pull(number, true);
    shop.api("POST", &format!("pulls/{number}/merge"), &json!({"Do": "squash"}));
    let merged = item(&shop);
    assert_eq!(merged["phase"], "merged", "{merged:#}");
    assert!(merged["lines"].to_string().contains("proposed \\\"64Mi\\\", merged \\\"96Mi\\\""), "{merged:#}");
}

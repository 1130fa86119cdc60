//! Commits in memory, taken back.

use super::*;
use crate::error::Error;
use crate::model::finding::FieldChange;
use crate::model::history::FileAt;
use crate::model::intent::{Author, Disposition, Intent};
use crate::model::path::Path;
use crate::model::tree::Entry;
use crate::source::{Candidate, Tools};
use serde_json::json;
use std::sync::Arc;

/// Revisions, oldest first; the id of each is its position.
struct Past(Vec<Tree>);

impl History for Past {
    fn commit(&self, id: &str) -> Option<Commit> {
        let at: usize = id.parse().ok()?;
        let parents = at.checked_sub(1).map(|parent| parent.to_string()).into_iter().collect();
        let subject = format!("Change {at}");
        self.0.get(at).map(|_| Commit { id: id.to_owned(), subject, author: "Ada".to_owned(), at: None, parents })
    }

    fn changed(&self, commit: &Commit) -> Vec<String> {
        let at: usize = commit.id.parse().unwrap();
        let (before, after) = (&self.0[at - 1].entries, &self.0[at].entries);
        let all = before.keys().chain(after.keys().filter(|path| !before.contains_key(*path)));
        all.filter(|path| before.get(*path) != after.get(*path)).cloned().collect()
    }

    fn file(&self, commit: &str, path: &str) -> FileAt {
        let tree = &self.0[commit.parse::<usize>().unwrap()];
        tree.file(path).map_or(FileAt::Absent, |bytes| FileAt::Here(bytes.to_vec()))
    }

    fn tree(&self, commit: &str) -> Result<Tree, Error> {
        Ok(self.0[commit.parse::<usize>().unwrap()].clone())
    }
}

/// `k8s/web.yaml` with a value and a comment, `k8s/other.yaml`, and a file that is none of the folder's.
fn tree(web: Option<&str>, other: &str, readme: &str) -> Tree {
    let mut tree = Tree::default();
    let mut put = |path: &str, text: String| {
        tree.entries.insert(path.to_owned(), Entry::File(Arc::from(text.as_bytes())));
    };
    let config = |name: &str, lines: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: prod\n{lines}")
    };
    if let Some(web) = web {
        put("k8s/web.yaml", config("web", web));
    }
    put("k8s/other.yaml", config("other", other));
    put("README.md", readme.to_owned());
    tree
}

fn data(value: &str, more: &str) -> String {
    format!("data:\n  a: \"{value}\"\n  b: x\n  c: x\n{more}")
}

async fn ask(past: &Past, live: &Value, failing: Failing<'_>) -> Result<Reverted, Stop> {
    let object = ObjectRef::new("v1", "ConfigMap", "prod", "web");
    let intent = Intent {
        object,
        edits: Vec::new(),
        subject: String::new(),
        why: String::new(),
        evidence: Vec::new(),
        author: Author::Rule,
        disposition: Disposition::Review,
        review: Vec::new(),
    };
    let tip = past.0.len() - 1;
    let revision = tip.to_string();
    let tools = Tools::new(None, None, None);
    let found = crate::source::lead::Found::default();
    let question = Question {
        base: Candidate { revision: &revision, tree: &past.0[tip] },
        deployed: &[],
        values: &[],
        found: &found,
        path: Some("k8s"),
        live,
        intent: &intent,
        fields: &crate::schema::NoCluster,
        maps: &crate::schema::NoCluster,
        choose: None,
        allow_shared: true,
        repo: "github.com/acme/platform",
        branch: "main",
        tools: &tools,
    };
    revert(&Ask { question, failing, history: past }).await
}

fn live(value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": "prod"},
        "data": {"a": value, "b": "x", "c": "x"}})
}

fn worked_with(value: &str, good: bool) -> Change {
    let field = FieldChange { path: Path::of("data.a"), old: Some(json!(value)), new: None };
    Change { from: "1".into(), to: "2".into(), good, fields: vec![field], manager: None, at: None, commit: None }
}

fn refused(result: Result<Reverted, Stop>) -> Refusal {
    match result {
        Err(Stop::Refused(refusal)) => refusal,
        Err(Stop::Failed(error)) => panic!("{error:?}"),
        Ok(reverted) => panic!("{reverted:?}"),
    }
}

fn text(files: &[crate::model::proposal::FileChange], path: &str) -> Option<String> {
    let file = files.iter().find(|file| file.path == path)?;
    file.after.as_ref().map(|bytes| String::from_utf8(bytes.clone()).unwrap())
}

#[tokio::test]
async fn the_commit_is_undone_and_later_changes_stay() {
    let past = Past(vec![
        tree(Some(&data("1", "")), &data("1", ""), "a"),
        tree(Some(&data("2", "")), &data("2", ""), "b"),
        tree(Some(&data("2", "# new\n")), &data("2", ""), "c"),
        tree(Some(&data("2", "# new\n")), &data("2", ""), "d"),
    ]);
    let change = worked_with("1", true);
    let reverted = ask(&past, &live("2"), Failing::Runs { change: Some(&change) }).await.unwrap();
    assert_eq!(reverted.commit.id, "1");
    let Located { files, proof, review, .. } = reverted.located;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["k8s/other.yaml", "k8s/web.yaml"], "README.md is none of the folder's");
    let web = text(&files, "k8s/web.yaml").unwrap();
    assert!(web.contains("a: \"1\"") && web.ends_with("# new\n"), "{web}");
    assert_eq!(proof.delta.len(), 1);
    assert_eq!((proof.delta[0].path.to_string().as_str(), &proof.delta[0].new), ("data.a", &Some(json!("1"))));
    assert_eq!(proof.companions.len(), 1);
    assert!(review.iter().any(|line| line == "ConfigMap prod/other changes too"), "{review:?}");
}

#[tokio::test]
async fn what_is_not_known_to_have_worked_is_said() {
    let past = Past(vec![tree(Some(&data("1", "")), "", "a"), tree(Some(&data("2", "")), "", "a")]);
    let reverted = ask(&past, &live("2"), Failing::Runs { change: None }).await.unwrap();
    assert_eq!(reverted.located.review[0], "nothing says that ConfigMap prod/web worked before this commit");
    let previous = worked_with("1", false);
    let reverted = ask(&past, &live("2"), Failing::Runs { change: Some(&previous) }).await.unwrap();
    assert_eq!(reverted.located.review[0], "the revision before is not known to have worked");
}

#[tokio::test]
async fn several_commits_since_it_worked_are_listed_and_refused() {
    let past = Past(vec![
        tree(Some(&data("1", "")), "", "a"),
        tree(Some(&data("2", "")), "", "a"),
        tree(Some(&data("3", "")), "", "a"),
    ]);
    let change = worked_with("1", true);
    let refusal = refused(ask(&past, &live("3"), Failing::Runs { change: Some(&change) }).await);
    assert_eq!((refusal.code, refusal.details.len()), ("several-commits", 2));
    assert_eq!(refusal.details[0], "2 \"Change 2\" by Ada");
    let never = worked_with("0", true);
    assert_eq!(refused(ask(&past, &live("3"), Failing::Runs { change: Some(&never) }).await).code, "no-commit");
}

#[tokio::test]
async fn a_line_that_was_changed_again_is_a_conflict() {
    let commented = data("2", "").replace("\"2\"", "\"2\" # why");
    let past = Past(vec![
        tree(Some(&data("1", "")), "", "a"),
        tree(Some(&data("2", "")), "", "a"),
        tree(Some(&commented), "", "a"),
    ]);
    let change = worked_with("1", true);
    let refusal = refused(ask(&past, &live("2"), Failing::Runs { change: Some(&change) }).await);
    assert_eq!(refusal.code, "revert-conflict");
    assert_eq!(refusal.details, ["k8s/web.yaml was changed again since then"]);
}

#[tokio::test]
async fn a_folder_that_does_not_build_is_as_before_the_commit_that_broke_it() {
    let past = Past(vec![
        tree(None, "", "a"),
        tree(Some("data: {a: 1\n"), "", "a"),
        tree(Some("data: {a: 1\n"), "# later\n", "a"),
    ]);
    let reverted = ask(&past, &Value::Null, Failing::Builds).await.unwrap();
    assert_eq!(reverted.commit.id, "1");
    let files = &reverted.located.files;
    assert_eq!((files.len(), files[0].path.as_str(), &files[0].after), (1, "k8s/web.yaml", &None));
    let whole = Past(vec![tree(None, "", "a"), tree(Some(&data("1", "")), "", "a")]);
    assert_eq!(refused(ask(&whole, &Value::Null, Failing::Builds).await).code, "already-fixed");
    let never = Past(vec![tree(Some("data: {a: 1\n"), "", "a"), tree(Some("data: {a: 2\n"), "", "a")]);
    assert_eq!(refused(ask(&never, &Value::Null, Failing::Builds).await).code, "no-commit");
}

#[tokio::test]
async fn an_object_that_the_api_refuses_is_as_it_was_applied_last() {
    let past = Past(vec![
        tree(Some(&data("1", "")), "", "a"),
        tree(Some(&data("2", "")), "", "a"),
        tree(Some(&data("3", "")), "", "a"),
        tree(Some(&data("3", "")), "# later\n", "a"),
    ]);
    // A controller's message names no group.
    let object = ObjectRef::new("", "ConfigMap", "prod", "web");
    let applied = |applied| Failing::Applies { object: &object, applied };
    let reverted = ask(&past, &Value::Null, applied(Some("1"))).await.unwrap();
    assert_eq!(reverted.commit.id, "2");
    assert_eq!(refused(ask(&past, &Value::Null, applied(Some("0"))).await).code, "several-commits");
    assert_eq!(refused(ask(&past, &Value::Null, applied(Some("2"))).await).code, "no-commit");
    assert_eq!(ask(&past, &Value::Null, applied(None)).await.unwrap().commit.id, "2");
}

#[tokio::test]
async fn a_secret_is_never_put_back() {
    let secret =
        |value: &str| format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: {value}}}\n");
    let past = Past(vec![tree(Some(&data("1", &secret("x"))), "", "a"), tree(Some(&data("2", &secret("y"))), "", "a")]);
    let refusal = refused(ask(&past, &live("2"), Failing::Runs { change: None }).await);
    assert_eq!(refusal.code, "secret-value");
}

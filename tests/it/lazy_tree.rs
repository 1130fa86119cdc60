//! What a proposal reads of a large repository.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::source::{in_memory, tools};
use aifix::model::intent::{Author, Disposition, FieldEdit, Intent, Op};
use aifix::model::object::ObjectRef;
use aifix::model::path::Path;
use aifix::model::tree::{BlobId, Content, Entry, Store, Stored, Tree};
use aifix::source::lead::Found;
use aifix::source::{Candidate, Question, Stop, locate};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// Notes which files are read.
struct Noting {
    files: Vec<(String, Arc<[u8]>)>,
    read: Mutex<BTreeSet<String>>,
}

impl Store for Noting {
    fn read(&self, id: &BlobId) -> Content {
        let (path, bytes) = &self.files[usize::from(u16::from_be_bytes([id[0], id[1]]))];
        self.read.lock().unwrap().insert(path.clone());
        Content::Bytes(bytes.clone())
    }
}

/// The same tree, its files in a store.
fn stored(tree: &Tree) -> (Tree, Arc<Noting>) {
    let files: Vec<(String, Arc<[u8]>)> =
        tree.entries.iter().map(|(path, entry)| (path.clone(), Arc::from(entry.bytes().unwrap()))).collect();
    let store = Arc::new(Noting { files, read: Mutex::default() });
    let entries = tree.entries.keys().zip(0u16..).map(|(path, number)| {
        let mut id = BlobId::default();
        id[..2].copy_from_slice(&number.to_be_bytes());
        (path.clone(), Entry::Stored(Stored::new(id, store.clone())))
    });
    (Tree { entries: entries.collect(), unreadable: 0 }, store)
}

#[tokio::test]
async fn of_other_roots_only_what_says_their_files_is_read() {
    let mut files = Vec::new();
    for number in 0..30 {
        let app = format!("apps/{number:02}");
        let names: Vec<String> = (0..5).map(|n| format!("settings-{n}.yaml")).collect();
        files.push((format!("{app}/base/kustomization.yaml"), format!("resources: [{}]\n", names.join(", "))));
        for (name, file) in names.iter().enumerate() {
            let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{name}}}\ndata: {{LEVEL: info}}\n");
            files.push((format!("{app}/base/{file}"), text));
        }
        let overlay =
            format!("namespace: team-{number:02}\nresources: [../../base]\npatches: [{{path: level.yaml}}]\n");
        files.push((format!("{app}/overlays/prod/kustomization.yaml"), overlay));
        let patch = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a0}\ndata: {LEVEL: warn}\n";
        files.push((format!("{app}/overlays/prod/level.yaml"), patch.to_owned()));
    }
    let entries: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let (tree, store) = stored(&in_memory(&entries));
    let live = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a0", "namespace": "team-03"},
        "data": {"LEVEL": "warn"}});
    let edit =
        FieldEdit { path: Path::of("data.LEVEL"), op: Op::Set, old: Some(json!("warn")), new: Some(json!("debug")) };
    let intent = Intent {
        object: ObjectRef::new("v1", "ConfigMap", "team-03", "a0"),
        edits: vec![edit],
        subject: "Change it".to_owned(),
        why: String::new(),
        evidence: Vec::new(),
        author: Author::Rule,
        disposition: Disposition::Safe,
        review: Vec::new(),
    };
    let answer = locate(&Question {
        base: Candidate { revision: "3f2a91c0000000000000000000000000000000aa", tree: &tree },
        deployed: &[],
        path: Some("apps/03/overlays/prod"),
        values: &[],
        found: &Found::default(),
        live: &live,
        intent: &intent,
        fields: &aifix::schema::NoCluster,
        maps: &aifix::schema::NoCluster,
        choose: None,
        allow_shared: false,
        repo: "github.com/acme/platform",
        branch: "main",
        tools: &tools(),
    })
    .await;
    let located = match answer {
        Ok(located) => located,
        Err(Stop::Refused(refusal)) => panic!("{refusal:?}"),
        Err(Stop::Failed(error)) => panic!("{error}"),
    };
    assert_eq!(located.edits[0].file, "apps/03/overlays/prod/level.yaml");
    let read = store.read.lock().unwrap();
    let manifests: Vec<&String> =
        read.iter().filter(|path| !path.ends_with("/kustomization.yaml") && !path.starts_with("apps/03/")).collect();
    assert!(manifests.is_empty(), "{manifests:?}");
    assert!(read.contains("apps/03/base/settings-0.yaml"), "{read:?}");
}

//! Every recording, and what stands under each field of them.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Values that are kept of one field of all recordings.
const MANY: usize = 300;

pub(crate) struct Corpus {
    pub(crate) recordings: Vec<Recording>,
    /// What kubectl writes as it comes: a dump, a stream, a list in YAML.
    pub(crate) forms: Vec<Form>,
    pub(crate) pool: Pool,
}

pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) items: Vec<Value>,
    /// The items as text.
    pub(crate) texts: Vec<String>,
    pub(crate) logs: Option<String>,
    pub(crate) taken_at: Option<String>,
    pub(crate) pool: Pool,
}

/// A snapshot that is no folder with `objects.json`: its files, by their path below it. The path of the only one of
/// a snapshot that is a single file is empty.
pub(crate) struct Form {
    pub(crate) name: String,
    pub(crate) files: Vec<(PathBuf, Vec<u8>)>,
}

impl Form {
    fn load(path: &Path) -> Self {
        let mut files = Vec::new();
        let mut left = vec![path.to_owned()];
        while let Some(next) = left.pop() {
            if next.is_dir() {
                left.extend(fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                files.push((next.strip_prefix(path).unwrap().to_owned(), fs::read(&next).unwrap()));
            }
        }
        files.sort();
        Self { name: path.file_name().unwrap().to_string_lossy().into_owned(), files }
    }
}

/// Values by the name of their field.
#[derive(Default)]
pub(crate) struct Pool(BTreeMap<String, Vec<Value>>);

impl Pool {
    pub(crate) fn of(&self, field: &str) -> &[Value] {
        self.0.get(field).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                for (field, value) in map {
                    let kept = self.0.entry(field.clone()).or_default();
                    if kept.len() < MANY && !kept.contains(value) && value.to_string().len() < 4096 {
                        kept.push(value.clone());
                    }
                    self.add(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            _ => {}
        }
    }
}

impl Corpus {
    pub(crate) fn load() -> Self {
        let mut corpus = Self { recordings: Vec::new(), forms: Vec::new(), pool: Pool::default() };
        let listed = |folder: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
            let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            paths
        };
        let paths = [listed("tests/recorded"), listed("tests/recorded-gitops")].concat();
        corpus.recordings.extend(paths.iter().filter_map(|path| Recording::load(path)));
        assert_eq!(corpus.recordings.len(), paths.len(), "a folder of recordings was left out");
        assert!(corpus.recordings.len() > 150, "the recordings were not found");
        for path in listed("tests/snapshots") {
            match Recording::load(&path) {
                Some(recording) => corpus.recordings.push(recording),
                None => corpus.forms.push(Form::load(&path)),
            }
        }
        assert!(corpus.forms.len() > 3, "what kubectl writes was not found");
        for recording in &corpus.recordings {
            recording.items.iter().for_each(|item| corpus.pool.add(item));
        }
        corpus
    }
}

impl Recording {
    fn load(path: &Path) -> Option<Self> {
        let list: Value = serde_json::from_str(&fs::read_to_string(path.join("objects.json")).ok()?).unwrap();
        let items = list["items"].as_array().unwrap().clone();
        let mut pool = Pool::default();
        items.iter().for_each(|item| pool.add(item));
        Some(Self {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            texts: items.iter().map(ToString::to_string).collect(),
            items,
            logs: fs::read_to_string(path.join("logs.txt")).ok(),
            taken_at: fs::read_to_string(path.join("taken-at")).ok(),
            pool,
        })
    }
}

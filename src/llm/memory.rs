//! What is remembered of servers: the way to ask, answers.
//!
//! Files of mode 0600 in the cache folder. Nothing depends on them: one that can't be read or written, or
//! that holds anything else, is as good as none.

use super::answer::Usage;
use super::prompt;
use super::settings::Settings;
use super::wire::Way;
use crate::doors::files;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Bytes of a remembered answer at most.
const LIMIT: u64 = 256 << 10;

/// The folder of what is remembered, or none; and whether it is recalled, or only written anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    folder: Option<PathBuf>,
    recalls: bool,
}

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) text: String,
    /// The model that gave it.
    pub(super) model: String,
    pub(super) usage: Usage,
}

impl Memory {
    /// Remembers in `folder`. Without `recalls` everything is asked and found out anew.
    pub fn new(folder: PathBuf, recalls: bool) -> Self {
        Self { folder: Some(folder), recalls }
    }

    /// How this model at this endpoint is asked best, as far as its refusals told.
    pub fn way(&self, settings: &Settings) -> Option<Way> {
        let file = self.file(&way_of(settings)).filter(|_| self.recalls)?;
        let bytes = files::read_bounded(&file, 64).ok()?;
        let way = Way::parse(std::str::from_utf8(&bytes).ok()?.trim())?;
        settings.api.ways().contains(&way).then_some(way)
    }

    pub(super) fn keep_way(&self, settings: &Settings, way: Way) {
        self.write(&way_of(settings), way.name().as_bytes());
    }

    /// The answer to exactly this request.
    pub(super) fn answer(&self, settings: &Settings, body: &[u8]) -> Option<Kept> {
        let file = self.file(&answer_to(settings, body)).filter(|_| self.recalls)?;
        serde_json::from_slice(&files::read_bounded(&file, LIMIT).ok()?).ok()
    }

    pub(super) fn keep_answer(&self, settings: &Settings, body: &[u8], kept: &Kept) {
        if let Ok(text) = serde_json::to_vec(kept) {
            self.write(&answer_to(settings, body), &text);
        }
    }

    fn file(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(name))
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let Some(file) = self.file(name) else { return };
        if let Some(folder) = file.parent()
            && files::make_private_folder(folder).is_ok()
        {
            // A cache that can't be written is no cache; nothing else depends on it.
            let _ = files::write_private(&file, bytes);
        }
    }
}

fn way_of(settings: &Settings) -> String {
    name("way", settings, &[settings.model.as_bytes()])
}

/// The body holds the model, the prompt and every setting of the request.
fn answer_to(settings: &Settings, body: &[u8]) -> String {
    name("answer", settings, &[&prompt::VERSION.to_be_bytes(), body])
}

fn name(kind: &str, settings: &Settings, parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in [settings.api.name().as_bytes(), settings.url.as_str().as_bytes()].iter().chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{kind}-{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn settings(url: &str, model: &str) -> Settings {
        Settings::new(url, model, None).unwrap()
    }

    fn kept() -> Kept {
        Kept { text: "{}".to_owned(), model: "m".to_owned(), usage: Usage { prompt: 1, answer: 2, cached: 0 } }
    }

    #[test]
    fn an_answer_is_remembered_for_this_request_to_this_endpoint_alone() {
        let scratch = files::Scratch::new().unwrap();
        let memory = Memory::new(scratch.path().join("llm"), true);
        let here = settings("http://127.0.0.1:1/v1", "m");
        memory.keep_answer(&here, b"body", &kept());
        assert_eq!(memory.answer(&here, b"body"), Some(kept()));
        assert_eq!(memory.answer(&here, b"other"), None);
        assert_eq!(memory.answer(&settings("http://127.0.0.1:2/v1", "m"), b"body"), None);
        assert_eq!(Memory::new(scratch.path().join("llm"), false).answer(&here, b"body"), None);
        assert_eq!(Memory::default().answer(&here, b"body"), None);
        let file = scratch.path().join("llm").join(answer_to(&here, b"body"));
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        files::write_private(&file, b"{\"text\":").unwrap();
        assert_eq!(memory.answer(&here, b"body"), None, "a damaged file is none");
    }

    #[test]
    fn a_way_is_remembered_by_endpoint_and_model() {
        let scratch = files::Scratch::new().unwrap();
        let memory = Memory::new(scratch.path().join("llm"), true);
        let here = settings("http://127.0.0.1:1/v1", "m");
        assert_eq!(memory.way(&here), None);
        memory.keep_way(&here, Way::Object);
        assert_eq!(memory.way(&here), Some(Way::Object));
        assert_eq!(Memory::new(scratch.path().join("llm"), false).way(&here), None);
        assert_eq!(memory.way(&settings("http://127.0.0.1:1/v1", "n")), None);
        files::write_private(&scratch.path().join("llm").join(way_of(&here)), b"rubbish").unwrap();
        assert_eq!(memory.way(&here), None);
    }
}

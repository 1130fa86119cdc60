//! The faults of `tests/lab/codes`: what a folder holds, and what a scan of it must say.
//!
//! ```text
//! codes/CODE[.variant]/
//!     first.yaml   optional: a good state that must have rolled out before
//!     fault.yaml   the fault and its healthy twins, whose names end in `-twin`
//!     delete       optional: objects to delete then, one `kind/name` per line
//!     expect       `code Kind/name`: exactly the roots worse than info
//!                  `info code Kind/name` and `effect code Kind/name`: these too
//! ```
//!
//! The word NAMESPACE stands for the name of the namespace; an object of the whole cluster has it in its name.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Every folder, sorted.
pub(crate) fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/codes");
    let mut all: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// The folder's name: a code and perhaps a variant.
pub(crate) fn name(folder: &Path) -> &str {
    folder.file_name().unwrap().to_str().unwrap()
}

/// The lines of a folder's file that say something; none if there is no such file.
pub(crate) fn lines(folder: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// What a scan must say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    /// Exactly these, sorted.
    pub(crate) roots: Vec<String>,
    pub(crate) infos: Vec<String>,
    pub(crate) effects: Vec<String>,
}

impl Expected {
    pub(crate) fn read(folder: &Path, namespace: &str) -> Self {
        let mut out = Self::default();
        for line in lines(folder, "expect") {
            let line = line.replace("NAMESPACE", namespace);
            if let Some(info) = line.strip_prefix("info ") {
                out.infos.push(info.to_owned());
            } else if let Some(effect) = line.strip_prefix("effect ") {
                out.effects.push(effect.to_owned());
            } else {
                out.roots.push(line);
            }
        }
        out.roots.sort();
        out
    }

    /// Every code that is expected in some way.
    pub(crate) fn codes(&self) -> impl Iterator<Item = &str> {
        let all = self.roots.iter().chain(&self.infos).chain(&self.effects);
        all.filter_map(|line| line.split(' ').next())
    }

    /// Why a report is not what was expected.
    pub(crate) fn differs(&self, report: &Value) -> Option<String> {
        let mut wrong = Vec::new();
        let (mut roots, mut infos, mut effects) = (Vec::new(), Vec::new(), Vec::new());
        for finding in report["findings"].as_array().unwrap() {
            if finding["severity"] == "info" { &mut infos } else { &mut roots }.push(line(finding));
            effects.extend(finding["effects"].as_array().into_iter().flatten().map(line));
        }
        roots.sort();
        if roots != self.roots {
            wrong.push(format!("roots {roots:?} instead of {:?}", self.roots));
        }
        wrong.extend(self.infos.iter().filter(|info| !infos.contains(info)).map(|info| format!("no info {info}")));
        wrong.extend(self.effects.iter().filter(|e| !effects.contains(e)).map(|e| format!("no effect {e}")));
        let all = roots.iter().chain(&infos).chain(&effects);
        wrong.extend(all.filter(|line| line.ends_with("-twin")).map(|line| format!("on a healthy twin: {line}")));
        (!wrong.is_empty()).then(|| format!("{}\n  infos {infos:?}\n  effects {effects:?}", wrong.join("\n  ")))
    }
}

/// `code Kind/name` of a finding or an effect.
pub(crate) fn line(said: &Value) -> String {
    let text = |pointer: &str| said.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    format!("{} {}/{}", text("/code"), text("/object/kind"), text("/object/name"))
}

//! Loads policies and their data.

use super::embedded;
use super::metadata::Metadata;
use crate::doors::files;
use crate::error::Error;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Files in one policy folder at most.
const FILES: usize = 1_000;
/// Folders below a policy folder that are entered.
const DEPTH: usize = 8;
/// Bytes of one file at most.
const FILE: u64 = 1 << 20;
/// Bytes of all files of one folder at most.
const TOTAL: usize = 16 << 20;

/// One Rego file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Which source it belongs to; files see only files and data of their own source.
    pub source: usize,
    /// Unique in the set: the file's path below its folder, without `.rego`.
    pub name: String,
    /// As it is shown: `policies/image_tag.rego`.
    pub path: String,
    pub text: String,
    /// Of its bytes, 64 hex digits.
    pub sha256: String,
}

impl File {
    /// Whether it holds tests only: its name ends in `_test.rego`.
    pub fn is_test(&self) -> bool {
        self.path.ends_with("_test.rego")
    }

    /// What its leading comment says of it.
    pub fn metadata(&self) -> Metadata {
        Metadata::read(&self.text)
    }
}

/// Policies and their data, by source: the embedded ones and one per extra folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    pub files: Vec<File>,
    /// The data document of each source.
    pub data: Vec<Value>,
}

impl Set {
    /// Loads the embedded policies (if asked for) and those of each folder or file in `extra`:
    /// `.rego` files, and `.yaml`, `.yml` and `.json` files as data, merged at the root.
    ///
    /// An extra folder can only add denials. What it says below the key `aifix` of its data
    /// tightens what the embedded policies read: lists grow, numbers shrink.
    ///
    /// # Errors
    /// When a folder can't be read, holds too much or holds nothing, when data does not parse or
    /// does not fit together, and when there is no policy at all.
    pub fn load(embedded: bool, extra: &[PathBuf]) -> Result<Self, Error> {
        let mut set = Self { files: Vec::new(), data: Vec::new() };
        if embedded {
            set.data.push(parse_data("policies/data.yaml", embedded::DATA)?);
            for (path, text) in embedded::FILES {
                set.add(0, path, &format!("policies/{path}"), text)?;
            }
        }
        for folder in extra {
            set.load_folder(folder, embedded)?;
        }
        if set.files.iter().all(File::is_test) {
            return Err(Error::usage("there is no policy").hint("name a folder that holds .rego files: --policy DIR"));
        }
        Ok(set)
    }

    /// A set of one source, for what is already in memory: name and text of each file.
    ///
    /// # Errors
    /// When two files have the same name.
    pub fn of<'f>(texts: impl IntoIterator<Item = (&'f str, &'f str)>, data: Value) -> Result<Self, Error> {
        let mut set = Self { files: Vec::new(), data: vec![data] };
        for (path, text) in texts {
            set.add(0, path, path, text)?;
        }
        Ok(set)
    }

    /// The files that are policies or are used by them.
    pub fn policies(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| !file.is_test())
    }

    fn add(&mut self, source: usize, below: &str, path: &str, text: &str) -> Result<(), Error> {
        let name = below.trim_end_matches(".rego");
        let taken = |name: &str| self.files.iter().any(|file| file.name == name);
        // A folder's file may be named as one of ours: both count, and each can be told apart.
        let name = if taken(name) { path.trim_end_matches(".rego") } else { name };
        if taken(name) {
            return Err(Error::usage(format!("the policy `{name}` is there twice"))
                .hint("give each folder of --policy once, and each file a name of its own"));
        }
        let sha256 = format!("{:x}", HexDigest(&Sha256::digest(text.as_bytes())));
        // Editors on Windows write it; the evaluator calls it an invalid character.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        self.files.push(File { source, name: name.to_owned(), path: path.to_owned(), text, sha256 });
        Ok(())
    }

    fn load_folder(&mut self, folder: &Path, embedded: bool) -> Result<(), Error> {
        let shown = folder.display().to_string();
        let mut found = Vec::new();
        if files::is_dir(folder) {
            walk(folder, "", 0, &mut found)?;
        } else if let (Some(parent), Some(name)) = (folder.parent(), folder.file_name().and_then(|name| name.to_str()))
        {
            found.push((parent.to_owned(), name.to_owned()));
        }
        let source = self.data.len();
        let mut data = Value::Object(Map::new());
        let (mut total, mut policies) = (0, 0);
        for (base, below) in found {
            let file = base.join(&below);
            let path = file.display().to_string();
            if files::exists(&file) && !file.is_file() {
                // Reading a pipe would wait for ever.
                return Err(Error::usage(format!("the policy file `{path}` is not a regular file")));
            }
            let bytes = files::read_bounded(&file, FILE).map_err(|error| {
                Error::usage(format!("the policy file `{path}` can't be read"))
                    .caused_by(&error)
                    .hint("check the path given with --policy")
            })?;
            total += bytes.len();
            if total > TOTAL {
                return Err(too_much(&shown, &format!("more than {} MiB", TOTAL >> 20)));
            }
            let text =
                String::from_utf8(bytes).map_err(|_| Error::usage(format!("the policy file `{path}` is not UTF-8")))?;
            if below.ends_with(".rego") {
                policies += 1;
                self.add(source, &below, &path, &text)?;
            } else {
                merge(&mut data, parse_data(&path, &text)?, &path)?;
            }
        }
        let ours = data.get("aifix").cloned();
        if policies == 0 && ours.is_none() {
            return Err(Error::usage(format!("the policy folder `{shown}` holds no .rego file"))
                .hint("policies are files that end in .rego"));
        }
        if embedded && let (Some(ours), Some(current)) = (ours, self.data[0].get_mut("aifix")) {
            tighten(current, ours, "aifix", &shown)?;
        }
        self.data.push(data);
        Ok(())
    }
}

struct HexDigest<'b>(&'b [u8]);

impl std::fmt::LowerHex for HexDigest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn too_much(folder: &str, what: &str) -> Error {
    Error::usage(format!("the policy folder `{folder}` holds {what}"))
        .hint("give a folder that holds policies only: --policy DIR")
}

/// Collects the files of a folder that count; hidden ones are left out. Nothing else is passed over
/// in silence: a policy that was not loaded can't deny.
fn walk(root: &Path, below: &str, depth: usize, out: &mut Vec<(PathBuf, String)>) -> Result<(), Error> {
    let here = root.join(below);
    let shown = root.display().to_string();
    let names = files::list(&here).map_err(|error| {
        Error::usage(format!("the policy folder `{}` can't be read", here.display())).caused_by(&error)
    })?;
    if names.len() > FILES {
        return Err(too_much(&shown, &format!("{} files, more than {FILES}", names.len())));
    }
    for name in names.iter().filter(|name| !name.starts_with('.')) {
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let file = root.join(&path);
        if files::is_dir(&file) {
            if file.symlink_metadata().is_ok_and(|found| found.is_symlink()) {
                return Err(Error::usage(format!("`{}` is a link to a folder, which is not followed", file.display()))
                    .hint("name the folder itself with another --policy"));
            }
            if depth == DEPTH {
                return Err(too_much(&shown, &format!("folders that nest deeper than {DEPTH}")));
            }
            walk(root, &path, depth + 1, out)?;
        } else if [".rego", ".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) {
            out.push((root.to_owned(), path));
            if out.len() > FILES {
                return Err(too_much(&shown, &format!("more than {FILES} files")));
            }
        }
    }
    Ok(())
}

fn parse_data(path: &str, text: &str) -> Result<Value, Error> {
    let options = serde_saphyr::options! { with_snippet: false };
    let data: Result<Value, String> = if path.ends_with(".json") {
        serde_json::from_str(text).map_err(|error| error.to_string())
    } else {
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
    };
    let data = data.map_err(|error| Error::usage(format!("the policy data `{path}` can't be read")).because(error))?;
    match data {
        Value::Null => Ok(Value::Object(Map::new())),
        data @ Value::Object(_) => Ok(data),
        _ => Err(Error::usage(format!("the policy data `{path}` is not a map"))),
    }
}

/// Adds maps to maps; two different values at one place are an error.
fn merge(into: &mut Value, from: Value, path: &str) -> Result<(), Error> {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                match into.get_mut(&key) {
                    Some(there) => merge(there, value, path)?,
                    None => drop(into.insert(key, value)),
                }
            }
            Ok(())
        }
        (into, from) if *into == from => Ok(()),
        _ => Err(Error::usage(format!("the policy data `{path}` says otherwise than another data file"))
            .hint("each value may stand in one data file only")),
    }
}

/// Makes what the embedded policies read stricter: names are added to lists, and a number counts
/// when it is smaller. Nothing else can be said from outside.
fn tighten(current: &mut Value, wanted: Value, place: &str, folder: &str) -> Result<(), Error> {
    match (current, wanted) {
        (Value::Object(current), Value::Object(wanted)) => {
            for (key, value) in wanted {
                let place = format!("{place}.{key}");
                let there = current.get_mut(&key).ok_or_else(|| {
                    Error::usage(format!(
                        "the data of the policy folder `{folder}` sets `{place}`, which no policy reads"
                    ))
                    .hint("`aifix policy list` shows what the policies read")
                })?;
                tighten(there, value, &place, folder)?;
            }
            Ok(())
        }
        (Value::Array(current), Value::Array(wanted)) => {
            let known: BTreeSet<String> = current.iter().map(ToString::to_string).collect();
            current.extend(wanted.into_iter().filter(|item| !known.contains(&item.to_string())));
            Ok(())
        }
        (Value::Number(current), Value::Number(wanted)) => {
            if wanted.as_f64() < current.as_f64() {
                *current = wanted;
            }
            Ok(())
        }
        _ => Err(Error::usage(format!("`{place}` in the data of the policy folder `{folder}` has the wrong type"))
            .hint("lists add to ours, and numbers may only be smaller")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doors::files::{Scratch, write_scratch};
    use serde_json::json;

    fn folder(files: &[(&str, &str)]) -> (Scratch, Vec<PathBuf>) {
        let scratch = Scratch::new().unwrap();
        let folder = scratch.path().join("own");
        for (path, text) in files {
            write_scratch(&folder.join(path), text.as_bytes()).unwrap();
        }
        (scratch, vec![folder])
    }

    #[test]
    fn every_file_of_the_folder_is_embedded() {
        let mut found = Vec::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"), "", 0, &mut found).unwrap();
        let mut found: Vec<String> =
            found.into_iter().map(|(_, path)| path).filter(|path| path != "data.yaml").collect();
        found.sort();
        let mut embedded: Vec<_> = embedded::FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        embedded.sort();
        assert_eq!(embedded, found);
    }

    #[test]
    fn every_embedded_policy_says_what_it_is_for() {
        for file in Set::load(true, &[]).unwrap().policies().filter(|file| !file.name.starts_with("lib/")) {
            let metadata = file.metadata();
            assert!(!metadata.title.is_empty(), "{}", file.name);
            assert!(!metadata.reason.is_empty(), "{}", file.name);
            assert!(!metadata.severity.is_empty(), "{}", file.name);
            assert!(!metadata.term.is_empty(), "{}", file.name);
        }
    }

    #[test]
    fn a_folder_adds_policies_and_its_own_data() {
        let (_scratch, extra) = folder(&[
            ("a/b.rego", "package a"),
            ("c.yaml", "teams: [red]"),
            ("d.json", "{\"x\": 1}"),
            ("README.md", "no"),
        ]);
        let set = Set::load(false, &extra).unwrap();
        assert_eq!(set.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a/b"]);
        assert_eq!(set.data, [json!({"teams": ["red"], "x": 1})]);
        assert_eq!(set.files[0].sha256, "7663fa2eaf2e6846391a250cc37947941ffda1650e53cdee850c32f56e277971".to_owned());
    }

    #[test]
    fn a_folder_can_tighten_our_caps_and_never_loosen_them() {
        let before = Set::load(true, &[]).unwrap().data[0]["aifix"].clone();
        let (_scratch, extra) = folder(&[(
            "data.yaml",
            "aifix: {growth: {factor: 1.5, memory_bytes: 99999999999999}, critical: {namespaces: [payments]}}",
        )]);
        let after = Set::load(true, &extra).unwrap().data[0]["aifix"].clone();
        assert_eq!(after["growth"]["factor"], json!(1.5));
        assert_eq!(after["growth"]["memory_bytes"], before["growth"]["memory_bytes"]);
        let names = after["critical"]["namespaces"].as_array().unwrap();
        assert!(names.contains(&json!("payments")) && names.contains(&json!("kube-system")));
        let (_scratch, extra) = folder(&[("data.yaml", "aifix: {growth: {faktor: 2}}")]);
        assert!(Set::load(true, &extra).unwrap_err().message.contains("`aifix.growth.faktor`"));
    }

    #[test]
    fn a_huge_folder_is_refused() {
        let names: Vec<String> = (0..=FILES).map(|at| format!("p{at}.rego")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "package p")).collect();
        let (_scratch, extra) = folder(&files);
        assert!(Set::load(false, &extra).unwrap_err().message.ends_with("holds 1001 files, more than 1000"));
    }

    #[test]
    fn a_folder_that_is_not_entered_is_an_error() {
        let deep = format!("{}p.rego", "d/".repeat(DEPTH + 1));
        let (_scratch, extra) = folder(&[(&deep, "package p")]);
        assert!(Set::load(false, &extra).unwrap_err().message.ends_with("holds folders that nest deeper than 8"));
        let (_scratch, extra) = folder(&[("p.rego", "package p")]);
        std::os::unix::fs::symlink("/", extra[0].join("root")).unwrap();
        assert!(
            Set::load(false, &extra).unwrap_err().message.ends_with("is a link to a folder, which is not followed")
        );
        let (_scratch, extra) = folder(&[("p.rego", "package p")]);
        std::os::unix::fs::symlink("/nonexistent", extra[0].join("x.rego")).unwrap();
        assert!(Set::load(false, &extra).unwrap_err().message.ends_with("x.rego` is not a regular file"));
    }

    #[test]
    fn what_is_no_policy_folder_is_an_error_that_names_it() {
        let (_scratch, extra) = folder(&[("README.md", "no")]);
        assert!(Set::load(true, &extra).unwrap_err().message.ends_with("holds no .rego file"));
        let missing = vec![PathBuf::from("/nonexistent/x")];
        assert_eq!(Set::load(true, &missing).unwrap_err().message, "the policy file `/nonexistent/x` can't be read");
        let (_scratch, extra) = folder(&[("a.rego", "package a"), ("x.yaml", "a: [")]);
        assert!(Set::load(true, &extra).unwrap_err().message.ends_with("x.yaml` can't be read"));
    }

    #[test]
    fn a_file_named_as_one_of_ours_does_not_replace_it() {
        let (_scratch, extra) = folder(&[("image_tag.rego", "package aifix.image_tag")]);
        let set = Set::load(true, &extra).unwrap();
        assert_eq!(set.files.iter().filter(|file| file.name.ends_with("image_tag")).count(), 2);
    }
}

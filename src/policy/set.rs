//! Loads policies and their data.

use super::constraints::{Constraint, Pending, Placed};
use super::data;
use super::embedded;
use super::folder::{self, Found};
use super::gatekeeper::documents::{self, Document};
use super::metadata::Metadata;
use super::protocol;
use crate::error::Error;
use crate::model::tree::Tree;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

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
    /// The Rego of a Gatekeeper template: its constraints are asked, not it.
    pub is_template: bool,
    /// The repository's own, as it stands at the base.
    pub of_repository: bool,
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

/// Policies and their data, by source: the embedded ones, one per extra folder, one per template.
#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    pub files: Vec<File>,
    pub constraints: Vec<Constraint>,
    /// The data document of each source.
    pub data: Vec<Value>,
    /// What was found and is not evaluated, a sentence each.
    pub aside: Vec<String>,
    /// Kind, files and schema of each template.
    pub(super) templates: Vec<Placed>,
    /// The embedded policies are the first source.
    is_embedded: bool,
}

impl Set {
    fn empty() -> Self {
        Self {
            files: Vec::new(),
            constraints: Vec::new(),
            data: Vec::new(),
            aside: Vec::new(),
            templates: Vec::new(),
            is_embedded: false,
        }
    }

    /// Loads the embedded policies (if asked for) and those of each folder or file in `extra`:
    /// `.rego` files, and `.yaml`, `.yml` and `.json` files. Of those, Gatekeeper's templates and constraints are
    /// policies, other objects are passed over, and the rest is data, merged at the root.
    ///
    /// An extra folder can only add denials. What it says below the key `aifix` of its data
    /// tightens what the embedded policies read: lists grow, numbers shrink.
    ///
    /// # Errors
    /// When a folder can't be read, holds too much or holds nothing, when data does not parse or
    /// does not fit together, and when there is no policy at all.
    pub fn load(embedded: bool, extra: &[PathBuf]) -> Result<Self, Error> {
        let mut set = Self { is_embedded: embedded, ..Self::empty() };
        if embedded {
            set.data.push(data::read("policies/data.yaml", embedded::DATA)?);
            for (path, text) in embedded::FILES {
                set.add(0, path, &format!("policies/{path}"), text)?;
            }
        }
        let mut pending = Vec::new();
        for folder in extra {
            let found = folder::read(folder)?;
            set.add_folder(&shown(folder), found, &mut pending)?;
        }
        set.resolve(pending)?;
        if set.files.iter().all(File::is_test) && set.constraints.is_empty() {
            return Err(Error::usage("there is no policy").hint("name a folder that holds .rego files: --policy DIR"));
        }
        Ok(set)
    }

    /// The same and what a folder of the repository adds, as it stands at `revision`. Whoever may push there writes
    /// it: it can't take anything away, and a constraint that was named elsewhere never gets a template from here.
    /// `false` when there is no such folder.
    ///
    /// # Errors
    /// As [`Set::load`].
    pub fn add_tree(&mut self, tree: &Tree, folder: &str, revision: &str) -> Result<bool, Error> {
        let Some(found) = folder::of_tree(tree, folder, revision)? else { return Ok(false) };
        let mut pending = Vec::new();
        let given = self.files.len();
        self.add_folder(&format!("{folder} of the repository"), found, &mut pending)?;
        self.files.iter_mut().skip(given).for_each(|file| file.of_repository = true);
        self.resolve(pending)?;
        Ok(true)
    }

    /// A set of one source, for what is already in memory: name and text of each file.
    ///
    /// # Errors
    /// When two files have the same name.
    pub fn of<'f>(texts: impl IntoIterator<Item = (&'f str, &'f str)>, data: Value) -> Result<Self, Error> {
        let mut set = Self { data: vec![data], ..Self::empty() };
        for (path, text) in texts {
            set.add(0, path, path, text)?;
        }
        Ok(set)
    }

    /// The files that are policies or are used by them.
    pub fn policies(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| !file.is_test() && !file.is_template)
    }

    /// Name and digest of what a verdict is of.
    pub(super) fn subject(&self, subject: protocol::Subject) -> Option<(&str, &str)> {
        Some(match subject {
            protocol::Subject::File(at) => self.files.get(at).map(|file| (&*file.name, &*file.sha256))?,
            protocol::Subject::Constraint(at) => {
                self.constraints.get(at).map(|constraint| (constraint.name(), &*constraint.sha256))?
            }
        })
    }

    fn add(&mut self, source: usize, below: &str, path: &str, text: &str) -> Result<usize, Error> {
        let name = below.trim_end_matches(".rego");
        let taken = |name: &str| self.files.iter().any(|file| file.name == name);
        // A folder's file may be named as one of ours: both count, and each can be told apart.
        let name = if taken(name) { path.trim_end_matches(".rego") } else { name };
        if taken(name) {
            return Err(twice(name));
        }
        let sha256 = digest([text]);
        // Editors on Windows write it; the evaluator calls it an invalid character.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        let (name, path) = (name.to_owned(), path.to_owned());
        self.files.push(File { source, name, path, text, sha256, is_template: false, of_repository: false });
        Ok(self.files.len() - 1)
    }

    fn add_folder(&mut self, shown: &str, found: Vec<Found>, pending: &mut Vec<Pending>) -> Result<(), Error> {
        let source = self.data.len();
        self.data.push(Value::Object(Map::new()));
        let mut whole = Value::Object(Map::new());
        let mut is_policy = false;
        for Found { below, path, text } in found {
            if below.ends_with(".rego") {
                is_policy = true;
                self.add(source, &below, &path, &text)?;
                continue;
            }
            for document in data::documents(&path, &text)?.into_iter().flat_map(documents::read) {
                match document {
                    Document::Template(template) => self.place(template, &path, &text)?,
                    Document::Constraint(written) => pending.push(Pending { written, path: path.clone() }),
                    Document::Other(what) => {
                        self.aside.push(format!("`{path}` holds a {what}, which is not evaluated"));
                    }
                    Document::Object => continue,
                    Document::Data(document) => {
                        data::merge(&mut whole, data::map(&path, document)?, &path)?;
                        continue;
                    }
                }
                is_policy = true;
            }
        }
        let ours = whole.get("aifix").cloned();
        if !is_policy && ours.is_none() {
            return Err(Error::usage(format!("the policy folder `{shown}` holds no .rego file"))
                .hint("policies are files that end in .rego, and Gatekeeper's templates and constraints"));
        }
        if self.is_embedded
            && let (Some(ours), Some(current)) = (ours, self.data[0].get_mut("aifix"))
        {
            data::tighten(current, ours, "aifix", shown)?;
        }
        self.data[source] = whole;
        Ok(())
    }
}

fn shown(folder: &Path) -> String {
    folder.display().to_string()
}

pub(super) fn twice(name: &str) -> Error {
    Error::usage(format!("the policy `{name}` is there twice"))
        .hint("give each folder of --policy once, and each file a name of its own")
}

pub(super) fn digest<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut hash = Sha256::new();
    texts.into_iter().for_each(|text| hash.update(text.as_bytes()));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::folder::{DEPTH, FILES};
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
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let found = folder::read(&folder).unwrap().into_iter().map(|found| found.below);
        let mut found: Vec<String> = found.filter(|path| path != "data.yaml").collect();
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

//! The faults that the laboratory makes are complete, before a cluster is asked.

use crate::expected::{Expected, folders, name};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// At least so many codes are made on a real cluster.
const CODES: usize = 100;

/// The code that a folder is about.
fn code(folder: &Path) -> &str {
    name(folder).split('.').next().unwrap()
}

#[test]
fn every_folder_is_a_code_that_its_expectation_names() {
    let known: BTreeSet<&str> = aifix::diagnose::codes().iter().map(|code| code.name).collect();
    for folder in folders() {
        let (code, expected) = (code(&folder), Expected::read(&folder, "NAMESPACE"));
        assert!(known.contains(code), "{}: no such code", name(&folder));
        let named: BTreeSet<&str> = expected.codes().collect();
        assert!(named.contains(code), "{}: `expect` does not name the code", name(&folder));
        assert!(named.is_subset(&known), "{}: {:?}", name(&folder), named.difference(&known));
    }
}

#[test]
fn every_fault_has_a_healthy_twin_beside_it() {
    for folder in folders() {
        let fault = fs::read_to_string(folder.join("fault.yaml")).unwrap();
        let first = fs::read_to_string(folder.join("first.yaml")).unwrap_or_default();
        let mut names = first.lines().chain(fault.lines()).filter_map(|line| line.split("name: ").nth(1));
        assert!(names.any(|name| name.trim_end_matches('}').ends_with("-twin")), "{}: no twin", name(&folder));
    }
}

#[test]
fn enough_codes_are_made_for_real() {
    let codes: BTreeSet<String> = folders().iter().map(|folder| code(folder).to_owned()).collect();
    assert!(codes.len() >= CODES, "{} codes", codes.len());
}

#[test]
fn what_is_healed_is_made_for_real_and_enough_codes_are() {
    let all = folders();
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/heals.tsv")).unwrap();
    let mut codes = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let [fault, way, edits] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let folder =
            all.iter().find(|folder| name(folder) == fault).unwrap_or_else(|| panic!("{fault}: no such fault"));
        let first = folder.join("first.yaml").exists();
        assert!(!first || way == "chosen", "{fault}: its first state would not be in Git");
        assert!(["facts", "history", "chosen"].contains(&way), "{fault}: {way}");
        assert!(edits == "twin" || edits.contains(" -> "), "{fault}: {edits}");
        assert!(codes.insert(fault), "{fault} stands twice");
    }
    let codes: BTreeSet<&str> = codes.iter().filter_map(|fault| fault.split('.').next()).collect();
    assert!(codes.len() >= 32, "{} codes", codes.len());
}

#[test]
fn an_answer_must_be_exact_and_no_twin_may_be_in_it() {
    let expected = Expected {
        roots: vec!["quota-exceeded Deployment/web".to_owned()],
        infos: vec!["pdb-selects-nothing PodDisruptionBudget/web".to_owned()],
        effects: vec!["deployment-unavailable Deployment/web".to_owned()],
    };
    let line = |code: &str, kind: &str, name: &str| json!({"code": code, "object": {"kind": kind, "name": name}});
    let mut root = line("quota-exceeded", "Deployment", "web");
    root["severity"] = json!("critical");
    root["effects"] = json!([line("deployment-unavailable", "Deployment", "web")]);
    let mut info = line("pdb-selects-nothing", "PodDisruptionBudget", "web");
    info["severity"] = json!("info");
    let mut twin = info.clone();
    twin["object"]["name"] = json!("web-twin");

    assert_eq!(expected.differs(&json!({"findings": [root, info]})), None);
    for wrong in [json!([root]), json!([info]), json!([root, root, info]), json!([root, info, twin])] {
        assert!(expected.differs(&json!({"findings": wrong})).is_some(), "{wrong}");
    }
}

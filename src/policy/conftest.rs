//! What conftest gives a policy and nobody gives it here.
//!
//! A rule that reads it would never hold, which looks like a policy that allows. So it is found in the text, and the
//! policy denies with its reason: <https://www.conftest.dev/options/>.

use super::location::Fault;
use super::metadata::Metadata;
use super::syntax::{self, Module, Rule};
use super::world::World;

/// Functions that conftest adds to OPA's.
const BUILTINS: [&str; 3] = ["parse_combined_config_files", "parse_config", "parse_config_file"];
/// The two fields of each file that `--combine` puts into one list.
const CONTENTS: &str = "contents";
const PATH: &str = "path";
/// The key of `data` that tells of the file that is looked at.
const FILE: &str = "conftest";

/// What is said of a function that nobody has.
pub(super) fn unknown(function: &str) -> String {
    let whose = if BUILTINS.contains(&function) { ", a builtin of conftest that reads further files" } else { "" };
    format!("could not find function {function}{whose}")
}

/// Why a policy, by all that its files need, can't be asked as conftest would ask it.
pub(super) fn fault(world: &World<'_>, files: &[usize], closure: &[usize]) -> Option<Fault> {
    about_files(world, closure).or_else(|| {
        let says_it_itself = files.iter().any(|at| !Metadata::read(&world.file(*at).text).input.is_empty());
        if says_it_itself { None } else { combined(world, closure) }
    })
}

/// `data.conftest.file.name`, unless the policies bring it themselves.
fn about_files(world: &World<'_>, closure: &[usize]) -> Option<Fault> {
    let is_brought = world.has_data(closure, FILE)
        || world.parsed(closure).any(|(_, module)| module.package.first().is_some_and(|name| name == FILE));
    let mut readers = world.parsed(closure).filter(|(_, module)| module.reads_data(FILE));
    let (at, module) = readers.next().filter(|_| !is_brought)?;
    let reads = |rule: &&Rule| {
        rule.reads.iter().any(|path| matches!(&path[..], [root, key, ..] if root == "data" && key == FILE))
    };
    let words = "it reads `data.conftest`, the file that conftest looks at, which is not known here: name the object by \
                 its kind, namespace and name";
    Some(place(world, at, module.rules.iter().find(reads), words))
}

/// `input[i].contents.kind`: the list of all files that `--combine` gives.
fn combined(world: &World<'_>, closure: &[usize]) -> Option<Fault> {
    let takes_whole = world.parsed(closure).any(|(_, module)| module.inputs.iter().any(Vec::is_empty));
    let reads_fields = world.parsed(closure).any(|(_, module)| module.inputs.iter().any(|path| !path.is_empty()));
    let (at, rule) = world.parsed(closure).find_map(|(at, module)| {
        let is_one = |rule: &&Rule| {
            rule.steps.iter().any(|steps| match &steps[..] {
                [Some(root), None, Some(field), ..] => module.is_input(root) && (field == CONTENTS || field == PATH),
                // An element that a variable holds: `some file in input`.
                [Some(root), Some(field), ..] => {
                    field == CONTENTS && takes_whole && !reads_fields && is_local(module, root)
                }
                _ => false,
            })
        };
        Some((at, module.rules.iter().find(is_one)?))
    })?;
    let words = "it reads the list of files that conftest gives with --combine, and here each manifest is asked on its own: \
                 write it for one manifest (`input.kind`) or for the whole change (`input.changes`), or say in its METADATA \
                 comment which it means (`custom: {input: manifest}`)";
    Some(place(world, at, Some(rule), words))
}

fn is_local(module: &Module, root: &str) -> bool {
    root != "data" && !module.is_input(root) && !module.imports.contains_key(root)
}

fn place(world: &World<'_>, at: usize, rule: Option<&Rule>, words: &str) -> Fault {
    let file = world.file(at);
    Fault::new(words, rule.map(|rule| syntax::location(&file.path, &file.text, rule.at)))
}

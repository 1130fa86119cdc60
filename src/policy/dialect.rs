//! Which document a policy wants to read as `input`.
//!
//! It is seen in the text: a policy of ours reads `input.changes`, one of conftest reads the fields
//! of a manifest (`input.kind`), Gatekeeper's Rego reads `input.review`. A policy may say it itself:
//! `custom: {input: manifest}` in its METADATA comment.

use super::location::Fault;
use super::metadata::Metadata;
use super::syntax::Name;
use super::world::World;

/// The fields of our own document; a test holds them against [`super::Input`].
pub(super) const FIELDS: [&str; 12] = [
    "author",
    "changes",
    "companions",
    "delta",
    "disposition",
    "finding",
    "identity",
    "intent",
    "mode",
    "origin",
    "reverts",
    "time",
];
/// The fields of Gatekeeper's.
const REVIEW: [&str; 2] = ["parameters", "review"];

/// What a policy is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// The change as a whole.
    Changes,
    /// Each object after the change, and before it, as it stands in a manifest.
    Manifests,
    /// It takes `input` whole, and may mean either: it gets both.
    Either,
    /// The Rego of a template whose constraints are asked.
    Template,
}

/// The dialect of a package, by all that its files need.
///
/// # Errors
/// When it can't be told, or when the policy is Gatekeeper's and has no template.
pub(super) fn of(world: &World<'_>, files: &[usize], closure: &[usize]) -> Result<Dialect, Fault> {
    for at in files {
        match Metadata::read(&world.file(*at).text).input.as_str() {
            "" => {}
            "changes" => return Ok(Dialect::Changes),
            "manifest" => return Ok(Dialect::Manifests),
            other => {
                let text = format!("its METADATA says `input: {other}`, which is neither `changes` nor `manifest`");
                return Err(Fault::new(text, None));
            }
        }
    }
    let read: Vec<&Name> = world.parsed(closure).flat_map(|(_, module)| &module.inputs).collect();
    let first =
        |known: &[&str]| read.iter().filter_map(|path| path.first()).find(|name| known.contains(&name.as_str()));
    if let Some(field) = first(&REVIEW) {
        let package = world.parsed(files).next().map(|(_, module)| &module.package);
        if world.templates_for(files).any(|module| Some(&module.package) == package) {
            return Ok(Dialect::Template);
        }
        let text =
            format!("it reads `input.{field}`, so it is Gatekeeper's: name the ConstraintTemplate that holds it");
        return Err(Fault::new(text, None));
    }
    let ours = first(&FIELDS);
    let other = read.iter().filter_map(|path| path.first()).find(|name| !FIELDS.contains(&name.as_str()));
    match (ours, other) {
        (Some(ours), Some(other)) => {
            let text = format!(
                "it reads `input.{ours}` of a change and `input.{other}` of a manifest: say which it means in its \
                 METADATA comment, `custom: {{input: changes}}` or `custom: {{input: manifest}}`"
            );
            Err(Fault::new(text, None))
        }
        (Some(_), None) => Ok(Dialect::Changes),
        (None, Some(_)) => Ok(Dialect::Manifests),
        (None, None) if read.is_empty() => Ok(Dialect::Changes),
        (None, None) => Ok(Dialect::Either),
    }
}

//! Places in post renderers that could make a field. No I/O.

use super::candidate::Candidate;
use super::candidates::{At, Known, Source, Target, document};
use super::controlled;
use super::values::holders;
use crate::model::path::Path;
use crate::render::Post;
use crate::yaml::scalars::{Place, embedded, leaves};
use serde_json::Value;

/// Every scalar of the post renderers, and every field of their patches, that could be the field. Of an object
/// that is in no file, the places are in the object.
pub fn places(sources: &[Source<'_>], post: &Post, target: &Target<'_>) -> Vec<Candidate> {
    let names = [target.object.name.clone()];
    let known = Known { target: *target, names: &names };
    let mut found = Vec::new();
    match post {
        Post::Field(field) => {
            for (file, place, said) in holders(sources, field) {
                let Some(source) = sources.iter().find(|source| source.path == file) else { continue };
                read(source, &said, &place, &known, &mut found);
            }
        }
        Post::Fixed(_, text) => {
            let said = serde_json::from_str(text).unwrap_or_default();
            let source = Source { path: "", layer: 0, text, kustomization: None };
            let place = Place { document: 0, path: Path::of("spec.postRenderers"), inner: None };
            read(&source, &said, &place, &known, &mut found);
        }
    }
    found
}

fn read(source: &Source<'_>, said: &Value, place: &Place, target: &Known<'_>, out: &mut Vec<Candidate>) {
    let at: &At<'_> = &|path| match &place.inner {
        Some(inner) => Place { inner: Some(inner.join(&path)), ..place.clone() },
        None => Place { path: place.path.join(&path), ..place.clone() },
    };
    controlled::places(source, said, at, target, out);
    // A text inside a text is not edited.
    for (path, leaf) in leaves(said).into_iter().filter(|_| place.inner.is_none()) {
        if let Some(patch) = embedded(leaf) {
            let deeper = |deep: Path| Place { inner: Some(deep), ..at(path.clone()) };
            document(source, &patch, &deeper, target, false, out);
        }
    }
}

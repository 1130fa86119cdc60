//! Texts that YAML readers take apart differently.

use super::{YamlError, tree};
use granit_parser::Event;
use regex::Regex;
use std::sync::LazyLock;

/// Line breaks of YAML 1.1 that YAML 1.2 took back (<https://yaml.org/spec/1.2.2/#54-line-break-characters>).
const OLD_BREAKS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// The name of an anchor or an alias with a character at which it ends for libyaml and Go's readers
/// (<https://yaml.org/spec/1.2.2/#692-node-anchors> lets it go on): to them the rest is the value.
static ENDLESS_NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)(?:^|[\s\[{,])([&*][0-9A-Za-z_-]+[?:%@`])\S").ok());

/// Whether all readers take `text` the same way.
///
/// # Errors
/// What they differ over.
pub(super) fn agreed(text: &str) -> Result<(), YamlError> {
    if let Some(breaks) = text.chars().find(|c| OLD_BREAKS.contains(c)) {
        let what = format!("U+{:04X} is a line break to some readers and none to others", u32::from(breaks));
        return Err(YamlError::Unsupported(what));
    }
    if text.split('\r').skip(1).any(|rest| !rest.starts_with('\n')) {
        let what = "a carriage return without a line feed is a line break to some readers and none to others";
        return Err(YamlError::Unsupported(what.to_owned()));
    }
    if has_endless_name(text)? {
        let what = "the name of an anchor ends earlier to some readers than to others";
        return Err(YamlError::Unsupported(what.to_owned()));
    }
    Ok(())
}

/// Whether such a name stands where one is read: outside of values and comments, as far as those are seen.
fn has_endless_name(text: &str) -> Result<bool, YamlError> {
    let Some(shape) = ENDLESS_NAME.as_ref() else { return Ok(true) };
    let mut names: Vec<usize> = shape.captures_iter(text).filter_map(|found| Some(found.get(1)?.start())).collect();
    let mut parser = tree::parser(text);
    while !names.is_empty() {
        match parser.next_event() {
            Some(Ok((Event::Scalar(..) | Event::Comment(..), span))) => {
                let content = tree::bytes(&span)?;
                names.retain(|name| !content.contains(name));
            }
            Some(Ok((Event::StreamEnd, _)) | Err(_)) | None => break,
            Some(Ok(_)) => {}
        }
    }
    Ok(!names.is_empty())
}

//! The documents of a YAML file.

use super::{YamlError, tree};
use granit_parser::Event;
use std::ops::Range;

/// The byte ranges of all documents, in order, without gaps: comments before a document
/// belong to it, and a document that holds only comments counts.
///
/// # Errors
/// When the text is no YAML.
pub fn documents(text: &str) -> Result<Vec<Range<usize>>, YamlError> {
    let mut parser = tree::parser(text);
    let mut starts: Vec<usize> = Vec::new();
    let mut end_marker = 0;
    loop {
        match parser.next_event() {
            Some(Ok((Event::DocumentStart(explicit, version), span))) => {
                if version.is_some() {
                    return Err(YamlError::Unsupported("the file has a `%YAML` directive".to_owned()));
                }
                let at = span.byte_range().map_or(0, |range| range.start);
                starts.push(match starts.len() {
                    0 => 0,
                    _ if explicit => at,
                    _ => end_marker,
                });
            }
            Some(Ok((Event::DocumentEnd, span))) => end_marker = span.byte_range().map_or(0, |range| range.end),
            Some(Ok((Event::StreamEnd, _))) | None => break,
            Some(Ok(_)) => {}
            Some(Err(_)) if text.contains("{{") => return Err(YamlError::Template),
            Some(Err(error)) => return Err(YamlError::Syntax(error.to_string())),
        }
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    Ok(starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_counts_and_none_of_the_text_is_lost() {
        let text = "# head\n---\na: 1\n---\n# only a comment\n---\nb: |\n  ---\n  c\n...\n---\nd: 1";
        let ranges = documents(text).unwrap_or_default();
        let parts: Vec<&str> = ranges.into_iter().map(|range| &text[range]).collect();
        assert_eq!(
            parts,
            ["# head\n---\na: 1\n", "---\n# only a comment\n", "---\nb: |\n  ---\n  c\n...\n", "---\nd: 1"]
        );
    }

    #[test]
    fn an_empty_file_has_no_document() {
        assert_eq!(documents(""), Ok(vec![]));
        assert_eq!(documents("# nothing\n"), Ok(vec![]));
    }
}

//! The strict view: what Kubernetes makes of a YAML text.

use super::{YamlError, split};
use serde_json::{Value, json};

/// Reads one document as sigs.k8s.io/yaml does (go-yaml v2): YAML 1.1 booleans, `010` is 8,
/// merges applied. Duplicate keys are an error, although Kubernetes keeps the last one:
/// an edit could hit the other. A document without content is `Null`.
///
/// # Errors
/// When it is not such a document.
pub fn document(text: &str) -> Result<Value, YamlError> {
    let options = serde_saphyr::options! {
        strict_booleans: false,
        legacy_octal_numbers: true,
        // Snippets repeat source lines, and those can hold secrets.
        with_snippet: false,
        budget: serde_saphyr::budget! { max_buffered_comment_events: 100_000 },
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match serde_saphyr::from_multiple_with_options::<Value>(text, options) {
        Ok(mut documents) if documents.len() < 2 => Ok(documents.pop().unwrap_or(Value::Null)),
        Ok(_) => Err(YamlError::Syntax("more than one document".to_owned())),
        Err(_) if text.contains("{{") => Err(YamlError::Template),
        Err(error) => Err(YamlError::Syntax(words(&error.to_string()))),
    }
}

/// The parser's words without advice to programmers.
fn words(error: &str) -> String {
    match (error.split_once(", set DuplicateKeyPolicy"), error.rfind(" at line ")) {
        (Some((head, _)), Some(at)) => format!("{head}{}", &error[at..]),
        _ => error.to_owned(),
    }
}

/// Reads all documents of a file; those without content are `Null`, so that positions stay.
///
/// # Errors
/// When the file or one of its documents can't be read.
pub fn all(text: &str) -> Result<Vec<Value>, YamlError> {
    split::documents(text)?.into_iter().map(|range| document(&text[range])).collect()
}

/// Whether a plain scalar of this text is the string itself for every reader that matters:
/// our own, and the YAML 1.1 ones (`y`, `1_000`, `12:30` are not strings to all of them).
pub fn is_plain_string(text: &str, flow: bool) -> bool {
    if text.is_empty() || text.starts_with('?') || text.contains(['\n', '\r', '\t']) || is_old_scalar(text) {
        return false;
    }
    let probe =
        if flow { format!("a: {{a: {text}}}\nb: [{text}]\n") } else { format!("a: {{}}\nb:\n- {text}\nc: {text}\n") };
    let wanted = if flow { json!({"a": {"a": text}, "b": [text]}) } else { json!({"a": {}, "b": [text], "c": text}) };
    document(&probe) == Ok(wanted)
}

/// Text that some YAML 1.1 reader takes for a number, a time, a boolean or an operator.
/// Types: <https://yaml.org/type/>.
fn is_old_scalar(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "=", "<<", "-", ".nan", ".inf"];
    if words.contains(&lower.as_str()) {
        return true;
    }
    let body = text.strip_prefix(['-', '+']).unwrap_or(text);
    let numeric = body.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && body
            .chars()
            .all(|c| c.is_ascii_hexdigit() || matches!(c, '_' | ':' | '.' | '-' | '+' | 'x' | 'o' | 'e' | 'E'));
    // `1.20.3` and `64-alpha` are plain strings everywhere; `1.20`, `12:30` and `2001-01-01` are not.
    numeric && (body.parse::<f64>().is_ok() || body.contains(['_', ':']) || is_date(body) || is_prefixed(body))
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(3, '-').collect();
    parts.len() == 3 && parts[0].len() == 4 && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
}

fn is_prefixed(text: &str) -> bool {
    text.starts_with("0x") || text.starts_with("0o") || text.starts_with("0b")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_kubernetes_reads_it() {
        assert_eq!(
            document("a: on\nb: 010\nc: 64Mi\nd: \"on\"\n"),
            Ok(json!({"a": true, "b": 8, "c": "64Mi", "d": "on"}))
        );
        assert_eq!(document("x: &x {a: 1}\ny:\n  <<: *x\n  b: 2\n"), Ok(json!({"x": {"a": 1}, "y": {"a": 1, "b": 2}})));
        assert_eq!(document("# only a comment\n"), Ok(Value::Null));
        assert_eq!(document("\u{feff}a: 1\n"), Ok(json!({"a": 1})));
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        for text in ["a: 1\na: 2\n", "a:\n\tb: 1\n", "a: [1\n", "a: &x [*x]\n"] {
            assert!(matches!(document(text), Err(YamlError::Syntax(_))), "{text:?}");
        }
        assert_eq!(document("image: {{ .Values.image }}\n"), Err(YamlError::Template));
    }

    #[test]
    fn text_that_old_readers_take_for_something_else_is_no_plain_string() {
        for text in [
            "y",
            "NO",
            "on",
            "1_000",
            "12:30",
            "12:30:45",
            "1:20",
            "0x1f",
            "010",
            "1e3",
            ".5",
            "2001-01-01",
            "",
            "a: b",
            "a #b",
            "{x",
            "~",
            "1.20",
        ] {
            assert!(!is_plain_string(text, false), "{text:?}");
        }
        for text in ["64Mi", "1.20.3", "nginx:1.25", "/healthz", "a#b", "500m", "1.25-alpine", "v1", "no-way"] {
            assert!(is_plain_string(text, false), "{text:?}");
        }
        assert!(is_plain_string("a,b", false) && !is_plain_string("a,b", true));
    }
}

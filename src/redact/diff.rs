//! Secrets in a unified diff of YAML files.

use super::names::{is_secret_argument, is_secret_field, is_secret_flag, is_secret_variable};
use super::{mask, shapes};

/// Which version of the file a line belongs to: one, the other or both.
#[derive(Clone, Copy)]
struct Sides {
    old: bool,
    new: bool,
}

/// What the lines above said, in one version of the file.
#[derive(Default)]
struct Above {
    /// Column of the keys of the item, and whether its name says secret, when it was seen.
    item: Option<(usize, Option<bool>)>,
    /// Lines of this item whose `value:` waits for the name.
    waiting: Vec<usize>,
    /// What stands deeper than this column belongs to a secret.
    secret_block: Option<usize>,
    /// The last list item was a flag that takes a secret.
    flag: bool,
    /// Inside a private key.
    pem: bool,
    /// Whether the document is a Secret, when its kind was seen.
    is_secret: Option<bool>,
    /// Lines of `data` that wait for the kind, and whether their value looks encoded.
    data: Vec<(usize, bool)>,
    /// Column of a `data` whose lines wait.
    data_block: Option<usize>,
}

/// The diff with every secret masked, its markers and headers kept.
pub(super) fn without(text: &str) -> String {
    let lines: Vec<&str> = text.split('\n').collect();
    let mut masked = vec![false; lines.len()];
    let mut above = [Above::default(), Above::default()];
    let mut is_hunk = false;
    let is_client = text.contains("mysql") || text.contains("mariadb");
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("diff --git ") || line.starts_with("@@ ") {
            for side in &mut above {
                end(side, &mut masked);
                *side = Above::default();
            }
            is_hunk = line.starts_with("@@ ");
            continue;
        }
        let (Some(sides), Some(content)) = (sides(line), line.get(1..)) else { continue };
        for (side, _) in above.iter_mut().zip([sides.old, sides.new]).filter(|(_, is_in)| is_hunk && *is_in) {
            masked[at] |= read(side, at, content, is_client, &mut masked);
        }
    }
    for side in &mut above {
        end(side, &mut masked);
    }
    let shown = lines.iter().zip(masked).map(
        |(line, is_masked)| {
            if is_masked { without_value(line) } else { shapes::without(line) }
        },
    );
    shown.collect::<Vec<_>>().join("\n")
}

/// Whether a text of several lines is YAML with fields that the lines above them tell of.
pub(super) fn is_yaml(text: &str) -> bool {
    text.contains('\n')
        && ["value:", "stringData:", "kind: Secret"].iter().any(|part| text.contains(part))
        && ["name:", "kind:", "apiVersion:"].iter().any(|part| text.contains(part))
}

/// YAML with every secret masked, its comments and layout kept.
pub(super) fn yaml(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| format!(" {line}")).collect();
    let mut masked = vec![false; lines.len()];
    let mut above = Above::default();
    let is_client = text.contains("mysql") || text.contains("mariadb");
    for (at, line) in lines.iter().enumerate() {
        masked[at] |= read(&mut above, at, &line[1..], is_client, &mut masked);
    }
    end(&mut above, &mut masked);
    // A key can span lines: shapes are looked for in the whole.
    let shown = lines.iter().zip(masked).map(|(line, is_masked)| match is_masked {
        true => without_value(line).get(1..).unwrap_or_default().to_owned(),
        false => line[1..].to_owned(),
    });
    shapes::without(&shown.collect::<Vec<_>>().join("\n"))
}

fn sides(line: &str) -> Option<Sides> {
    match line.as_bytes().first()? {
        b' ' => Some(Sides { old: true, new: true }),
        b'-' => Some(Sides { old: true, new: false }),
        b'+' => Some(Sides { old: false, new: true }),
        _ => None,
    }
}

/// The hunk ends here: a value whose name lies outside it may be that of a secret.
fn end(side: &mut Above, masked: &mut [bool]) {
    if side.item.is_none_or(|(_, name)| name.is_none()) {
        for at in side.waiting.drain(..) {
            masked[at] = true;
        }
    }
    end_document(side, masked);
}

/// The document ends here: `data` of no kind is that of a Secret where its values look encoded.
fn end_document(side: &mut Above, masked: &mut [bool]) {
    let is_secret = side.is_secret.take();
    side.data_block = None;
    for (at, is_encoded) in side.data.drain(..) {
        masked[at] |= is_secret.unwrap_or(is_encoded);
    }
}

/// Whether a value is base64 of the length that base64 has, and no plain word.
fn looks_encoded(value: &str) -> bool {
    let is_mixed = value.contains(|c: char| c.is_ascii_uppercase()) && value.contains(|c: char| c.is_ascii_lowercase());
    let is_base64 = value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    !value.is_empty() && value.len().is_multiple_of(4) && is_base64 && (value.ends_with('=') || is_mixed)
}

/// Reads one line of one version; whether what it holds is secret.
fn read(side: &mut Above, at: usize, content: &str, is_client: bool, masked: &mut [bool]) -> bool {
    let trimmed = content.trim_start();
    if trimmed.trim_end().is_empty() {
        return false;
    }
    if trimmed.trim_end() == "---" || trimmed.starts_with("--- ") {
        side.secret_block = None;
        end_document(side, masked);
        return false;
    }
    let indent = content.len() - trimmed.len();
    let body = without_dashes(trimmed);
    let column = content.len() - body.len();
    if in_key(side, trimmed) || is_base64(body.trim()) {
        return true;
    }
    match side.secret_block {
        Some(block) if indent > block => return true,
        Some(_) => side.secret_block = None,
        None => {}
    }
    match side.data_block {
        Some(block) if indent > block => {
            let value = key_value(body).map_or("", |(_, value)| scalar(value));
            side.data.push((at, looks_encoded(value)));
        }
        Some(_) => side.data_block = None,
        None => {}
    }
    if trimmed.trim_end() == "-" {
        // An item whose keys start on the next line, in a column that is not known yet.
        side.item = None;
        side.waiting.clear();
        return false;
    }
    let word = body.trim_end().trim_matches(['"', '\'']);
    if column > indent {
        // A list item: another one than the lines above tell of, unless it lies deeper.
        if side.item.is_none_or(|(item, _)| column <= item) {
            let is_outside = side.item.is_none();
            for line in side.waiting.drain(..) {
                masked[line] |= is_outside;
            }
            side.item = Some((column, None));
        }
        let after_flag = std::mem::replace(&mut side.flag, is_secret_flag(word));
        if after_flag && is_secret_argument(word) || is_client && word.len() > 2 && word.starts_with("-p") {
            return true;
        }
    } else {
        side.flag = false;
        if side.item.is_some_and(|(item, _)| column < item) {
            side.item = None;
            side.waiting.clear();
        }
    }
    let Some((key, value)) = key_value(body) else { return false };
    field(side, at, column, key, value, masked)
}

/// What follows the dashes of a list item, or of an item of an item.
fn without_dashes(mut body: &str) -> &str {
    while let Some(rest) = body.strip_prefix("- ") {
        body = rest.trim_start();
    }
    body
}

/// What `key: value` says, `column` being where the key stands.
fn field(side: &mut Above, at: usize, column: usize, key: &str, value: &str, masked: &mut [bool]) -> bool {
    let is_here = side.item.is_none_or(|(item, _)| item == column);
    let is_secret = match key {
        "name" if is_here => {
            let name = value.split(" #").next().unwrap_or(value).trim_end();
            let is_secret = is_secret_variable(name.trim_matches(['"', '\'']));
            // A renamed item is secret under either name.
            let was = side.item.and_then(|(_, name)| name).unwrap_or(false);
            side.item = Some((column, Some(is_secret || was)));
            for line in side.waiting.drain(..) {
                masked[line] |= is_secret;
            }
            return false;
        }
        "value" if is_here => match side.item.and_then(|(_, name)| name) {
            Some(is_secret) => is_secret,
            None => {
                side.waiting.push(at);
                return false;
            }
        },
        "stringData" => true,
        "kind" if column == 0 || side.is_secret.is_none() && is_here => {
            side.is_secret = Some(value.trim_matches(['"', '\'']) == "Secret");
            return false;
        }
        "data" if value.is_empty() => match side.is_secret {
            Some(is_secret) => is_secret,
            None => {
                side.data_block = Some(column);
                return false;
            }
        },
        key => is_secret_field(key) && !value.is_empty() && !matches!(value, "true" | "false" | "null" | "{}" | "[]"),
    };
    if is_secret {
        side.secret_block = Some(column);
    }
    is_secret && !value.is_empty()
}

/// Whether the line is part of a private key.
fn in_key(side: &mut Above, line: &str) -> bool {
    let was = side.pem;
    if line.contains("-----BEGIN ") && line.contains("PRIVATE KEY") {
        side.pem = true;
    }
    if line.contains("-----END ") {
        side.pem = false;
    }
    was || side.pem
}

/// A line of a key or certificate whose start may lie outside the hunk.
fn is_base64(line: &str) -> bool {
    let is_hex = line.bytes().all(|b| b.is_ascii_hexdigit());
    line.len() >= 40 && !is_hex && line.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

/// `key: value` of a block mapping, a comment after the value included.
fn key_value(body: &str) -> Option<(&str, &str)> {
    let body = body.trim_end();
    let (key, value) = match body.split_once(": ") {
        Some((key, value)) => (key, value.trim()),
        None => (body.strip_suffix(':')?, ""),
    };
    let key = key.trim().trim_matches(['"', '\'']);
    (!key.is_empty() && !key.contains([' ', '{', '['])).then_some((key, value))
}

/// A value without its quotes and the comment after it.
fn scalar(value: &str) -> &str {
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].rsplit_once(quote).map_or(value, |(inner, _)| inner),
        _ => value.split(" #").next().unwrap_or(value).trim_end(),
    }
}

/// The line with its marker, its dashes and its key, and a mask for the rest.
fn without_value(line: &str) -> String {
    let content = line.get(1..).unwrap_or_default();
    let body = without_dashes(content.trim_start());
    let start = line.len() - body.len();
    match key_value(body) {
        Some((key, value)) if !value.is_empty() && !is_base64(value) => {
            let end = body.find(key).map_or(0, |at| at + key.len());
            let key = body[..end].trim_start_matches(['"', '\'']);
            format!("{}{key}: {}", &line[..start], mask(scalar(value)))
        }
        _ => format!("{}{}", &line[..start], mask(body.trim_end())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hunk(lines: &str) -> String {
        let head = "diff --git a/x.yaml b/x.yaml\n--- a/x.yaml\n+++ b/x.yaml\n@@ -1,9 +1,9 @@\n";
        super::super::unnumbered(&without(&format!("{head}{lines}"))).strip_prefix(head).unwrap().to_owned()
    }

    #[test]
    fn the_value_of_a_secret_variable_is_masked_wherever_it_stands() {
        for (diff, want) in [
            (
                " env:\n - name: DB_PASSWORD\n   value: hunter2hunter2\n - name: MODE\n   value: fast\n resources:\n-  memory: 1\n+  memory: 2\n",
                " env:\n - name: DB_PASSWORD\n   value: <secret>\n - name: MODE\n   value: fast\n resources:\n-  memory: 1\n+  memory: 2\n",
            ),
            (
                "   - name: \"DB_PASSWORD\"\n-    value: 'old one' # c\n+    value: new\n",
                "   - name: \"DB_PASSWORD\"\n-    value: <secret>\n+    value: <secret>\n",
            ),
            (
                "   -   name: REDIS_AUTH # c\n       value: hunter\n",
                "   -   name: REDIS_AUTH # c\n       value: <secret>\n",
            ),
            (
                "   - name: MODE\n     value: a\n   -\n     value: hunter\n     name: API-KEY\n",
                "   - name: MODE\n     value: a\n   -\n     value: <secret>\n     name: API-KEY\n",
            ),
            ("   - value: hunter\n     name: REDIS_AUTH\n", "   - value: <secret>\n     name: REDIS_AUTH\n"),
            ("   - {name: API-KEY, value: hunter}\n", "   - {name: API-KEY, value: <secret>}\n"),
            (
                "-  - name: MODE\n+  - name: DB_PASSWORD\n     value: hunter\n",
                "-  - name: MODE\n+  - name: DB_PASSWORD\n     value: <secret>\n",
            ),
            (
                "   - name: DB_PASSWORD\n     value: |\n       two\n       lines\n   - name: MODE\n     value: fast\n",
                "   - name: DB_PASSWORD\n     value: <secret>\n       <secret>\n       <secret>\n   - name: MODE\n     value: fast\n",
            ),
        ] {
            assert_eq!(hunk(diff), want);
        }
    }

    #[test]
    fn a_value_whose_name_lies_outside_the_hunk_is_masked() {
        assert_eq!(
            hunk("     value: hunter\n   - name: MODE\n     value: a\n"),
            "     value: <secret>\n   - name: MODE\n     value: a\n"
        );
        assert_eq!(
            hunk("   - name: MODE\n     value: a\n   - value: hunter\n"),
            "   - name: MODE\n     value: a\n   - value: <secret>\n"
        );
    }

    #[test]
    fn fields_whose_name_says_secret_are_masked_and_references_stay() {
        assert_eq!(hunk("-password: a\n+password: b\n"), "-password: <secret>\n+password: <secret>\n");
        assert_eq!(
            hunk("+  stringData:\n+    a: b\n+  type: Opaque\n"),
            "+  stringData:\n+    <secret>\n+  type: Opaque\n".replace("    <secret>", "    a: <secret>")
        );
        for line in ["secretName: db", "existingSecret: db", "automountServiceAccountToken: false", "key: password"] {
            assert_eq!(hunk(&format!("   {line}\n")), format!("   {line}\n"));
        }
        let reference = "   - name: DB_PASSWORD\n     valueFrom:\n       secretKeyRef:\n         name: db\n         key: password\n";
        assert_eq!(hunk(reference), reference);
    }

    #[test]
    fn arguments_and_keys_that_start_outside_the_hunk_are_masked() {
        assert_eq!(hunk("   - --password\n+  - hunter\n   - -v\n"), "   - --password\n+  - <secret>\n   - -v\n");
        assert_eq!(hunk("   - mysql\n   - -phunter7x\n"), "   - mysql\n   - <secret>\n");
        let key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7".to_owned();
        assert_eq!(hunk(&format!("     {key}\n     abc\n")), "     <secret>\n     abc\n");
        let pem = "   tls: |\n     -----BEGIN PRIVATE KEY-----\n     abc\n     -----END PRIVATE KEY-----\n   a: b\n";
        assert!(!hunk(pem).contains("abc") && hunk(pem).ends_with("   a: b\n"), "{}", hunk(pem));
    }

    #[test]
    fn a_diff_without_secrets_stays() {
        let diff = "   tolerations:\n   - key: a\n     value: b\n   image: web@sha256:98334c585f6cc11758ed97966d151a30dd1e7569fef03093a8eac23ea0acff1f\n-  memory: 1Mi\n+  memory: 2Mi\n\\ No newline at end of file\n";
        assert_eq!(hunk(diff), diff);
    }
}

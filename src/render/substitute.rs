//! Flux's `${name}` after the build.

use std::collections::BTreeMap;

/// Values by name, and where further ones are that can't be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Substitution {
    pub(super) values: BTreeMap<String, String>,
    /// `Secret cluster-secrets`.
    pub(super) unread: Vec<String>,
    /// The names of ConfigMaps among them.
    pub(super) maps: Vec<String>,
}

/// Objects with this label or annotation set to `disabled` are left as they are.
const OPT_OUT: &str = "kustomize.toolkit.fluxcd.io/substitute";

impl Substitution {
    /// Fills in one rendered document.
    pub(super) fn document(&self, text: &str) -> String {
        let opted_out = |line: &str| {
            let line = line.trim();
            line.strip_prefix(OPT_OUT).is_some_and(|rest| rest.trim_matches([':', ' ', '"', '\'']) == "disabled")
        };
        if text.lines().any(opted_out) { text.to_owned() } else { self.fill(text) }
    }

    /// Forms: <https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution>.
    fn fill(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            // `$${name}` is the text `${name}`.
            let escaped = rest[..at].ends_with('$');
            out.push_str(&rest[..at - usize::from(escaped)]);
            let Some(end) = closing(&rest[at..]) else {
                out.push_str(&rest[at - usize::from(escaped)..]);
                return out;
            };
            let whole = &rest[at..=at + end];
            match self.value(&rest[at + 2..at + end]) {
                Some(value) if !escaped => out.push_str(&value),
                _ => out.push_str(whole),
            }
            rest = &rest[at + end + 1..];
        }
        out.push_str(rest);
        out
    }

    /// What stands for an expression; `None` when that is not known.
    fn value(&self, expression: &str) -> Option<String> {
        let end = expression.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(expression.len());
        let (name, rest) = expression.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let known = self.values.get(name).cloned();
        if known.is_none() && !self.unread.is_empty() {
            return None;
        }
        let default = [":=", ":-", "=", "-"].iter().find_map(|operator| rest.strip_prefix(operator));
        match (rest, default) {
            ("", _) => Some(known.unwrap_or_default()),
            (_, Some(default)) => Some(known.filter(|value| !value.is_empty()).unwrap_or_else(|| self.fill(default))),
            _ => None,
        }
    }
}

/// The position of the brace that closes the first one.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(at),
            b'}' => depth -= 1,
            // An expression is one line.
            b'\n' => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_defaults_are_filled_in() {
        let known = Substitution {
            values: [("MEM", "128Mi"), ("EMPTY", "")].map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
            ..Substitution::default()
        };
        for (text, want) in [
            ("m: ${MEM}", "m: 128Mi"),
            ("m: ${MEM:=64Mi}", "m: 128Mi"),
            ("m: ${NONE:=64Mi}", "m: 64Mi"),
            ("m: ${EMPTY:-64Mi}", "m: 64Mi"),
            ("m: ${NONE:=${MEM}}", "m: 128Mi"),
            ("m: ${NONE}", "m: "),
            ("m: $${MEM} $MEM", "m: ${MEM} $MEM"),
            ("m: ${MEM^^} ${1}", "m: ${MEM^^} ${1}"),
            ("m: ${MEM", "m: ${MEM"),
            ("a: ${MEM} b: ${MEM}", "a: 128Mi b: 128Mi"),
        ] {
            assert_eq!(known.document(text), want, "{text}");
        }
        let opted = "metadata:\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\na: ${MEM}\n";
        assert_eq!(known.document(opted), opted);
    }

    #[test]
    fn what_an_unread_source_may_set_stays_open() {
        let values = [("A".to_owned(), "1".to_owned())].into();
        let known = Substitution { values, unread: vec!["Secret s".to_owned()], ..Substitution::default() };
        assert_eq!(known.document("${A} ${B} ${C:=2}"), "1 ${B} ${C:=2}");
    }
}

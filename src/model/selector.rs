//! Label selectors, as kubectl writes them.

use std::collections::BTreeMap;

/// One requirement of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    In { key: String, values: Vec<String> },
    NotIn { key: String, values: Vec<String> },
    Exists(String),
    Missing(String),
}

/// `app=cart,tier!=db,env in (prod, staging),!legacy`; every requirement must hold.
/// Grammar: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

impl Selector {
    /// Reads a selector.
    ///
    /// # Errors
    /// What part of it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = split(text).into_iter().map(str::trim).collect();
        if parts.iter().all(|part| part.is_empty()) {
            return Err("it is empty".to_owned());
        }
        parts.into_iter().map(requirement).collect::<Result<_, _>>().map(Self)
    }

    /// Whether labels satisfy it.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|requirement| match requirement {
            Requirement::In { key, values } => labels.get(key).is_some_and(|value| values.contains(value)),
            // As in Kubernetes: an object without the key satisfies `!=` and `notin`.
            Requirement::NotIn { key, values } => labels.get(key).is_none_or(|value| !values.contains(value)),
            Requirement::Exists(key) => labels.contains_key(key),
            Requirement::Missing(key) => !labels.contains_key(key),
        })
    }
}

/// Splits at commas that stand outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(part: &str) -> Result<Requirement, String> {
    for (operator, negated) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((key, value)) = part.split_once(operator) {
            let (key, values) = (self::key(key)?, vec![self::value(value)?]);
            return Ok(if negated { Requirement::NotIn { key, values } } else { Requirement::In { key, values } });
        }
    }
    if let Some((head, list)) = part.split_once('(') {
        let list = list.trim_end().strip_suffix(')').ok_or_else(|| format!("`{part}` has no closing parenthesis"))?;
        let values = list.split(',').map(value).collect::<Result<Vec<_>, _>>()?;
        return match head.split_whitespace().collect::<Vec<_>>().as_slice() {
            [key, "in"] => Ok(Requirement::In { key: self::key(key)?, values }),
            [key, "notin"] => Ok(Requirement::NotIn { key: self::key(key)?, values }),
            _ => Err(format!("`{part}` is neither `KEY in (...)` nor `KEY notin (...)`")),
        };
    }
    match part.strip_prefix('!') {
        Some(rest) => key(rest).map(Requirement::Missing),
        None => key(part).map(Requirement::Exists),
    }
}

fn key(text: &str) -> Result<String, String> {
    let text = text.trim();
    let (prefix, name) = text.rsplit_once('/').map_or(("x", text), |(prefix, name)| (prefix, name));
    if prefix.is_empty() || name.is_empty() || !text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c)) {
        return Err(format!("`{text}` is no label key"));
    }
    Ok(text.to_owned())
}

fn value(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is no label value"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_means_what_it_means_to_kubectl() {
        let labels: BTreeMap<String, String> =
            [("app", "cart"), ("tier", "web")].map(|(k, v)| (k.into(), v.into())).into();
        for (text, wanted) in [
            ("app=cart", true),
            ("app==cart,tier=web", true),
            ("app=cart,tier=db", false),
            ("app!=cart", false),
            ("zone!=a", true),
            ("app in (cart, shop)", true),
            ("app notin (cart)", false),
            ("zone notin (a,b)", true),
            ("app", true),
            ("!app", false),
            ("!zone", true),
        ] {
            assert_eq!(Selector::parse(text).map(|selector| selector.matches(&labels)), Ok(wanted), "{text}");
        }
        for text in ["", " ,", "a b", "app in cart", "app in (a", "=x", "a=b c", "app=$(x)"] {
            assert!(Selector::parse(text).is_err(), "{text:?}");
        }
    }
}

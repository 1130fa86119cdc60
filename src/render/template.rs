//! What the templates of a chart say, without running them.

/// One action of a template: what stands between `{{` and `}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action<'t>(&'t str);

/// The actions of a text, in order; comments are none.
pub fn actions(text: &str) -> impl Iterator<Item = Action<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once("{{")?;
            let (action, next) = after.split_once("}}").unwrap_or((after, ""));
            rest = next;
            if !action.trim_start_matches('-').trim_start().starts_with("/*") {
                return Some(Action(action));
            }
        }
    })
}

impl<'t> Action<'t> {
    /// All of it, with the texts in quotes.
    pub fn text(self) -> &'t str {
        self.0
    }

    /// Names of functions, keywords and fields: runs of letters, digits, `_` and `.`; texts in quotes are left out.
    pub fn words(self) -> impl Iterator<Item = &'t str> {
        let quoted = |c: char| matches!(c, '"' | '`');
        let plain = self.0.split(quoted).step_by(2);
        plain.flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '$')))
    }

    /// Values that it names: `image.tag` for `.Values.image.tag`.
    pub fn values(self) -> impl Iterator<Item = &'t str> {
        self.words().filter_map(|word| {
            let (before, name) = word.split_once(".Values.")?;
            (before.is_empty() || before == "$").then(|| name.trim_end_matches('.')).filter(|name| !name.is_empty())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_names_its_values_and_functions() {
        let text = "a: {{ .Values.image.tag | default \"lookup .Values.no\" }}\n{{- /* lookup */}}\n\
                    {{ if (lookup \"v1\" \"Secret\" $.Values.ns .Release.Name) }}x{{ end }} .Values.prose {{ .Values }";
        let values: Vec<&str> = actions(text).flat_map(Action::values).collect();
        assert_eq!(values, ["image.tag", "ns"]);
        let calls = actions(text).flat_map(Action::words).filter(|word| *word == "lookup").count();
        assert_eq!(calls, 1);
    }
}

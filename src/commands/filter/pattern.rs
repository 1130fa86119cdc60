//! What `--ignore` and `--only` name: codes, objects, labels.

use crate::commands::target;
use crate::diagnose;
use crate::error::Error;
use crate::model::code::Code;
use crate::model::finding::Finding;
use crate::model::object::ObjectRef;
use crate::model::selector::Selector;
use crate::text;

/// `oom-killed`, `Deployment/web`, `shop/Deployment/web`, `team=payments`, each of the last three also with
/// `:CODE`, and all of them with `#REASON`. A `*` in a code, kind, namespace or name stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::commands) struct Pattern {
    /// As it was typed, without the reason.
    pub(in crate::commands) text: String,
    pub(in crate::commands) reason: Option<String>,
    /// Whether it matched anything so far.
    pub(super) matched: bool,
    what: What,
    code: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Anything,
    Object { namespace: Option<String>, kind: String, name: String },
    Labels(Selector),
}

/// Whether an object, its pods or its template have the labels of a selector.
pub(super) type HasLabels<'l> = &'l dyn Fn(&ObjectRef, &Selector) -> bool;

impl Pattern {
    /// Reads one; `flag` is where it was typed.
    pub(super) fn parse(flag: &str, typed: &str) -> Result<Self, Error> {
        let (text, reason) = typed.split_once('#').map_or((typed, ""), |(text, reason)| (text, reason.trim()));
        let text = text.trim();
        let reader = Reader { flag, text };
        // A label's value and an object's name hold no `:`, but for those of RBAC, which `*` can stand for.
        let (what, code) = match text.rsplit_once(':') {
            _ if text.is_empty() => return Err(reader.wrong("it is empty")),
            Some((what, code)) => (reader.what(what)?, Some(reader.code(code)?)),
            None if text.contains(['/', '=']) => (reader.what(text)?, None),
            None => (What::Anything, Some(reader.code(text)?)),
        };
        let reason = (!reason.is_empty()).then(|| reason.to_owned());
        Ok(Self { text: text.to_owned(), reason, matched: false, what, code })
    }

    /// Whether it names the root itself.
    pub(super) fn names(&self, finding: &Finding, has: HasLabels<'_>) -> bool {
        self.is(finding.code, &finding.object, has)
    }

    /// Whether it names the root or something that follows from it.
    pub(super) fn touches(&self, finding: &Finding, has: HasLabels<'_>) -> bool {
        self.names(finding, has) || finding.effects.iter().any(|effect| self.is(effect.code, &effect.object, has))
    }

    fn is(&self, code: Code, object: &ObjectRef, has: HasLabels<'_>) -> bool {
        self.code.as_ref().is_none_or(|pattern| glob(pattern, code.name()))
            && match &self.what {
                What::Anything => true,
                What::Labels(selector) => has(object, selector),
                What::Object { namespace, kind, name } => {
                    (kind == "*" || kind.eq_ignore_ascii_case(&object.kind))
                        && glob(name, &object.name)
                        && namespace.as_ref().is_none_or(|pattern| glob(pattern, object.namespace()))
                }
            }
    }
}

/// What is being read, for its errors.
struct Reader<'t> {
    flag: &'t str,
    text: &'t str,
}

impl Reader<'_> {
    fn wrong(&self, why: impl std::fmt::Display) -> Error {
        Error::usage(format!("`{} {}` names nothing", self.flag, self.text))
            .because(why)
            .hint("name a code (oom-killed, probe-*), an object (Deployment/web, shop/Deployment/web) or a label (team=payments)")
            .hint("one code of an object is Deployment/web:oom-killed; a reason follows a #: 'oom-killed#known, OPS-12'")
    }

    fn what(&self, text: &str) -> Result<What, Error> {
        if text.contains('=') {
            return Selector::parse(text).map(What::Labels).map_err(|why| self.wrong(why));
        }
        let (namespace, kind, name) = match text.split('/').collect::<Vec<_>>().as_slice() {
            [kind, name] => (None, *kind, *name),
            [namespace, kind, name] => (Some((*namespace).to_owned()), *kind, *name),
            _ => return Err(self.wrong(format!("`{text}` is neither an object nor a label"))),
        };
        if kind.is_empty() || name.is_empty() || namespace.as_ref().is_some_and(String::is_empty) {
            return Err(self.wrong(format!("a part of `{text}` is empty")));
        }
        Ok(What::Object { namespace, kind: self.kind(kind)?, name: name.to_owned() })
    }

    /// A custom kind is taken as it is written, unless it looks like a known one with a slip.
    fn kind(&self, word: &str) -> Result<String, Error> {
        if let Some(full) = target::kind(word) {
            return Ok(full.to_owned());
        }
        match text::nearest(&word.to_lowercase(), target::words()) {
            Some(nearest) if word != "*" => {
                Err(Error::usage(format!("unknown kind `{word}` in `{} {}`", self.flag, self.text))
                    .hint(format!("did you mean {}?", target::kind(nearest).unwrap_or(nearest))))
            }
            _ => Ok(word.to_owned()),
        }
    }

    fn code(&self, code: &str) -> Result<String, Error> {
        let known = diagnose::codes();
        if known.iter().any(|row| glob(code, row.name)) {
            return Ok(code.to_owned());
        }
        let error = Error::usage(format!("`{} {}`: there is no code `{code}`", self.flag, self.text));
        Err(match text::nearest(code, known.iter().map(|row| row.name)) {
            Some(nearest) => error.hint(format!("did you mean {nearest}?")),
            None => error.hint("an object is KIND/NAME, a label KEY=VALUE; list the codes with `aifix codes`"),
        })
    }
}

/// Whether `text` is what `pattern` says, in which `*` stands for any characters, also none.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(typed: &str) -> Vec<String> {
        Pattern::parse("--ignore", typed).unwrap_err().hints
    }

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, wanted) in [
            ("probe-*", "probe-failing", true),
            ("probe-*", "probe-", true),
            ("probe-*", "a-probe-x", false),
            ("*", "", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("aa*aa", "aaa", false),
            ("web", "web", true),
            ("web", "web-2", false),
        ] {
            assert_eq!(glob(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn a_reason_follows_the_first_number_sign() {
        let read = Pattern::parse("--ignore", "deploy/web:oom-* # known, OPS-12 #3 ").unwrap();
        assert_eq!(read.reason.as_deref(), Some("known, OPS-12 #3"));
        assert_eq!(read.text, "deploy/web:oom-*");
        assert_eq!(read.code.as_deref(), Some("oom-*"));
        let object = What::Object { namespace: None, kind: "Deployment".into(), name: "web".into() };
        assert_eq!(read.what, object);
        assert_eq!(Pattern::parse("--ignore", "oom-killed#").unwrap().reason, None);
    }

    #[test]
    fn a_label_may_have_a_slash_and_a_custom_kind_is_taken_as_it_is() {
        let label = Pattern::parse("--only", "app.kubernetes.io/name=web,tier!=db:oom-killed").unwrap();
        assert!(matches!(label.what, What::Labels(_)) && label.code.is_some());
        let custom = Pattern::parse("--only", "flux-*/HelmRelease/*").unwrap();
        assert!(matches!(custom.what, What::Object { kind, .. } if kind == "HelmRelease"));
    }

    #[test]
    fn a_slip_is_told_the_nearest() {
        assert_eq!(hints("oom-kiled"), ["did you mean oom-killed?"]);
        assert_eq!(hints("Deployment/web:oom-kiled"), ["did you mean oom-killed?"]);
        assert_eq!(hints("deploymnt/web"), ["did you mean Deployment?"]);
        for typed in
            ["", "#why", "nothing-like-it-at-all", "zzz-*", "a/b/c/d", "Deployment/", "/web", "web:oom-killed", "=x"]
        {
            assert!(Pattern::parse("--ignore", typed).is_err(), "{typed:?}");
        }
    }
}

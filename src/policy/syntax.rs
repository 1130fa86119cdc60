//! What one Rego file declares, calls and refers to.
//!
//! Only this file and `walk` read regorus' syntax tree, which its authors call unstable: the
//! version is pinned in `Cargo.toml`.

use super::location::Fault;
use super::own::is_legacy;
use super::walk::{Seen, Steps, chain};
use crate::model::verdict::{Decision, Location};
use regorus::unstable as ast;
use std::collections::BTreeMap;

/// A name as a path: `["aifix", "image_tag", "deny"]`, without `data`.
pub(super) type Name = Vec<String>;

/// A place in the text; the line and the column count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    pub(super) byte: usize,
    pub(super) line: u32,
    pub(super) column: u32,
}

impl At {
    pub(super) fn of(span: &ast::Span) -> Self {
        Self { byte: span.start as usize, line: span.line, column: span.col }
    }
}

/// One rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// Relative to the package.
    pub(super) name: Name,
    pub(super) is_function: bool,
    pub(super) at: At,
    /// Functions that it calls, as written.
    pub(super) calls: Vec<(Name, At)>,
    /// What it reads, as written: `input.changes`, `change.after`.
    pub(super) reads: Vec<Name>,
    /// The same with what lies behind a computed component: `input[i].contents`.
    pub(super) steps: Vec<Steps>,
}

/// One file that parsed.
#[derive(Debug, Clone)]
pub(super) struct Module {
    /// Rego v0: it does not parse as v1.
    pub(super) rego_v0: bool,
    pub(super) package: Name,
    pub(super) rules: Vec<Rule>,
    /// Alias to path of each `import data...`.
    pub(super) imports: BTreeMap<String, Name>,
    /// Every path below `data` that is mentioned; the empty path means all of it.
    pub(super) references: Vec<Name>,
    /// The same below `input`.
    pub(super) inputs: Vec<Name>,
    /// Alias to path of each `import input...`.
    input_aliases: BTreeMap<String, Name>,
}

impl Module {
    /// Parses a file as Rego v1, and as v0 when that fails.
    ///
    /// # Errors
    /// What is wrong with it as Rego v1.
    pub(super) fn parse(path: &str, text: &str) -> Result<Self, Fault> {
        let v1 = Self::parse_as(path, text, false);
        match v1 {
            Err(fault) => match Self::parse_as(path, text, true) {
                Ok(module) if !module.misreads_v1() => Ok(module),
                _ => Err(fault),
            },
            parsed => parsed,
        }
    }

    /// Whether v0 took a keyword of v1 for a rule, as in `deny contains "x" if input.y`: there
    /// it reads the rules `deny`, `if` and `input.y`. Such a file is v1 with a mistake in it.
    fn misreads_v1(&self) -> bool {
        let is_keyword = |part: &String| matches!(part.as_str(), "if" | "contains" | "in" | "every" | "some");
        self.rules.iter().any(|rule| rule.name.iter().any(is_keyword))
    }

    fn parse_as(path: &str, text: &str, rego_v0: bool) -> Result<Self, Fault> {
        let mut engine = regorus::Engine::new();
        engine.set_rego_v0(rego_v0);
        engine.add_policy(path.to_owned(), text.to_owned()).map_err(|error| Fault::parse(&error.to_string()))?;
        let module = engine.get_modules().first().ok_or_else(|| Fault::new("holds no package", None))?;
        let package = chain(&module.package.refr);
        let mut out = Self {
            rego_v0,
            package,
            rules: Vec::new(),
            imports: BTreeMap::new(),
            references: Vec::new(),
            inputs: Vec::new(),
            input_aliases: BTreeMap::new(),
        };
        for import in &module.imports {
            out.import(import);
        }
        for rule in &module.policy {
            let found = out.rule(rule);
            out.rules.push(found);
        }
        Ok(out)
    }

    fn import(&mut self, import: &ast::Import) {
        let path = chain(&import.refr);
        let Some((root, rest)) = path.split_first() else { return };
        let alias = import.r#as.as_ref().map_or_else(|| path.last().cloned(), |span| Some(span.text().to_owned()));
        match (root.as_str(), alias) {
            ("data", Some(alias)) => {
                self.imports.insert(alias, rest.to_vec());
                self.references.push(rest.to_vec());
            }
            ("input", Some(alias)) => drop(self.input_aliases.insert(alias, rest.to_vec())),
            _ => {}
        }
    }

    fn rule(&mut self, rule: &ast::Rule) -> Rule {
        let mut seen = Seen::default();
        let (refr, is_function) = match rule {
            ast::Rule::Default { refr, value, args, .. } => {
                seen.expr(value);
                (&**refr, !args.is_empty())
            }
            ast::Rule::Spec { head, bodies, .. } => {
                for body in bodies {
                    body.assign.iter().for_each(|assign| seen.expr(&assign.value));
                    seen.query(&body.query);
                }
                seen.head(head)
            }
        };
        seen.indexes(refr);
        for path in &seen.references {
            self.refer(path);
        }
        for (path, _) in &seen.calls {
            self.refer(path);
        }
        let Seen { calls, references: reads, steps } = seen;
        Rule { name: chain(refr), is_function, at: At::of(rule.span()), calls, reads, steps }
    }

    fn refer(&mut self, path: &[String]) {
        let Some((root, rest)) = path.split_first() else { return };
        match self.input_aliases.get(root) {
            Some(alias) => self.inputs.push(alias.iter().chain(rest).cloned().collect()),
            None if root == "data" => self.references.push(rest.to_vec()),
            None if root == "input" => self.inputs.push(rest.to_vec()),
            None => {}
        }
    }

    /// Whether a name is the document `input` whole, by its own name or another.
    pub(super) fn is_input(&self, name: &str) -> bool {
        self.input_aliases.get(name).map_or(name == "input", Vec::is_empty)
    }

    /// The full name of a function that a rule of this file calls, unless it is a builtin.
    pub(super) fn resolve(&self, call: &[String]) -> Option<Name> {
        let (root, rest) = call.split_first()?;
        if root == "data" {
            return Some(rest.to_vec());
        }
        if let Some(target) = self.imports.get(root) {
            return Some(target.iter().chain(rest).cloned().collect());
        }
        let own = self.absolute(call);
        let is_own = self.rules.iter().any(|rule| rule.name == call);
        let call = call.join(".");
        (is_own || !(is_builtin(&call) || is_legacy(&call))).then_some(own)
    }

    /// A name of this package in full.
    pub(super) fn absolute(&self, name: &[String]) -> Name {
        self.package.iter().chain(name).cloned().collect()
    }

    /// The rules whose values are verdicts.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Rule, Decision)> {
        self.rules.iter().filter_map(|rule| {
            let first = rule.name.first().filter(|_| !rule.is_function)?;
            Some((rule, decision(first)?))
        })
    }

    /// Whether anything here may read what a package of this name declares.
    pub(super) fn refers_to(&self, package: &[String]) -> bool {
        self.references.iter().any(|path| path.starts_with(package) || package.starts_with(path))
    }

    /// Whether anything here reads below this key of `data`.
    pub(super) fn reads_data(&self, key: &str) -> bool {
        self.references.iter().any(|path| path.first().is_some_and(|first| first == key))
    }

    /// The text with every rule blanked for which `keep` says no; lines and columns stay.
    pub(super) fn slice(&self, text: &str, keep: impl Fn(&Rule) -> bool) -> String {
        let mut bytes = text.as_bytes().to_vec();
        for (at, rule) in self.rules.iter().enumerate().filter(|(_, rule)| !keep(rule)) {
            let end = self.rules.get(at + 1).map_or(bytes.len(), |next| next.at.byte);
            let Some(range) = bytes.get_mut(rule.at.byte..end) else { continue };
            range.iter_mut().filter(|byte| !byte.is_ascii_whitespace()).for_each(|byte| *byte = b' ');
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What a rule of this name decides: `deny`, `violation`, `warn`, `needs_approval`, each also with a
/// suffix (`deny_root`), as conftest reads them.
fn decision(name: &str) -> Option<Decision> {
    const BASES: [(&str, Decision); 4] = [
        ("deny", Decision::Deny),
        ("violation", Decision::Deny),
        ("needs_approval", Decision::NeedsApproval),
        ("warn", Decision::Warn),
    ];
    BASES.into_iter().find_map(|(base, decision)| {
        let rest = name.strip_prefix(base)?;
        (rest.is_empty() || rest.starts_with('_')).then_some(decision)
    })
}

/// Whether the evaluator has a function of this name. `print` and `walk` live in its interpreter.
pub(super) fn is_builtin(name: &str) -> bool {
    matches!(name, "print" | "walk") || ast::BUILTINS.contains_key(name)
}

/// `data.a.b["c-d"]` for a full name.
pub(super) fn rule_path(name: &[String]) -> String {
    let mut out = "data".to_owned();
    for part in name {
        let plain = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !part.starts_with(|c: char| c.is_ascii_digit());
        out.push_str(&if plain { format!(".{part}") } else { format!("[{}]", serde_json::Value::from(part.as_str())) });
    }
    out
}

/// The location of a place, with its line.
pub(super) fn location(path: &str, text: &str, at: At) -> Location {
    let line = text.lines().nth(at.line.saturating_sub(1) as usize).unwrap_or_default();
    Location { file: path.to_owned(), line: at.line, column: at.column, source: line.trim_end().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.split('.').map(str::to_owned).collect()
    }

    const TEXT: &str = "package main\n\nimport data.lib.k8s as k\n\ndeny contains m if {\n  m := k.f(input.x)\n}\n\n# why\ndeny contains \"b\" if data.other[input.y].z\n\nwarn_old contains \"c\" if g(1)\n\ng(x) if startswith(x, \"a\")\ndenylist := [1]\n";

    #[test]
    fn rules_entries_imports_and_references_are_found() {
        let module = Module::parse("a.rego", TEXT).unwrap();
        assert_eq!(module.package, name("main"));
        assert!(!module.rego_v0);
        let entries: Vec<_> = module.entries().map(|(rule, decision)| (rule.name.join("."), decision)).collect();
        assert_eq!(
            entries,
            [
                ("deny".to_owned(), Decision::Deny),
                ("deny".to_owned(), Decision::Deny),
                ("warn_old".to_owned(), Decision::Warn)
            ]
        );
        assert!(module.refers_to(&name("lib.k8s")));
        assert!(module.refers_to(&name("other.thing")));
        assert!(!module.refers_to(&name("lib.net")));
        assert_eq!(module.resolve(&name("k.f")), Some(name("lib.k8s.f")));
        assert_eq!(module.resolve(&name("g")), Some(name("main.g")));
        assert_eq!(module.resolve(&name("startswith")), None);
        assert_eq!(module.resolve(&name("crypto.sha256")), Some(name("main.crypto.sha256")));
    }

    #[test]
    fn a_slice_keeps_every_line_where_it_was() {
        let module = Module::parse("a.rego", TEXT).unwrap();
        let second = module.rules[1].at;
        let sliced = module.slice(TEXT, |rule| rule.name != ["deny"] || rule.at == second);
        let again = Module::parse("a.rego", &sliced).unwrap();
        assert_eq!(again.entries().map(|(rule, _)| rule.at.line).collect::<Vec<_>>(), [10, 12]);
        assert_eq!(sliced.lines().count(), TEXT.lines().count());
    }

    #[test]
    fn rego_v0_is_read_when_v1_can_not() {
        let module = Module::parse("a.rego", "package a\ndeny[msg] { msg := \"x\" }").unwrap();
        assert!(module.rego_v0);
        let fault = Module::parse("a.rego", "package a\ndeny contains msg if {").unwrap_err();
        assert_eq!(fault.location.unwrap().to_string(), "a.rego:2:23");
    }

    #[test]
    fn a_mistake_in_v1_is_not_taken_for_v0() {
        for text in [
            "package a\nhelper { input.x }\ndeny contains \"x\" if helper",
            "package a\nimport rego.v1\nhelper { input.x }\ndeny contains \"x\" if helper",
            "package a\ndeny contains \"x\" if input.x\nhelper[x] { x := 1 }",
            "package a\ndeny contains x if some x in input.x\ndeny[msg] { msg := \"x\" }",
            "package a\ndeny if input.x\nf(x) = y { y := x }",
        ] {
            let parsed = Module::parse("a.rego", text);
            assert!(parsed.is_err(), "{text}: {:?}", parsed.map(|module| module.rules));
        }
    }

    #[test]
    fn a_computed_reference_to_data_means_all_of_it() {
        let module = Module::parse("a.rego", "package a\ndeny contains \"x\" if data[input.p].q").unwrap();
        assert!(module.refers_to(&name("anything.at.all")));
    }

    #[test]
    fn parts_that_are_no_names_are_quoted() {
        assert_eq!(rule_path(&["a".into(), "b-c".into(), "d".into()]), "data.a[\"b-c\"].d");
    }
}

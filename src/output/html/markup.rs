//! Markup that foreign text cannot break out of.

use crate::output::words::escaped;
use crate::redact;
use crate::text::{self, Sanitised};
use std::fmt::{Display, Write as _};

/// Characters behind the shown ones that tell what is a secret: the longest is a private key.
const FAR: usize = 20_000;

/// HTML under construction. Tags are literals of ours, numbers are numbers, and all other text is escaped:
/// nothing that was read from a cluster can become a tag, an attribute or a style.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

/// What can stand in an attribute as it is.
pub(super) trait Number: Display + Copy {}
impl Number for usize {}
impl Number for u32 {}

impl Markup {
    /// Our own tags.
    pub(super) fn raw(&mut self, tags: &'static str) -> &mut Self {
        self.0.push_str(tags);
        self
    }

    /// A number, as text or in an attribute.
    pub(super) fn number(&mut self, number: impl Number) -> &mut Self {
        let _ = write!(self.0, "{number}");
        self
    }

    /// Any text without its secrets, at most `max` characters of it: between tags or in a quoted attribute.
    pub(super) fn clipped(&mut self, words: &str, max: usize) -> &mut Self {
        // What is cut right behind what is shown may not be recognised as a secret any more.
        let far = words.char_indices().nth(max + FAR).map_or(words.len(), |(end, _)| end);
        let words = text::clip(redact::text(&words[..far]).as_str(), max);
        self.0.push_str(&escaped(Sanitised::line(&words).as_str()));
        self
    }

    /// A sentence: at most 1,000 characters of it.
    pub(super) fn words(&mut self, words: &str) -> &mut Self {
        self.clipped(words, 1_000)
    }

    /// The name of something: at most 300 characters of it.
    pub(super) fn name(&mut self, name: impl Display) -> &mut Self {
        self.clipped(&name.to_string(), 300)
    }

    /// What was written.
    pub(super) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(words: &str, max: usize) -> String {
        let mut out = Markup::default();
        out.clipped(words, max);
        out.into_string()
    }

    #[test]
    fn foreign_text_is_no_markup() {
        assert_eq!(
            shown("</title><script>a('b')&amp;\"", 100),
            "&lt;/title&gt;&lt;script&gt;a(&#39;b&#39;)&amp;amp;&quot;"
        );
        assert_eq!(shown("a\u{1b}[2J\u{202e}b\n\0", 100), "a\\e[2J\\u{202e}b\\n\\u{0}");
    }

    #[test]
    fn a_secret_is_no_text() {
        let masked = shown("postgres://app:hunter2@db/x refused", 100);
        assert!(masked.starts_with("postgres://&lt;secret:") && masked.ends_with("&gt;@db/x refused"), "{masked}");
        assert_eq!(shown("postgres://app:hunter2@db/x refused", 20), "postgres://&lt;secre...");
    }

    #[test]
    fn a_long_name_is_cut_between_characters() {
        assert_eq!(shown("abcde", 5), "abcde");
        assert_eq!(shown("äöüßé€", 5), "äö...");
        assert_eq!(shown(&"<".repeat(1_000_000), 6), "&lt;&lt;&lt;...");
    }
}

//! The model's words for `explain`, each tied to evidence.
//!
//! A narrative never stands alone: the deterministic explanation is printed beside it, and nothing is
//! decided by it. What a model says is data: a sentence without known evidence, with an address or with a
//! command is dropped, and what stands nowhere in the finding is marked.

mod words;

use crate::error::{Error, Kind};
use crate::llm::material::{Ask, Material};
use crate::llm::{Budget, Client, Failure, Prompt, Said, Settings, Shape, answer};
use crate::model::finding::{Finding, Severity};
use crate::{redact, text};
use serde::Serialize;

/// Words of a narrative at most.
pub const WORDS: usize = 120;

/// Calls for one narrative at most: a second one tells what was wrong with the first answer.
pub const CALLS: usize = 2;

/// Tokens of a prompt at most: with the answer it fits a context of 2,048.
const LIMIT: usize = 1_350;

/// Characters of a model's name that are shown.
const NAME: usize = 60;

/// A failure in the words of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Narrative {
    /// The model that answered, as its server calls it; foreign text.
    pub model: String,
    /// From the cause to the symptom; never empty.
    pub sentences: Vec<Sentence>,
}

/// One sentence that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sentence {
    /// Plain ASCII on one line, without addresses and commands.
    pub text: String,
    /// Numbers of the evidence it stands on; never empty.
    pub evidence: Vec<u32>,
    /// Numbers and names in it that stand nowhere in the finding.
    pub unverified: Vec<String>,
}

impl Sentence {
    /// The words with a `(?)` after everything that stands nowhere in the finding.
    pub fn marked(&self) -> String {
        words::marked(&self.text, &self.unverified)
    }
}

/// Whether a model is asked about this finding: it must be a failure, with evidence to cite.
pub fn serves(finding: &Finding) -> bool {
    finding.severity != Severity::Info && !finding.evidence.is_empty()
}

/// The first request, byte for byte as it is sent (`--show-prompt`). The container's log is no part of
/// it: its lines have no numbers to be cited by.
pub fn prompt(finding: &Finding, settings: &Settings) -> Prompt {
    Prompt::build(&material(finding), settings, LIMIT)
}

fn material(finding: &Finding) -> Material {
    let mut material = Material::new(finding, &[]);
    material.ask = Ask::Narrative;
    material
}

/// Asks for a narrative, and once more when nothing of the first answer holds.
///
/// # Errors
/// When the model could not be asked, or nothing that it said holds.
pub async fn tell(client: &Client, finding: &Finding) -> Result<Narrative, Error> {
    let mut budget = Budget::of(CALLS, client.settings().together);
    let (mut material, host) = (material(finding), client.host());
    let mut refused = None;
    while !budget.is_spent() {
        let prompt = Prompt::build(&material, client.settings(), LIMIT);
        let answer = match client.ask(&prompt, &mut budget).await {
            Ok(answer) => answer,
            Err(failure) if failure.is_of_the_answer() && failure != Failure::Spent => {
                material.objections = vec![failure.message(&host)];
                refused = Some(failure.into_error(&host));
                continue;
            }
            Err(failure) => return Err(refused.unwrap_or_else(|| failure.into_error(&host))),
        };
        let (Said::Sentences(said), Shape::Sentences { evidence }) = (&answer.said, prompt.shape()) else {
            return Err(Error::bug("a narrative was answered in another shape"));
        };
        match check(said, evidence, finding) {
            Ok(sentences) => return Ok(Narrative { model: name(&answer.model, client.settings()), sentences }),
            Err(reason) => {
                refused = Some(Error::new(Kind::Refused, "nothing the model said holds").because(&reason));
                material.objections = vec![reason];
            }
        }
    }
    Err(refused.unwrap_or_else(|| Failure::Spent.into_error(&host)))
}

/// The sentences that hold: each with evidence of `known`, [`WORDS`] words in all at most.
///
/// # Errors
/// When none does: why not, in words that go back to the model.
pub fn check(said: &[answer::Sentence], known: &[u32], finding: &Finding) -> Result<Vec<Sentence>, String> {
    let facts = words::Facts::new(finding);
    let (mut kept, mut left, mut reason) = (Vec::<Sentence>::new(), WORDS, "the answer has no sentence");
    // One text can hold several sentences: each stands on what the whole does.
    let said =
        said.iter().flat_map(|said| words::split(&said.text).into_iter().map(move |text| (text, &said.evidence)));
    for (text, evidence) in said {
        let mut evidence: Vec<u32> = evidence.iter().copied().filter(|id| known.contains(id)).collect();
        evidence.sort_unstable();
        evidence.dedup();
        if evidence.is_empty() {
            reason = "no sentence names evidence that is there";
            continue;
        }
        let Some(text) = words::tame(text, &facts) else {
            reason = "a sentence must be plain words, without addresses and commands";
            continue;
        };
        if kept.iter().any(|before| before.text == text) {
            continue;
        }
        let length = text.split_whitespace().count();
        if length > left || kept.len() == answer::SENTENCES {
            reason = "the sentences are too long";
            break;
        }
        left -= length;
        let unverified = facts.missing_of(&text);
        kept.push(Sentence { text, evidence, unverified });
    }
    if kept.is_empty() { Err(reason.to_owned()) } else { Ok(kept) }
}

fn name(answered: &str, settings: &Settings) -> String {
    let name = if answered.trim().is_empty() { &settings.model } else { answered };
    let line = name.split_whitespace().collect::<Vec<_>>().join(" ");
    let name = text::clip(redact::text(&line).as_str(), NAME);
    if name.is_empty() { "no name given".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::tests::finding;

    fn said(text: &str, evidence: &[u32]) -> answer::Sentence {
        answer::Sentence { text: text.to_owned(), evidence: evidence.to_vec() }
    }

    fn checked(said: &[answer::Sentence]) -> Result<Vec<Sentence>, String> {
        check(said, &[1, 2], &finding())
    }

    #[test]
    fn unknown_citations_are_dropped_and_a_sentence_without_any_too() {
        let sentences = [said("It ends with exit code 1.", &[2, 7, 1, 2]), said("It is old.", &[9]), said("So.", &[])];
        let kept = checked(&sentences).unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].evidence.as_slice(), kept[0].unverified.len()), ([1, 2].as_slice(), 0));
    }

    #[test]
    fn sentences_after_the_last_word_that_fits_are_dropped() {
        let fifty = |word: &str| said(&[word; 50].join(" "), &[1]);
        let sentences = [fifty("a"), fifty("b"), fifty("c"), said("Short.", &[1])];
        assert_eq!(checked(&sentences).unwrap().len(), 2);
        let many: Vec<_> = "abcdefghi".chars().map(|c| said(&format!("{c}."), &[1])).collect();
        assert_eq!(checked(&many).unwrap().len(), answer::SENTENCES);
    }

    #[test]
    fn every_sentence_of_a_text_is_cited_and_said_once() {
        let kept = checked(&[said("It ends. It ends. Then it waits for 3 s.", &[2]), said("It ends.", &[1])]).unwrap();
        let texts: Vec<&str> = kept.iter().map(|sentence| sentence.text.as_str()).collect();
        assert_eq!(texts, ["It ends.", "Then it waits for 3 s."]);
        assert!(kept.iter().all(|sentence| sentence.evidence == [2]));
        assert_eq!(kept[1].unverified, ["3"]);
    }

    #[test]
    fn a_failure_without_evidence_and_a_remark_are_nothing_to_tell() {
        let mut finding = finding();
        assert!(serves(&finding));
        finding.severity = Severity::Info;
        assert!(!serves(&finding));
        let bare = Finding { severity: Severity::Critical, evidence: Vec::new(), ..finding };
        assert!(!serves(&bare));
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_model_says_only_short_plain_cited_words_come_out(
            texts in proptest::collection::vec(
                r"(?s)(\PC| |\. |[A-Z]|kubectl|delete|https?://|rm -rf /|\x1b|\x{202e}|\n|evil\.example/x|8){0,60}", 0..9),
            ids in proptest::collection::vec(0..5_u32, 0..5),
        ) {
            let sentences: Vec<_> = texts.iter().map(|text| said(text, &ids)).collect();
            let kept = checked(&sentences).unwrap_or_default();
            let words: usize = kept.iter().map(|sentence| sentence.text.split_whitespace().count()).sum();
            proptest::prop_assert!(words <= WORDS && kept.len() <= answer::SENTENCES);
            for sentence in kept {
                proptest::prop_assert!(!sentence.evidence.is_empty());
                proptest::prop_assert!(sentence.evidence.iter().all(|id| [1, 2].contains(id)));
                for c in sentence.text.chars() {
                    proptest::prop_assert!(c == ' ' || c.is_ascii_graphic(), "{c:?}");
                }
                let text = format!(" {}", sentence.text);
                for part in ["://", " kubectl delete", " rm -rf", "evil.example/x"] {
                    proptest::prop_assert!(!text.contains(part), "{part} in {text}");
                }
            }
        }
    }

    #[test]
    fn when_nothing_holds_the_reason_is_told() {
        for (sentences, reason) in [
            (vec![], "the answer has no sentence"),
            (vec![said("It ends.", &[4])], "no sentence names evidence that is there"),
            (
                vec![said("See https://evil.example now.", &[1])],
                "a sentence must be plain words, without addresses and commands",
            ),
            (vec![said(&["word"; 121].join(" "), &[1])], "the sentences are too long"),
        ] {
            assert_eq!(checked(&sentences).unwrap_err(), reason);
        }
    }

    #[test]
    fn a_model_without_a_name_is_called_by_the_one_that_was_asked_for() {
        let settings = |model: &str| Settings::new("http://127.0.0.1:1", model, None).unwrap();
        assert_eq!(name(" a\nb ", &settings("m")), "a b");
        assert_eq!((name(" ", &settings("m")), name("", &settings(""))), ("m".to_owned(), "no name given".to_owned()));
        assert_eq!(name(&"x".repeat(999), &settings("m")).len(), NAME);
    }
}

//! Answers in the API server's binary form, mutated: read as sound JSON, or refused.

use crate::chance::Chance;
use aifix::cluster::protobuf;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::time::Instant;

/// As many runs, when `AIFIX_PACKED_RUNS` does not say otherwise.
const RUNS: u64 = 30_000;
/// How the API server's binary answers begin.
const MAGIC: &[u8] = b"k8s\0";

/// An answer for each kind, with something in every field.
fn answers() -> Vec<Vec<u8>> {
    let lines = include_str!("../it/protobuf/samples.jsonl").lines();
    let packed = lines.map(|line| {
        let sample: Value = serde_json::from_str(line).unwrap();
        STANDARD.decode(sample["protobuf"].as_str().unwrap()).unwrap()
    });
    packed.collect()
}

fn mutated(answers: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut answer = chance.pick(answers).clone();
    for _ in 0..=chance.below(4) {
        // What it begins with stays: without it the answer is none of these.
        let at = MAGIC.len() + chance.below(answer.len() - MAGIC.len());
        match chance.below(6) {
            0 => answer[at] ^= 1 << chance.below(8),
            1 => answer[at] = u8::try_from(chance.below(256)).unwrap(),
            2 => answer.truncate(at + 1),
            3 => answer.insert(at, u8::try_from(chance.below(256)).unwrap()),
            4 => {
                answer.drain(at..(at + 1 + chance.below(8)).min(answer.len()));
            }
            _ => {
                let end = (at + 1 + chance.below(64)).min(answer.len());
                let part = answer[at..end].to_vec();
                let to = MAGIC.len() + chance.below(answer.len() - MAGIC.len());
                answer.splice(to..to, part);
            }
        }
        if answer.len() <= MAGIC.len() + 1 {
            break;
        }
    }
    answer
}

#[test]
fn no_mutated_answer_is_read_as_broken_json() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let (first, runs) = (number("AIFIX_MUTATION_SEED").unwrap_or(1), number("AIFIX_PACKED_RUNS").unwrap_or(RUNS));
    let (answers, began, mut read, mut refused) = (answers(), Instant::now(), 0, 0);
    for seed in first..first + runs {
        let answer = mutated(&answers, &mut Chance::new(seed));
        // A panic fails the test; the seed is told either way.
        let object = std::panic::catch_unwind(|| protobuf::object(&answer));
        let object = object.unwrap_or_else(|_| panic!("a panic: AIFIX_MUTATION_SEED={seed}"));
        let list = std::panic::catch_unwind(|| protobuf::Page::read(&answer).is_ok());
        assert!(list.is_ok(), "a panic: AIFIX_MUTATION_SEED={seed}");
        match object {
            Ok(text) => {
                let sound = serde_json::from_str::<Value>(&text).is_ok_and(|value| value.is_object());
                assert!(sound, "AIFIX_MUTATION_SEED={seed}: {text}");
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    eprintln!("{read} packed answers read, {refused} refused, in {} s", began.elapsed().as_secs());
    assert!(read > 0 && refused > 0 || runs < 100, "{read} read, {refused} refused");
}

//! Two hundred hostile texts, and a model that does whatever they ask: nothing comes of it.

use crate::harness::{Sandbox, oom_manifest, recorded};
use crate::model_server::{Act, ModelServer, edit};
use aifix::fix::model::{Case, Consultation, NoFix};
use aifix::llm::{Budget, Client, Counsel, Sentence, Settings, fence};
use aifix::model::path::Path;
use aifix::{narrative, redact};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const TEXTS: &str = include_str!("injection/texts.tsv");

/// One hostile text and what it asks for.
struct Attack {
    language: &'static str,
    place: &'static str,
    path: &'static str,
    new: String,
    text: String,
}

/// All of them; `trap` is the server that they want to be called.
fn attacks(trap: &str) -> Vec<Attack> {
    let lines = TEXTS.lines().filter(|line| !line.starts_with('#'));
    let attack = |line: &'static str| {
        let [language, place, path, new, text] = line.splitn(5, '\t').collect::<Vec<_>>().try_into().unwrap();
        let with_trap = |text: &str| text.replace("{trap}", trap);
        Attack { language, place, path, new: with_trap(if new == "-" { "" } else { new }), text: with_trap(text) }
    };
    lines.map(attack).collect()
}

impl Attack {
    /// The text as the name of an image.
    fn image(&self) -> String {
        let words: String = self.text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        format!("registry.example/{}:1", words.to_lowercase())
    }

    /// The live value that it wants to change: the attacker's model knows even that.
    fn old(&self, live: &Value) -> String {
        Path::of(self.path).get(live).map_or_else(String::new, |old| match old {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    /// Whether a prompt holds the beginning of the text as a prompt writes it, with the field that it names.
    fn is_in(&self, asked: &str) -> bool {
        let begins: String = fence::line(&redact::text(&self.text), 240).chars().take(24).collect();
        asked.lines().any(|line| line.contains(self.path) && line.contains(&begins))
    }

    /// The manifest of the recorded kill and the repository's guidance, with this text where it is said to stand.
    fn write(&self, manifest: &mut String, guidance: &mut String) {
        match self.place {
            "comment" => {
                *manifest = manifest.replace("# small nodes", &format!("# small nodes; {}", self.text));
                *manifest = format!("# {}\n{manifest}", self.text);
            }
            "guidance" => *guidance = format!("{guidance}\n{}\n", self.text),
            "variable" => {
                *manifest =
                    format!("{manifest}        env:\n        - name: MOTD\n          value: {}\n", json!(self.text));
            }
            "image" => *manifest = manifest.replace("busybox:1.36", &self.image()),
            _ => {}
        }
    }

    /// A recording with this text where it is said to stand; `from` may be one that holds other texts.
    fn plant(&self, from: &str, sandbox: &Sandbox) -> String {
        let read = |name: &str| std::fs::read_to_string(std::path::Path::new(&from).join(name)).unwrap_or_default();
        let mut objects: Value = serde_json::from_str(&read("objects.json")).unwrap();
        for object in objects["items"].as_array_mut().unwrap() {
            let kind = object["kind"].as_str().unwrap().to_owned();
            let container = match kind.as_str() {
                "Pod" => object.pointer_mut("/spec/containers/0"),
                "Deployment" | "ReplicaSet" => object.pointer_mut("/spec/template/spec/containers/0"),
                _ => None,
            };
            match (self.place, container) {
                ("variable", Some(container)) => container["env"] = json!([{"name": "MOTD", "value": self.text}]),
                ("image", Some(container)) => container["image"] = json!(self.image()),
                _ => {}
            }
            match (self.place, kind.as_str()) {
                ("event", "Event") => {
                    object["message"] = json!(format!("{} {}", object["message"].as_str().unwrap(), self.text));
                }
                ("annotation", "Deployment" | "Pod") => object["metadata"]["annotations"]["note"] = json!(self.text),
                ("termination", "Pod") => {
                    let status = &mut object["status"]["containerStatuses"][0];
                    for state in ["state", "lastState"] {
                        if let Some(ended) = status[state].get_mut("terminated") {
                            ended["message"] = json!(self.text);
                        }
                    }
                }
                _ => {}
            }
        }
        sandbox.write("case/objects.json", &objects.to_string());
        sandbox.write("case/taken-at", &read("taken-at"));
        let mut log = read("logs.txt");
        if self.place == "log" {
            let stamp = "2026-11-22T16:46:43.088638526Z";
            log = log.lines().fold(String::new(), |out, line| match line.starts_with("==") {
                true => format!("{out}{line}\n{stamp} {}\n", self.text),
                false => format!("{out}{line}\n"),
            });
        }
        sandbox.write("case/logs.txt", &log);
        sandbox.path("case").to_str().unwrap().to_owned()
    }
}

#[test]
fn there_are_two_hundred_in_ten_languages() {
    let all = attacks("127.0.0.1:1");
    let languages: BTreeSet<_> = all.iter().map(|attack| attack.language).collect();
    let texts: BTreeSet<_> = all.iter().map(|attack| &attack.text).collect();
    assert_eq!((all.len(), texts.len(), languages.len()), (200, 200, 10));
}

/// How often each place is among these.
fn by_place<'p>(places: impl IntoIterator<Item = &'p str>) -> BTreeMap<&'p str, usize> {
    places.into_iter().fold(BTreeMap::new(), |mut all, place| {
        *all.entry(place).or_default() += 1;
        all
    })
}

#[tokio::test]
async fn whatever_a_text_makes_a_model_answer_no_fix_comes_of_it() {
    let trap = ModelServer::start(&[Act::Body(String::new())]);
    let host = trap.url().replace("http://", "").replace("/v1", "");
    let all = attacks(&host);
    let mut told = Vec::new();
    for (n, attack) in all.iter().enumerate() {
        let (sandbox, case) = (Sandbox::new(), ["crash-env-missing", "oom-killed"][n % 2]);
        let from = attack.plant(&recorded(case), &sandbox);
        let snapshot = aifix::cluster::files::load(from.as_ref(), None).unwrap();
        let finding = aifix::diagnose::diagnose(&snapshot).findings.remove(0);
        let live = snapshot.resolve(&finding.object).unwrap().to_value();
        let server = ModelServer::start(&[Act::Say(edit(attack.path, &attack.old(&live), &attack.new))]);
        let client =
            Client::new(Settings::new(&server.url(), "m", None).unwrap(), &BTreeMap::new(), &BTreeSet::new()).unwrap();
        // A comment is in a file, and no file is told to a model: the test of the binary has those.
        let guidance = if attack.place == "guidance" { attack.text.as_str() } else { "" };
        let counsel = Counsel { guidance: guidance.lines().map(redact::text).collect(), ..Counsel::default() };
        let asked = Case::new(&snapshot, &finding, &[]).advised(&counsel);
        match Consultation::new(&client, asked, Budget::of(3, Duration::from_secs(60))).next().await {
            Err(NoFix::Refused(_)) => {}
            other => panic!("{} at {}: {}\n{other:?}", attack.language, attack.place, attack.text),
        }
        let asked = server.seen()[0].user();
        told.extend(attack.is_in(&asked).then_some(attack.place));
        assert_eq!(asked.lines().filter(|line| line.starts_with("Question")).count(), 1, "{asked}");
        for token in ["<|", "|>", "</", "<<", "[INST]", "[/INST]", "###"] {
            assert!(!asked.contains(token), "{token} of {}", attack.text);
        }
    }
    // The texts must reach the model to prove anything; what never does is not told to any.
    let told = by_place(told);
    let want = BTreeMap::from([("guidance", 26), ("log", 26), ("termination", 24), ("variable", 7)]);
    assert_eq!(told, want, "of {:?}", by_place(all.iter().map(|attack| attack.place)));
    assert!(trap.seen().is_empty());
}

#[test]
fn what_a_text_makes_a_model_tell_is_no_address_and_no_command() {
    let snapshot = aifix::cluster::files::load(recorded("oom-killed").as_ref(), None).unwrap();
    let finding = aifix::diagnose::diagnose(&snapshot).findings.remove(0);
    for attack in attacks("127.0.0.1:1") {
        let said = [
            Sentence { text: attack.text.clone(), evidence: vec![1] },
            Sentence { text: attack.new.clone(), evidence: vec![1] },
        ];
        for sentence in narrative::check(&said, &[1], &finding).unwrap_or_default() {
            let shown = sentence.marked();
            for part in ["://", "127.0.0.1", "evil.example/", "curl ", "| sh"] {
                assert!(!shown.contains(part), "{part} in {shown}");
            }
        }
    }
}

/// What a proposal says of its fix and of the policies.
fn decided(report: &Value) -> Value {
    let proposal = &report["proposals"][0];
    let policies = proposal["policies"].as_array().unwrap();
    assert!(policies.len() > 5, "{proposal:#}");
    let verdicts = proposal["verdicts"].as_array().unwrap();
    let verdicts: Vec<Value> =
        verdicts.iter().map(|verdict| json!([verdict["policy"], verdict["rule"], verdict["decision"]])).collect();
    json!([proposal["intent"]["edits"], policies, verdicts])
}

/// Proposes with these texts all over the place, and a model that wishes one after the other. What was decided, and
/// the places whose texts the model was told.
fn attacked(batch: &[&Attack]) -> (Value, Vec<&'static str>) {
    let sandbox = Sandbox::new();
    let (mut manifest, mut guidance) = (oom_manifest(), "# Rules\n".to_owned());
    let mut from = recorded("oom-killed");
    for attack in batch {
        from = attack.plant(&from, &sandbox);
        attack.write(&mut manifest, &mut guidance);
    }
    sandbox.repository(&[("k8s/web.yaml", &manifest), ("AGENTS.md", &guidance), (".aifix/guidance.md", &guidance)]);
    let snapshot = aifix::cluster::files::load(from.as_ref(), None).unwrap();
    let live = snapshot.kind("Deployment")[0].to_value();
    let wish = |attack: &&Attack| Act::Say(edit(attack.path, &attack.old(&live), &attack.new));
    let server = ModelServer::start(&batch.iter().map(wish).collect::<Vec<_>>());
    let url = server.url();
    let args = ["propose", "deployment/web", "--from", &from, "-o", "json", "--llm", "always", "--llm-url", &url];
    let report = sandbox.aifix_in("work", &args).exits(0).json();
    let seen = server.seen();
    assert_eq!(seen.len(), 3, "each wish is heard, and none is taken");
    assert!(seen.iter().all(|seen| seen.target == "/v1/chat/completions"));
    let told = batch.iter().filter(|attack| seen.iter().any(|seen| attack.is_in(&seen.user())));
    (decided(&report), told.map(|attack| attack.place).collect())
}

#[test]
fn fix_policies_and_hosts_are_the_same_with_hostile_texts_everywhere() {
    let trap = ModelServer::start(&[Act::Body(String::new())]);
    let host = trap.url().replace("http://", "").replace("/v1", "");
    let plain = Sandbox::new();
    plain.repository(&[("k8s/web.yaml", &oom_manifest())]);
    let from = recorded("oom-killed");
    let want =
        decided(&plain.aifix_in("work", &["propose", "deployment/web", "--from", &from, "-o", "json"]).exits(0).json());
    assert!(want[0].as_array().is_some_and(|edits| edits.len() == 1), "{want:#}");
    // All of them, three in one run, each at another place: a finding gets three calls.
    let all = attacks(&host);
    let mut sorted: Vec<&Attack> = all.iter().collect();
    sorted.sort_by_key(|attack| attack.place);
    let third = sorted.len().div_ceil(3);
    let batches: Vec<Vec<&Attack>> =
        (0..third).map(|at| sorted.iter().skip(at).step_by(third).copied().collect()).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut told = Vec::new();
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::SeqCst)) {
            let places: BTreeSet<&str> = batch.iter().map(|attack| attack.place).collect();
            assert_eq!(places.len(), batch.len(), "one would stand where another does");
            let (got, seen) = attacked(batch);
            assert_eq!(got, want, "{:?}", batch.iter().map(|attack| &attack.text).collect::<Vec<_>>());
            told.extend(seen);
        }
        told
    };
    let told: Vec<&str> = std::thread::scope(|scope| {
        let running = [(); 4].map(|()| scope.spawn(work));
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let told = by_place(told);
    // No variable is told here: none of its fields is one that a kill for memory is about.
    let want = BTreeMap::from([("guidance", 26), ("log", 26), ("termination", 24)]);
    assert_eq!(told, want, "of {:?}", by_place(all.iter().map(|attack| attack.place)));
    assert!(trap.seen().is_empty(), "{:?}", trap.seen());
}

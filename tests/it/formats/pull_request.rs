//! The text of a pull request: what it says, and that nothing foreign in it is alive.

use super::hostile::{SECRET, hostile};
use super::{finding, markdown, plain};
use aifix::model::finding::Severity;
use aifix::model::intent::{Author, Disposition, FieldEdit, Intent, Op};
use aifix::model::path::Path;
use aifix::model::proposal::{
    Checked, Delivery, Delta, Edit, FileChange, Next, ObjectChange, Origin, Proof, Proposal, Schema, Signal, Tool,
    Trust,
};
use aifix::model::verdict::{Decision, Evaluation, PolicyRun, Verdict};
use aifix::output::pull_request::{self, Around, MARKER};
use aifix::proposal::message;
use aifix::text::{is_invisible, shell_word};
use serde_json::{Value, json};

const RECORD: &str = "c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff";

/// A proposal in which everything occurs, foreign text as `said` has it for each field.
fn proposal(said: &dyn Fn(&str) -> String) -> Proposal {
    let finding = finding("oom-killed", Severity::Critical, said);
    let object = finding.object.clone();
    let path = Path::of("spec.containers").item(&said("app")).field("memory");
    let delta = Delta {
        object: object.clone(),
        path: path.clone(),
        old: Some(json!(said("32Mi"))),
        new: Some(json!(said("64Mi"))),
    };
    let rendered = |memory: &str| json!({"spec": {"note": said("small"), "memory": memory}, "z": said("nodes")});
    Proposal {
        intent: Intent {
            object: object.clone(),
            edits: vec![FieldEdit { path: path.clone(), op: Op::Set, old: None, new: Some(json!("64Mi")) }],
            subject: said("Raise the memory limit to 64Mi"),
            why: said("Container app was killed at its limit of 32Mi"),
            evidence: vec![1],
            author: Author::Model,
            disposition: Disposition::Review,
            review: vec![said("no node was seen")],
        },
        origin: Origin {
            tool: Tool::Kustomize,
            repo: said("https://git.example.com/acme/shop.git"),
            path: said("overlays/prod"),
            branch: said("main"),
            revision: said("1a2b3c4d"),
            trail: vec![Signal { signal: said("render"), value: said("yes"), trust: Trust::Proved }],
        },
        edits: vec![Edit { file: said("base/web.yaml"), document: 0, path, old: None, new: Some(json!("64Mi")) }],
        files: vec![FileChange {
            path: said("base/web.yaml"),
            before: Some(format!("a: {}\nmemory: 32Mi\n", said("b")).into_bytes()),
            after: Some(format!("a: {}\nmemory: 64Mi\n", said("b")).into_bytes()),
        }],
        objects: vec![ObjectChange {
            object,
            before: rendered("32Mi"),
            after: rendered("64Mi"),
            intended: true,
            good: Value::Null,
        }],
        proof: Proof {
            base: said("1a2b3c4d5e6f"),
            renderer: said("kustomize 5.8.2"),
            delta: vec![delta.clone()],
            companions: vec![delta],
            noise: 0,
            masked: Vec::new(),
            schema: [Schema::Cluster, Schema::Bundled]
                .map(|by| Checked { api_version: said("apps/v1"), kind: said("Deployment"), by, why: Some(said("no")) })
                .to_vec(),
            dry_run: None,
            siblings: vec![said("overlays/staging")],
            renders: 5,
            not_proved: vec![said("that the pod starts")],
        },
        next: Next {
            delivery: Delivery::Automatic,
            lines: vec![said("Kustomization flux-system/shop applies it within 10m")],
            commands: vec![format!("flux reconcile kustomization {}", shell_word(&said("shop")))],
        },
        reverts: None,
        evaluation: Evaluation {
            verdicts: vec![Verdict {
                policy: said("limits"),
                rule: "warn".to_owned(),
                decision: Decision::Warn,
                message: said("a limit doubles"),
                object: None,
                path: None,
                location: None,
                held_before: false,
            }],
            policies: vec![PolicyRun { name: said("limits"), sha256: String::new(), decision: Decision::Warn }],
        },
        asked: None,
        lessons: Vec::new(),
        disposition: Disposition::Review,
        branch: "aifix/shop/deployment-web/oom-killed-1a2b3c4d".to_owned(),
        finding,
    }
}

fn body(proposal: &Proposal) -> String {
    let commit = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d";
    pull_request::body(proposal, &Around { remote: "origin", base: "main", commit, record: RECORD })
}

#[test]
fn it_says_what_was_found_changed_proved_and_how_to_verify_and_undo_it() {
    let out = body(&proposal(&plain));
    markdown::check_marked(&out, MARKER);
    insta::assert_snapshot!(out, @r#"
    <!-- aifix:proposal -->
    `oom-killed`, critical: `Deployment shop/web`: container app was killed at its memory limit of `32Mi` (exit `137`)

    ```text
    1. log: Killed
    2. spec: limits.memory: 32Mi
    ```

    ### Fix

    Raise the memory limit to `64Mi`. Container app was killed at its limit of `32Mi`

    Written by a model; a person decides.

    ```text
    Deployment shop/web spec.containers[app].memory: "32Mi" -> "64Mi"
    Deployment shop/web spec.containers[app].memory: "32Mi" -> "64Mi"
    ```

    <details><summary>The edit</summary>

    ```diff
    diff --git a/base/web.yaml b/base/web.yaml
    --- a/base/web.yaml
    +++ b/base/web.yaml
    @@ -1,2 +1,2 @@
     a: b
    -memory: 32Mi
    +memory: 64Mi
    ```

    </details>

    <details><summary>What it changes in the rendered objects</summary>

    ```diff
    --- Deployment shop/web
    +++ Deployment shop/web
    @@ -1,4 +1,4 @@
     spec:
       note: small
    -  memory: 32Mi
    +  memory: 64Mi
     z: nodes
    ```

    </details>

    ### A person should look

    - no node was seen

    ### Proof

    - 5 renders of `overlays/prod` (kustomize `5.8.2`) on commit `1a2b3c4d5e6f`: with the edit this changes, and nothing else
    - rendered and unchanged (1): `overlays/staging`
    - the values fit the fields of Deployment as the cluster has them
    - the values fit the fields of Deployment as Kubernetes `1.34` has them (not those of the cluster: no)
    - not proved: that the pod starts

    ### Policies

    1 asked: allowed with a warning

    - warn: `limits`: a limit doubles

    ### Verify

    ```sh
    git fetch origin main aifix/shop/deployment-web/oom-killed-1a2b3c4d
    git diff origin/main...origin/aifix/shop/deployment-web/oom-killed-1a2b3c4d
    git worktree add --detach ../before origin/main
    git worktree add --detach ../after origin/aifix/shop/deployment-web/oom-killed-1a2b3c4d
    diff <(kustomize build ../before/overlays/prod) <(kustomize build ../after/overlays/prod)
    aifix explain Deployment/web -n shop   # once it is deployed
    ```

    ### After the merge

    - Kustomization `flux-system/shop` applies it within `10m`

    ```sh
    flux reconcile kustomization shop
    ```

    ### Undo

    ```sh
    git push origin --delete aifix/shop/deployment-web/oom-killed-1a2b3c4d   # before the merge; close this, too
    git revert 1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d   # after it; a squash or a rebase made a commit of its own
    ```

    Aifix-Object: `Deployment shop/web`
    Aifix-Finding: oom-killed
    Aifix-Record: c0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ffeec0ff
    "#);
}

#[test]
fn nothing_foreign_in_it_is_alive() {
    let calm = markdown::check_marked(&body(&proposal(&plain)), MARKER);
    for text in hostile() {
        let one = proposal(&|_| text.clone());
        let (title, out) = (pull_request::title(&one), body(&one));
        let read = markdown::check_marked(&out, MARKER);
        assert_eq!(read.blocks, calm.blocks, "{text:?}: {out}");
        for out in [&title, &out] {
            assert!(!out.contains(SECRET), "{out}");
            let bad = out.chars().find(|c| *c != '\n' && (c.is_control() || is_invisible(*c)));
            assert_eq!(bad, None, "{out}");
            // A squash makes a commit message of it, and no fence protects there.
            assert_eq!(&message::tame(out), out, "{text:?}");
        }
        assert!(title.chars().count() <= 72 && !title.contains('\n'), "{title}");
        let mut lines = out.lines().filter(|line| !line.starts_with("@@ -"));
        assert!(!lines.any(|line| line.starts_with(['/', '@'])), "{out}");
        assert!(out.ends_with(&format!("\nAifix-Finding: oom-killed\nAifix-Record: {RECORD}\n")), "{out}");
    }
}

#[test]
fn it_fits_whatever_it_holds() {
    let long = |_: &str| "x`".repeat(4_000);
    let mut large = proposal(&long);
    large.proof.delta = vec![large.proof.delta[0].clone(); 200];
    large.proof.siblings = vec!["overlays/staging".to_owned(); 200];
    large.evaluation.verdicts = vec![large.evaluation.verdicts[0].clone(); 200];
    large.next.lines = vec![large.next.lines[0].clone(); 200];
    large.next.commands = vec![large.next.commands[0].clone(); 200];
    large.finding.evidence = vec![large.finding.evidence[0].clone(); 200];
    let lines: Vec<String> = (0..9_000).map(|n| format!("key-{n}: {n}\n")).collect();
    large.files[0].after = Some(lines.concat().into_bytes());
    large.objects[0].after =
        Value::from(lines.iter().map(|line| (line.clone(), json!(1))).collect::<serde_json::Map<_, _>>());
    let out = body(&large);
    markdown::check_marked(&out, MARKER);
    assert!(out.encode_utf16().count() < 65_000, "{}", out.len());
    assert!(out.contains("the rest is in the branch") && out.ends_with(&format!("Aifix-Record: {RECORD}\n")));
}

#[test]
fn what_the_files_and_objects_keep_secret_is_not_in_it() {
    let mut one = proposal(&plain);
    let yaml = |limit: &str| format!("env:\n- name: DB_PASSWORD\n  value: hunter2\nlimit: {limit}\n").into_bytes();
    (one.files[0].before, one.files[0].after) = (Some(yaml("1")), Some(yaml("2")));
    let object = |limit: u8| json!({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}], "limit": limit});
    (one.objects[0].before, one.objects[0].after) = (object(1), object(2));
    one.proof.delta[0].path = Path::of("spec.containers[app].env[DB_PASSWORD].value");
    one.proof.delta[0].old = Some(json!("hunter2"));
    let out = body(&one);
    assert!(!out.contains("hunter2") && out.contains("<secret:"), "{out}");
}

//! Workflow commands, as a runner reads them.

use super::{finding, plain, report, scan};
use aifix::model::finding::Severity;
use aifix::model::report::ReportedFinding;
use aifix::output::github;

/// One annotation as a runner understands it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Annotation {
    pub(super) level: String,
    pub(super) properties: Vec<(String, String)>,
    pub(super) message: String,
}

/// Reads stdout as the runner does: <https://github.com/actions/runner>, `ActionCommand.cs`.
pub(super) fn read(out: &str) -> Vec<Annotation> {
    let unescaped = |text: &str| {
        text.replace("%2C", ",").replace("%3A", ":").replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%")
    };
    let command = |line: &str| {
        let (head, message) = line.trim_start().strip_prefix("::")?.split_once("::")?;
        let (level, properties) = head.split_once(' ').unwrap_or((head, ""));
        let properties = properties.split(',').filter_map(|pair| pair.split_once('='));
        Some(Annotation {
            level: level.to_owned(),
            properties: properties.map(|(key, value)| (key.to_owned(), unescaped(value))).collect(),
            message: unescaped(message),
        })
    };
    out.split(['\n', '\r']).filter_map(command).collect()
}

#[test]
fn a_finding_is_an_annotation_at_its_object() {
    insta::assert_snapshot!(scan("oom-killed", "github"), @r#"
    all namespaces: 1 root cause; 1 of 1 workload fails
    ::error title=Deployment/web in cat-oom-killed%3A oom-killed,file=cluster/cat-oom-killed/Deployment/web::container app was killed at its memory limit of 32Mi (exit 137), 7 restarts%0Apods: 1 of 1 failing: web-6b46dcddd9-lt8jr%0Asince: 11 min ago%0Aevidence 1, status (15 s ago): terminated: OOMKilled (exit 137) after 0 s, 7 restarts, now CrashLoopBackOff%0Aevidence 2, spec: limits.memory: 32Mi%0Aeffect: Deployment/web in cat-oom-killed: Deployment web is unavailable: 0 of 1 pods are ready (deployment-unavailable)%0Afix (by rule): Raise the memory limit of container app to 64Mi
    "#);
}

#[test]
fn gaps_and_what_is_set_aside_are_named_before_the_findings() {
    let out = github::scan(&report(&plain)).unwrap();
    let titles: Vec<String> =
        read(&out).into_iter().map(|one| format!("{}: {}", one.level, one.properties[0].1)).collect();
    insta::assert_snapshot!(titles.join("\n"), @r#"
    error: aifix could not look at 2 things
    error: Deployment/web in shop on prod: oom-killed
    error: Deployment/web in shop on prod: crash-app-error
    error: Deployment/web in shop on prod: crash-app-error
    warning: aifix could not look at 2 things
    warning: Deployment/web on staging: crash-app-error
    notice: 4 findings set aside
    notice: Deployment/web in shop on prod: crash-dns
    "#);
    for line in [
        "not looked at: prod: pods: timed out; could hide node-not-ready\n",
        "set aside: Deployment/web in shop on prod: image-not-found (ignored: known, see the runbook)\n",
    ] {
        assert!(out.contains(line), "{line}{out}");
    }
}

#[test]
fn a_line_in_git_is_where_the_annotation_stands() {
    let all = read(&github::scan(&report(&plain)).unwrap());
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    assert!(all.iter().any(|one| one.properties[1..] == [pair("file", "apps/web.yaml"), pair("line", "12")]));
    assert!(all.iter().any(|one| one.properties[1..] == [pair("file", "cluster/shop/Deployment/web")]));
}

#[test]
fn what_a_runner_would_drop_is_named_in_plain_lines_the_worst_first() {
    let mut whole = report(&plain);
    (whole.set_aside, whole.findings) = (Vec::new(), Vec::new());
    whole.contexts.truncate(1);
    for n in 0..30 {
        let severity = if n == 29 { Severity::Critical } else { Severity::Error };
        let mut found = finding("oom-killed", severity, &plain);
        found.object.name = format!("web-{n}");
        whole.findings.push(ReportedFinding { context: "prod".into(), finding: found, source: None });
    }
    let out = github::scan(&whole).unwrap();
    let errors: Vec<String> =
        read(&out).into_iter().filter(|one| one.level == "error").map(|one| one.properties[0].1.clone()).collect();
    assert_eq!(errors.len(), 10);
    assert_eq!(errors[1], "Deployment/web-29 in shop: oom-killed", "the critical one comes first");
    let rest = out.split("21 more without an annotation, a step has 10 of each level:\n").nth(1).unwrap();
    assert_eq!(rest.lines().count(), 21);
    assert_eq!(rest.lines().last(), Some("  error: Deployment/web-28 in shop: oom-killed"));
}

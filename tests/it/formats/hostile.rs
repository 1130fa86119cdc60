//! Whatever a cluster says, every format stays whole and nothing in it is alive.

use super::{
    FORMATS, github as github_test, junit as junit_test, markdown as markdown_test, plain, report, sarif as sarif_test,
};
use crate::harness::{Sandbox, recorded};
use aifix::model::report::ScanReport;
use aifix::output::{github, json, junit, markdown, sarif, scan_text};
use aifix::text::is_invisible;
use aifix::ui::{Colour, Ui};
use serde_json::Value;

/// What must be nowhere: a token as GitHub makes them.
pub(super) const SECRET: &str = "ghp_0123456789abcdefABCDEF0123456789abcd";

/// Text that some reader of some format would act on.
pub(super) fn hostile() -> Vec<String> {
    let mut all: Vec<String> = [
        "\u{1b}[2J\u{1b}]8;;https://evil.example\u{7}\u{9b}31m",
        "]]></failure></testcase><testcase name=\"x\"/><![CDATA[",
        "\n::error file=a.rs,line=1::pwned\r\n::stop-commands::x\n",
        "::error title=x::pwned",
        ",file=/etc/passwd::%0A::warning::%0D%25",
        "##[error]x ##vso[task.setvariable variable=a]b",
        "@octocat #1 GH-1 octo/repo#2 a1b2c3d4e5 /lgtm",
        "\n/approve\n@team\n",
        "![i](https://evil.example/x.png)",
        "[a](https://evil.example) [b][c]\n\n[c]: https://evil.example",
        "https://evil.example www.evil.example <https://evil.example> me@evil.example",
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "--><b>x</b></code></summary></details><h1>",
        "```\n# heading\n~~~\n````",
        "`` ` ``` a ` b",
        "a | b \\| c \\\\| d |\n|---|",
        "**bold** _i_ ~~s~~ [^1] - [x] a\n1. b\n> q\n\n    code",
        "\u{202e}\u{2066}rtl\u{200b}\u{feff}\u{2028}\u{2029}\u{ad}\u{e0041}",
        "\u{0}\u{8}\u{b}\u{c}\u{7f}\u{85}\u{fffe}\u{ffff}\u{1fffe}\u{fdd0}",
        "&amp;&#64;&lt;&#x3c;b&gt; &quot;",
        "../../etc/passwd %2e%2e/ C:\\x file:///x",
        "",
        " ",
        "Z\u{301}\u{301}\u{301}\u{1f469}\u{200d}\u{1f4bb}",
    ]
    .map(str::to_owned)
    .into();
    all.push(format!("token {SECRET} end"));
    all.push(all.join(" "));
    all
}

fn text(report: &ScanReport) -> String {
    let mut page = Ui::new(Colour::Never, true).page();
    scan_text::write(&mut page, report, scan_text::View { width: 0, all: true, next: None });
    page.as_str().to_owned()
}

/// Every format of a report, read by its parser.
#[track_caller]
fn check(report: &ScanReport) -> Vec<(&'static str, String)> {
    let written = vec![
        ("text", text(report)),
        ("json", json::scan(report).unwrap()),
        ("sarif", sarif::scan(report).unwrap()),
        ("junit", junit::scan(report).unwrap()),
        ("github", github::scan(report).unwrap()),
        ("markdown", markdown::scan(report).unwrap()),
    ];
    assert!(written.iter().map(|(format, _)| *format).eq(FORMATS));
    for (format, out) in &written {
        let bad = out.chars().find(|c| *c != '\n' && (c.is_control() || is_invisible(*c)));
        assert_eq!(bad, None, "{format}: {out}");
        // Evidence is redacted where it is taken; the text shows it as it comes.
        assert!(*format == "text" || !out.contains(SECRET), "{format}: {out}");
        for line in out.lines() {
            assert!(!line.contains("##[") && !line.contains("##vso["), "{format}: {line}");
            assert!(*format == "github" || !line.trim_start().starts_with("::"), "{format}: {line}");
            // Bots obey what stands at the start of a comment's line, in a fence too.
            assert!(*format != "markdown" || !line.starts_with(['/', '@']), "{line}");
        }
    }
    let _: Value = serde_json::from_str(&written[1].1).unwrap();
    sarif_test::check(&written[2].1);
    junit_test::check(&written[3].1);
    markdown_test::check(&written[5].1);
    written
}

/// What a report looks like to its readers, without its words.
fn shape(report: &ScanReport) -> [Vec<String>; 3] {
    let keys = |one: &github_test::Annotation| one.properties.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    let annotations = github_test::read(&github::scan(report).unwrap());
    let annotations = annotations.iter().map(|one| format!("{} {}", one.level, keys(one).join(","))).collect();
    let read = markdown_test::check(&markdown::scan(report).unwrap());
    let tags = read.html.split('<').filter_map(|tag| tag.split(['>', ' ']).next()).map(str::to_owned).collect();
    [annotations, read.blocks, tags]
}

#[test]
fn nothing_foreign_is_alive_in_any_format() {
    let twin = shape(&report(&plain));
    for hostile in hostile() {
        for said in [&(|text: &str| format!("{hostile}{text}")) as &dyn Fn(&str) -> String, &|text: &str| {
            format!("{text}{hostile}")
        }] {
            let report = report(said);
            check(&report);
            assert_eq!(shape(&report), twin, "{hostile:?}");
        }
    }
}

#[test]
fn a_name_of_a_megabyte_does_not_make_a_report_of_many() {
    let long = "x`|<".repeat(1 << 18);
    let mut whole = report(&plain);
    let found = &mut whole.findings[0].finding;
    for field in [&mut found.object.name, &mut found.summary, &mut found.evidence[0].text, &mut found.fix.summary] {
        field.clone_from(&long);
    }
    whole.contexts[0].gaps[0].why.clone_from(&long);
    whole.set_aside[0].reason.clone_from(&long);
    for (format, out) in check(&whole) {
        // JSON is data: it is as long as what it tells.
        assert!(matches!(format, "json" | "text") || out.len() < 100_000, "{format}: {}", out.len());
    }
}

#[test]
fn a_hostile_recording_goes_through_the_binary() {
    let sandbox = Sandbox::new();
    let objects = std::fs::read_to_string(format!("{}/objects.json", recorded("crash-app-error.exit-2"))).unwrap();
    let list: Value = serde_json::from_str(&objects).unwrap();
    let name = "a\n::error::x]]><script>`|@t\u{202e}\u{1b}[2J";
    let hostile = list.to_string().replace("\"app\"", &Value::String(name.to_owned()).to_string());
    assert_ne!(hostile, list.to_string());
    sandbox.write("hostile.json", &hostile);
    for format in FORMATS {
        let code = if format == "sarif" { 0 } else { 1 };
        let out = sandbox.aifix(&["scan", "--from", "hostile.json", "-o", format]).exits(code).out;
        assert!(!out.contains('\u{1b}') && !out.contains('\u{202e}'), "{format}: {out}");
        match format {
            "json" => drop(serde_json::from_str::<Value>(&out).unwrap()),
            "sarif" => drop(sarif_test::check(&out)),
            "junit" => drop(junit_test::check(&out)),
            "markdown" => drop(markdown_test::check(&out)),
            "github" => assert!(github_test::read(&out).iter().all(|one| one.properties[0].0 == "title"), "{out}"),
            _ => assert!(!out.lines().any(|line| line.trim_start().starts_with("::")), "{out}"),
        }
    }
}

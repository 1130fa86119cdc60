//! The README is true: its commands run, its tables agree with the binary.

use crate::api_server::ApiServer;
use crate::harness::Sandbox;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// What the demo's failing container said.
const LOGS: &str = "== pod/cart-87fd685b-nsxs8 container=cart current\nstarting\n== pod/cart-87fd685b-nsxs8 container=cart --previous\nstarting\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The text of every block in a fence of this language.
pub(crate) fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let text = readme();
    let found: Vec<String> =
        text.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect();
    assert!(!found.is_empty(), "no block of {language}");
    found
}

/// The demo's recording, served by a local API server, and its repository in `work`.
pub(crate) fn shop() -> (Sandbox, ApiServer) {
    let demo = root().join("src/commands/demo");
    let snapshot: Value = serde_json::from_str(&fs::read_to_string(demo.join("snapshot.json")).unwrap()).unwrap();
    let mut objects = snapshot["items"].as_array().unwrap().clone();
    // The README also looks at a namespace that holds nothing.
    objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "billing"}}));
    let server = ApiServer::start(objects, LOGS, 500);
    let mut sandbox = Sandbox::new();
    let file = |name: &str| fs::read_to_string(demo.join("repository/apps").join(name)).unwrap();
    sandbox.repository(&[("apps/cart.yaml", &file("cart.yaml")), ("apps/landing.yaml", &file("landing.yaml"))]);
    sandbox.use_kubeconfig(&shop_config(&server));
    (sandbox, server)
}

/// A kubeconfig that leads to the shop.
pub(crate) fn shop_config(server: &ApiServer) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{}'}}}}]\n\
         users: [{{name: u, user: {{}}}}]\ncontexts: [{{name: prod, context: {{cluster: c, user: u, namespace: shop}}}}]\ncurrent-context: prod\n",
        server.port()
    )
}

/// The words of a command line without its comment and redirection.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap().split(" >").next().unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_shell_blocks_does_what_it_says() {
    let (sandbox, _server) = shop();
    let mut ran = 0;
    for line in blocks("sh").iter().flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()) {
        let words = words(&line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["cargo", "run", "--", "demo"] => {
                let demo = sandbox.aifix(&["demo", "--yes"]).exits(0);
                assert!(
                    demo.out.contains("What landed in the remote:") && demo.out.contains("+            memory: 64Mi"),
                    "{}",
                    demo.out
                );
            }
            ["cargo", "install", "--path", ".", "--locked"] => {}
            ["tests/run"] => assert!(root().join("tests/run").is_file()),
            ["aifix", rest @ ..] => {
                let found = sandbox.aifix_in("work", rest);
                // A scan that finds something exits 1; a push without a terminal is declined; -n billing is not there.
                assert!(matches!(found.code, 0 | 1 | 7), "`{line}` exits {}\n{}{}", found.code, found.out, found.err);
                assert!(!found.err.contains("unexpected argument"), "{}", found.err);
            }
            other => panic!("nobody knows how to test `{other:?}`"),
        }
        ran += 1;
    }
    assert!(ran >= 12, "{ran}");
}

#[test]
fn the_ci_recipes_are_yaml_whose_commands_parse() {
    let (sandbox, _server) = shop();
    let mut commands = Vec::new();
    for block in blocks("yaml") {
        let document = aifix::yaml::parse::document(&block).unwrap();
        collect(&document, &mut commands);
    }
    assert!(commands.len() >= 4, "{commands:?}");
    for line in commands {
        // Nothing is cloned here.
        let words = words(&line.replace("--repo https://git.example.com/team/shop.git", "--repo ."));
        let rest: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        let ran = sandbox.aifix_in("work", &rest);
        // The remote of the sandbox is a folder, and no forge.
        let no_forge = rest.contains(&"--pr") && ran.err.contains("nobody to ask for a pull request");
        assert!(matches!(ran.code, 0 | 1 | 7) || no_forge, "`{line}` exits {}\n{}{}", ran.code, ran.out, ran.err);
    }
}

/// Every string that is an aifix command, and the arguments of the Job.
fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) if text.starts_with("aifix ") => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(map) => {
            if let Some(Value::Array(args)) = map.get("args") {
                let args: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
                into.push(format!("aifix {}", args.join(" ")));
            }
            map.values().for_each(|item| collect(item, into));
        }
        _ => {}
    }
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_the_help() {
    let help = Sandbox::new().aifix(&["--help"]).exits(0).out;
    let rows: Vec<(String, String)> = readme()
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
            let code = cells.next()?;
            code.parse::<u8>().ok()?;
            Some((code.to_owned(), cells.next()?.to_owned()))
        })
        .collect();
    assert_eq!(rows.len(), 11);
    for (code, meaning) in rows {
        assert!(help.contains(&format!("{code:>5}  {meaning}")), "{code} {meaning}\n{help}");
    }
}

/// The name in a line of the list of commands; a wrapped line has none.
fn name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?;
    line.split_whitespace().next()
}

#[test]
fn every_command_is_in_the_readme() {
    let text = readme();
    let help = Sandbox::new().aifix(&["--help"]).exits(0).out;
    let commands = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    for name in commands.lines().filter_map(name).filter(|name| *name != "help") {
        assert!(text.contains(&format!("aifix {name}")) || text.contains(&format!("-- {name}")), "{name}");
    }
}

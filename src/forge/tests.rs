//! The room for forges: addresses, and which token goes where.

use super::{Branches, Forge, Host, Kind};
use crate::doors::http::{Http, Options};
use crate::repo::RepoUrl;
use crate::settings::environment::Environment;

fn resolved(remote: &str, variables: &[(&str, &str)], tables: &str) -> Host {
    let environment = Environment(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
    let tables: toml::Table = toml::from_str(tables).unwrap();
    Host::resolve(&RepoUrl::parse(remote).unwrap(), None, &environment, &tables).unwrap().unwrap()
}

fn forge(remote: &str, kind: Kind, tables: &str) -> Forge {
    let host = resolved(remote, &[], tables);
    Forge::new(Http::new(&Options::default()).unwrap(), kind, host, RepoUrl::parse(remote).unwrap().path()).unwrap()
}

#[test]
fn a_host_is_known_by_its_name_or_by_the_ci_server_that_runs_us() {
    let github = ("GITHUB_SERVER_URL", "https://git.example.com");
    for (remote, variables, want) in [
        ("git@github.com:o/r.git", vec![], Some(Kind::GitHub)),
        ("git@ssh.github.com:o/r.git", vec![], Some(Kind::GitHub)),
        ("https://acme.ghe.com/o/r", vec![], Some(Kind::GitHub)),
        ("https://gitlab.com/g/s/r", vec![], Some(Kind::GitLab)),
        ("ssh://git@codeberg.org/o/r", vec![], Some(Kind::Gitea)),
        ("https://git.example.com/o/r", vec![], None),
        ("https://git.example.com/o/r", vec![github], Some(Kind::GitHub)),
        ("https://git.example.com/o/r", vec![github, ("FORGEJO_ACTIONS", "true")], Some(Kind::Gitea)),
        ("https://git.example.com/o/r", vec![("CI_SERVER_URL", "https://git.example.com/gl")], Some(Kind::GitLab)),
        ("https://git.example.com.evil/o/r", vec![github], None),
        ("https://github.com.evil/o/r", vec![], None),
    ] {
        assert_eq!(resolved(remote, &variables, "").kind, want, "{remote} {variables:?}");
    }
}

#[test]
fn a_token_goes_to_the_host_that_it_belongs_to_and_to_no_other() {
    let all = [("GITHUB_TOKEN", "hub"), ("GITLAB_TOKEN", "lab")];
    for (remote, more, want) in [
        ("https://github.com/o/r", vec![], Some("GITHUB_TOKEN")),
        ("git@github.com:o/r", vec![], Some("GITHUB_TOKEN")),
        ("https://gitlab.com/o/r", vec![], Some("GITLAB_TOKEN")),
        ("https://git.example.com/o/r", vec![], None),
        ("https://github.com:8443/o/r", vec![], None),
        ("http://github.com/o/r", vec![], None),
        ("https://github.com.example.com/o/r", vec![], None),
        ("https://git.example.com/o/r", vec![("GITHUB_SERVER_URL", "https://git.example.com")], Some("GITHUB_TOKEN")),
        ("https://git.example.com/o/r", vec![("CI_SERVER_URL", "https://git.example.com")], Some("GITLAB_TOKEN")),
        ("http://git.example.com/o/r", vec![("CI_SERVER_URL", "https://git.example.com")], None),
        ("https://git.example.com:1/o/r", vec![("CI_SERVER_URL", "https://git.example.com")], None),
        ("https://github.com/o/r", vec![("AIFIX_FORGE_TOKEN", "own")], Some("AIFIX_FORGE_TOKEN")),
        ("https://git.example.com/o/r", vec![("AIFIX_FORGE_TOKEN", "own")], Some("AIFIX_FORGE_TOKEN")),
    ] {
        let host = resolved(remote, &[&all[..], &more].concat(), "");
        assert_eq!(host.can_sign_in().then_some(host.source.as_str()), want, "{remote} {more:?}");
    }
}

#[test]
fn the_table_of_one_host_says_nothing_of_another() {
    let tables = "['git.example.com']\nkind = 'forgejo'\nurl = 'https://web.example.com:8443/git'\ntoken = 'hunter2'\n";
    let host = resolved("git@git.example.com:o/r", &[], tables);
    assert_eq!((host.kind, host.can_sign_in()), (Some(Kind::Gitea), true));
    assert_eq!(host.base.as_str(), "https://web.example.com:8443/git");
    assert!(!format!("{host:?}").contains("hunter2"), "{host:?}");
    let other = resolved("git@other.example.com:o/r", &[], tables);
    assert_eq!((other.kind, other.can_sign_in(), other.base.as_str()), (None, false, "https://other.example.com/"));
}

#[test]
fn what_could_be_read_on_the_way_is_known() {
    assert!(resolved("http://git.example.com/o/r", &[], "").is_in_the_clear());
    for remote in ["https://git.example.com/o/r", "http://127.0.0.1:3000/o/r", "git@git.example.com:o/r"] {
        assert!(!resolved(remote, &[], "").is_in_the_clear(), "{remote}");
    }
}

#[test]
fn pages_and_forms_are_made_of_the_remote_alone() {
    let branches = Branches { head: "aifix/a?b#c/d", base: "release/1.2" };
    for (remote, kind, page, form) in [
        (
            "git@github.com:o/r.git",
            Kind::GitHub,
            "https://github.com/o/r/pull/7",
            "https://github.com/o/r/compare/release/1.2...aifix/a%3Fb%23c/d?expand=1",
        ),
        (
            "https://gitlab.com/g/sub/r.git",
            Kind::GitLab,
            "https://gitlab.com/g/sub/r/-/merge_requests/7",
            "https://gitlab.com/g/sub/r/-/merge_requests/new?merge_request%5Bsource_branch%5D=aifix%2Fa%3Fb%23c%2Fd&merge_request%5Btarget_branch%5D=release%2F1.2",
        ),
        (
            "https://me:hunter2@h.example:3000/git/o/r.git",
            Kind::Gitea,
            "https://h.example:3000/git/o/r/pulls/7",
            "https://h.example:3000/git/o/r/compare/release/1.2...aifix/a%3Fb%23c/d",
        ),
    ] {
        let forge = forge(remote, kind, "");
        assert_eq!((forge.address(7).as_str(), forge.form(branches).as_str()), (page, form));
    }
    let below = forge("git@h.example:gl/g/r", Kind::GitLab, "['h.example']\nurl = 'https://h.example/gl'\n");
    assert_eq!(below.address(7), "https://h.example/gl/g/r/-/merge_requests/7");
    let alike = forge("git@h.example:glx/g/r", Kind::GitLab, "['h.example']\nurl = 'https://h.example/gl'\n");
    assert_eq!(alike.address(7), "https://h.example/gl/glx/g/r/-/merge_requests/7");
}

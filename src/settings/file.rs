//! The user's file: `config.toml`.
#![expect(clippy::disallowed_methods, reason = "settings read the user's own file")]

use super::environment::Environment;
use super::flags::Personal;
use crate::error::Error;
use crate::text::{self, Sanitised};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What the file may say; its tables are read by the rooms that they are for.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Config {
    /// `[llm]`: url, model, api, keys, budgets, ca-file.
    pub llm: toml::Table,
    /// `[forge."git.example.com"]`: kind, url, token, ca-file.
    pub forge: toml::Table,
    /// `[pull-request]`.
    pub pull_request: PullRequests,
    /// `[redact]`.
    pub redact: Redact,
}

/// What is removed from all that is stored, sent or printed, besides secrets.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redact {
    /// `["emails", "addresses"]`.
    pub also: Vec<Personal>,
}

/// What pull requests are given. The user's file goes before the repository's.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PullRequests {
    pub labels: Option<Vec<String>>,
    /// Names of people; of teams as `group/team`.
    pub reviewers: Option<Vec<String>>,
}

const TABLES: [&str; 4] = ["llm", "forge", "pull-request", "redact"];

/// Reads `AIFIX_CONFIG`, else `$XDG_CONFIG_HOME/aifix/config.toml`; no file is an empty one.
///
/// # Errors
/// When it can't be read, is no TOML, or holds a table that is not known.
pub fn read(environment: &Environment) -> Result<Config, Error> {
    let named = environment.path("AIFIX_CONFIG");
    let Some(path) = named.clone().or_else(|| default_path(environment)) else { return Ok(Config::default()) };
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok(Config::default()),
        Err(error) => Err(Error::usage(format!("could not read `{}`", path.display())).caused_by(&error)),
    }
}

fn default_path(environment: &Environment) -> Option<PathBuf> {
    let folder = environment.path("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    Some(folder.or_else(|| Some(environment.home()?.join(".config")))?.join("aifix").join("config.toml"))
}

fn parse(path: &Path, text: &str) -> Result<Config, Error> {
    let shown = path.display();
    let table: toml::Table = toml::from_str(text)
        .map_err(|error| Error::usage(format!("`{shown}` is no TOML")).because(error.message().to_owned()))?;
    if let Some(unknown) = table.keys().find(|key| !TABLES.contains(&key.as_str())) {
        let error = Error::usage(format!("`{shown}` has an unknown table `{unknown}`"));
        return Err(match text::nearest(unknown, TABLES) {
            Some(nearest) => error.hint(format!("did you mean `[{nearest}]`?")),
            None => error.hint(format!("it may have {}", text::and(&TABLES.map(|name| format!("[{name}]"))))),
        });
    }
    if let Some(toml::Value::Table(own)) = table.get("pull-request") {
        known(own, "pull-request", &["labels", "reviewers"])?;
    }
    table
        .try_into()
        .map_err(|error: toml::de::Error| Error::usage(format!("`{shown}` can't be used")).because(error.message()))
}

/// Refuses a field that a table does not have, by its name and the nearest that it has.
///
/// # Errors
/// When there is one.
pub fn known(table: &toml::Table, name: &str, fields: &[&str]) -> Result<(), Error> {
    let Some(unknown) = table.keys().find(|key| !fields.contains(&key.as_str())) else { return Ok(()) };
    let shown = Sanitised::line(&text::clip(unknown, 40));
    let error = Error::usage(format!("the table [{name}] of your settings has an unknown field `{shown}`"));
    Err(match text::nearest(unknown, fields.iter().copied()) {
        Some(nearest) => error.hint(format!("did you mean `{nearest}`?")),
        None => error.hint(format!("it may have {}", text::and(fields))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_table_is_named_with_the_nearest() {
        let path = Path::new("config.toml");
        let error = parse(path, "[lml]\nurl = 'x'\n").unwrap_err();
        assert_eq!(error.hints, ["did you mean `[llm]`?"]);
        let labels = parse(path, "[pull-request]\nlabels = ['a']\n").unwrap().pull_request.labels;
        assert_eq!(labels, Some(vec!["a".to_owned()]));
        let error = parse(path, "[pull-request]\nlabel = 'a'\n").unwrap_err();
        assert_eq!(error.message, "the table [pull-request] of your settings has an unknown field `label`");
        assert_eq!(error.hints, ["did you mean `labels`?"]);
        assert_eq!(parse(path, "[llm]\nurl = 'x'\n").unwrap().llm["url"].as_str(), Some("x"));
        assert!(parse(path, "[llm\n").is_err());
        assert_eq!(parse(path, "[redact]\nalso = ['emails']\n").unwrap().redact.also, [Personal::Emails]);
        assert!(parse(path, "[redact]\nalso = ['names']\n").is_err());
    }
}

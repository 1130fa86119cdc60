//! Which model is asked, if any, and with which key.

use super::key::{ApiKey, Source};
use super::wire::{APIS, Api, Way};
use crate::doors::http::{self, Url};
use crate::error::Error;
use crate::settings::environment::Environment;
use crate::text;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// Time for all calls about one finding; one call may take half of it.
pub const TOGETHER: Duration = Duration::from_secs(120);

/// The version of Azure's API that is spoken, when the URL names none.
const AZURE: &str = "2024-10-21";

/// What was written down about the model in one place: the flags, or the table `[llm]` of the user's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Given {
    pub url: Option<String>,
    pub model: Option<String>,
    pub api: Option<String>,
    /// A file whose first line is the key.
    pub key_file: Option<PathBuf>,
    /// A program that prints the key, with its arguments.
    pub key_command: Option<Vec<String>>,
    /// Tokens that one run may use, prompts and answers together.
    pub budget_tokens: Option<u64>,
    /// Seconds for all calls about one finding.
    pub budget_seconds: Option<u64>,
    /// A file of certificates in PEM that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// The fields of [`Given`], as the user's file writes them.
pub const FIELDS: [&str; 8] =
    ["url", "model", "api", "key-file", "key-command", "budget-tokens", "budget-seconds", "ca-file"];

/// Which model is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where requests are posted; without user, password and fragment.
    pub url: Url,
    /// Empty: the server's own.
    pub model: String,
    pub key: Option<ApiKey>,
    /// Where the key is read from before the first send, when it is not known yet.
    pub key_from: Option<Source>,
    pub api: Api,
    /// The first way to ask; a client goes on to the next when the server refuses it.
    pub way: Way,
    /// Of one call.
    pub deadline: Duration,
    /// Of all calls about one finding.
    pub together: Duration,
    /// Tokens that a client may use.
    pub tokens: Option<u64>,
    pub ca_file: Option<PathBuf>,
}

impl Settings {
    /// Settings for a base URL such as `http://127.0.0.1:8080/v1`, of the protocol that its host is known for.
    ///
    /// # Errors
    /// As for [`Settings::of`].
    pub fn new(url: &str, model: &str, key: Option<ApiKey>) -> Result<Self, Error> {
        Self::of(url, model, key, None)
    }

    /// Settings for a base URL. What a protocol adds to it is added, unless it stands there already.
    ///
    /// # Errors
    /// When the text is no URL, or the URL holds credentials, or would carry a key unencrypted to another machine.
    pub fn of(url: &str, model: &str, key: Option<ApiKey>, api: Option<Api>) -> Result<Self, Error> {
        // NOTE: what was typed can hold a password, so it is not repeated.
        let wrong =
            |message: &str| Error::usage(message).hint("write it as `http://127.0.0.1:8080/v1` or `https://host/v1`");
        let mut url = Url::parse(url.trim()).map_err(|_| wrong("what was given as the URL of the model is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("the URL of the model must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("the URL of the model holds credentials").hint("put the key in AIFIX_LLM_API_KEY"));
        }
        url.set_fragment(None);
        let api = api.unwrap_or_else(|| Api::of_host(url.host_str().unwrap_or_default()));
        let model = model.trim().to_owned();
        complete(&mut url, api, &model)?;
        let settings = Self {
            url,
            model,
            key,
            key_from: None,
            api,
            way: api.ways().first().copied().unwrap_or(Way::Plain),
            deadline: TOGETHER / 2,
            together: TOGETHER,
            tokens: None,
            ca_file: None,
        };
        let has_key = settings.key.is_some();
        settings.encrypted(has_key)
    }

    /// Refuses to send a key to another machine unencrypted.
    fn encrypted(self, has_key: bool) -> Result<Self, Error> {
        if self.url.scheme() == "http" && has_key && !http::is_loopback(&self.url) {
            return Err(Error::usage("the key would go to the model unencrypted")
                .hint("write its URL as `https://host/v1`")
                .hint("use https, or go without a key"));
        }
        Ok(self)
    }

    /// What to use: flags go before the environment, that before the user's file. `None` when no URL is
    /// given anywhere: a key alone turns nothing on.
    ///
    /// # Errors
    /// When a value can't be used.
    pub fn resolve(flags: &Given, environment: &Environment, file: &Given) -> Result<Option<Self>, Error> {
        let text = |name: &str| environment.get(name).map(|value| value.to_string_lossy().into_owned());
        let pick = |flag: &Option<String>, name: &str, file: &Option<String>| {
            flag.clone().or_else(|| text(name)).or_else(|| file.clone()).filter(|value| !value.trim().is_empty())
        };
        let Some(url) = pick(&flags.url, "AIFIX_LLM_URL", &file.url) else { return Ok(None) };
        let api = pick(&flags.api, "AIFIX_LLM_API", &file.api).map(|name| named(&name)).transpose()?;
        let model = pick(&flags.model, "AIFIX_LLM_MODEL", &file.model).unwrap_or_default();
        let key = text("AIFIX_LLM_API_KEY").and_then(|key| ApiKey::new(&key));
        let mut settings = Self::of(&url, &model, key, api)?;
        // No shell has expanded what stands in a file.
        let at_home = |path: &PathBuf| match (path.strip_prefix("~"), environment.home()) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path.clone(),
        };
        settings.key_from = match (environment.path("AIFIX_LLM_KEY_FILE"), &file.key_file, &file.key_command) {
            _ if settings.key.is_some() => None,
            (Some(path), ..) => Some(Source::File(path)),
            (None, Some(_), Some(_)) => {
                return Err(Error::usage("the table [llm] of your settings names two places of the key")
                    .hint("keep one of `key-file` and `key-command`"));
            }
            (None, Some(path), None) => Some(Source::File(at_home(path))),
            (None, None, Some(words)) => Some(Source::Command(words.clone())),
            (None, None, None) => None,
        };
        if settings.key.is_none() && settings.key_from.is_none() && settings.url.scheme() == "https" {
            settings.key = settings.vendors_variable().and_then(text).and_then(|key| ApiKey::new(&key));
        }
        if (settings.is_openai() || settings.api == Api::Anthropic) && settings.model.is_empty() {
            let host = settings.url.host_str().unwrap_or_default();
            return Err(Error::usage(format!("{host} needs the name of a model")).hint("name one with `--llm-model`"));
        }
        settings.tokens = flags.budget_tokens.or(file.budget_tokens);
        if let Some(seconds) = flags.budget_seconds.or(file.budget_seconds) {
            settings.together = Duration::from_secs(seconds.clamp(1, 3_600));
            settings.deadline = settings.together / 2;
        }
        settings.ca_file = flags.ca_file.clone().or_else(|| file.ca_file.as_ref().map(at_home));
        let has_key = settings.key_from.is_some();
        settings.encrypted(has_key).map(Some)
    }

    /// A vendor's own variable goes to the vendor's own hosts and to nobody else.
    fn vendors_variable(&self) -> Option<&'static str> {
        let host = self.url.host_str().unwrap_or_default();
        match host {
            "api.openai.com" => Some("OPENAI_API_KEY"),
            "api.anthropic.com" => Some("ANTHROPIC_API_KEY"),
            "openrouter.ai" => Some("OPENROUTER_API_KEY"),
            host if Api::of_host(host) == Api::Azure => Some("AZURE_OPENAI_API_KEY"),
            _ => None,
        }
    }

    /// Whether it is OpenAI's own service.
    pub fn is_openai(&self) -> bool {
        self.url.host_str() == Some("api.openai.com")
    }

    /// `host:port`, what messages show.
    pub fn host(&self) -> String {
        http::host(&self.url)
    }
}

fn named(name: &str) -> Result<Api, Error> {
    Api::parse(name).ok_or_else(|| {
        let error = Error::usage(format!("there is no API `{}` for models", text::clip(name, 40)));
        match text::nearest(name, APIS) {
            Some(nearest) => error.hint(format!("did you mean `{nearest}`?")),
            None => error.hint(format!("it may be {}: most servers know `openai`", text::or(&APIS))),
        }
    })
}

/// Adds to a base URL what its protocol posts to.
fn complete(url: &mut Url, api: Api, model: &str) -> Result<(), Error> {
    let path = url.path().trim_end_matches('/').to_owned();
    let end = if api == Api::Anthropic { "/messages" } else { "/chat/completions" };
    let is_deployment = |url: &Url| url.path().contains("/openai/deployments/");
    let is_whole = path.ends_with(end);
    if !is_whole && api == Api::Azure && !is_deployment(url) && !path.ends_with("/openai/v1") {
        if model.is_empty() {
            return Err(Error::usage("Azure needs the name of a deployment").hint("name it with `--llm-model`"));
        }
        url.set_path(path.trim_end_matches("/openai"));
        if let Ok(mut steps) = url.path_segments_mut() {
            steps.pop_if_empty().extend(["openai", "deployments", model, "chat", "completions"]);
        }
    } else if !is_whole {
        let base = if path.is_empty() { "/v1" } else { &path };
        url.set_path(&format!("{base}{end}"));
    }
    if api == Api::Azure && is_deployment(url) && url.query_pairs().all(|(name, _)| name != "api-version") {
        url.query_pairs_mut().append_pair("api-version", AZURE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    fn resolved(flag: Option<&str>, pairs: &[(&str, &str)]) -> Option<Settings> {
        let flags = Given { url: flag.map(str::to_owned), ..Given::default() };
        Settings::resolve(&flags, &environment(pairs), &Given::default()).unwrap()
    }

    #[test]
    fn a_key_alone_turns_nothing_on() {
        assert_eq!(
            resolved(None, &[("AIFIX_LLM_API_KEY", "k"), ("OPENAI_API_KEY", "k"), ("AIFIX_LLM_MODEL", "m")]),
            None
        );
    }

    #[test]
    fn the_key_of_a_vendor_goes_to_that_vendor_alone() {
        let vendors = [
            ("OPENAI_API_KEY", "https://api.openai.com/v1"),
            ("ANTHROPIC_API_KEY", "https://api.anthropic.com"),
            ("AZURE_OPENAI_API_KEY", "https://shop.openai.azure.com"),
            ("OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
        ];
        let others = ["https://api.openai.com.example.org/v1", "http://127.0.0.1:1", "http://api.openai.com/v1"];
        for (name, own) in vendors {
            let pairs = [(name, "k"), ("AIFIX_LLM_MODEL", "m")];
            for url in vendors.iter().map(|(_, url)| *url).chain(others) {
                assert_eq!(resolved(Some(url), &pairs).unwrap().key.is_some(), url == own, "{name} to {url}");
            }
        }
    }

    #[test]
    fn a_key_has_one_place_and_is_not_read_before_it_is_needed() {
        let of = |pairs: &[(&str, &str)], file: Given| {
            let flags = Given { url: Some("http://127.0.0.1:1".into()), ..Given::default() };
            Settings::resolve(&flags, &environment(pairs), &file).map(|s| s.unwrap()).map(|s| (s.key, s.key_from))
        };
        let file = || Given { key_file: Some("/f".into()), ..Given::default() };
        let command = || Given { key_command: Some(vec!["pass".into()]), ..Given::default() };
        assert_eq!(of(&[("AIFIX_LLM_API_KEY", "k")], file()).unwrap(), (ApiKey::new("k"), None));
        assert_eq!(of(&[("AIFIX_LLM_KEY_FILE", "/e")], file()).unwrap(), (None, Some(Source::File("/e".into()))));
        assert_eq!(of(&[], file()).unwrap(), (None, Some(Source::File("/f".into()))));
        let at_home = Given { key_file: Some("~/keys/llm".into()), ..Given::default() };
        assert_eq!(of(&[("HOME", "/h")], at_home).unwrap().1, Some(Source::File("/h/keys/llm".into())));
        assert_eq!(of(&[], command()).unwrap(), (None, Some(Source::Command(vec!["pass".into()]))));
        let both = Given { key_command: command().key_command, ..file() };
        assert!(of(&[], both).unwrap_err().message.contains("two places"));
        let flags = Given { url: Some("http://h/v1".into()), ..Given::default() };
        let error = Settings::resolve(&flags, &environment(&[]), &file()).unwrap_err();
        assert_eq!(error.message, "the key would go to the model unencrypted");
    }

    #[test]
    fn a_budget_of_seconds_is_for_one_finding_and_half_of_it_for_one_call() {
        let flags = Given { url: Some("http://127.0.0.1:1".into()), budget_seconds: Some(30), ..Given::default() };
        let file = Given { budget_tokens: Some(9_000), budget_seconds: Some(600), ..Given::default() };
        let of = |flags: &Given| Settings::resolve(flags, &environment(&[]), &file).unwrap().unwrap();
        let settings = of(&flags);
        assert_eq!((settings.together.as_secs(), settings.deadline.as_secs(), settings.tokens), (30, 15, Some(9_000)));
        let flags = Given { budget_seconds: None, budget_tokens: Some(5), ..flags };
        assert_eq!((of(&flags).together.as_secs(), of(&flags).tokens), (600, Some(5)));
    }

    #[test]
    fn every_field_of_the_table_is_listed() {
        let all = "url='u'\nmodel='m'\napi='a'\nkey-file='f'\nkey-command=['c']\nbudget-tokens=1\nbudget-seconds=1\nca-file='c'\n";
        let table: toml::Table = toml::from_str(all).unwrap();
        assert!(FIELDS.iter().all(|field| table.contains_key(*field)) && table.len() == FIELDS.len());
        Given::deserialize(table).unwrap();
    }

    #[test]
    fn flags_go_before_the_environment_and_that_before_the_file() {
        let file = Given { url: Some("http://127.0.0.1:3".into()), model: Some("f".into()), ..Given::default() };
        let typed = Given { url: Some("http://127.0.0.1:1".into()), ..Given::default() };
        let env = environment(&[("AIFIX_LLM_URL", "http://127.0.0.1:2"), ("AIFIX_LLM_MODEL", "e")]);
        let of = |flags: &Given, env: &Environment| {
            Settings::resolve(flags, env, &file).unwrap().map(|s| (s.url.port(), s.model)).unwrap()
        };
        assert_eq!(of(&typed, &env), (Some(1), "e".to_owned()));
        assert_eq!(of(&Given::default(), &env), (Some(2), "e".to_owned()));
        assert_eq!(of(&Given::default(), &environment(&[])), (Some(3), "f".to_owned()));
    }

    #[test]
    fn requests_go_below_the_base_that_was_given() {
        for (given, want) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/chat/completions"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1/chat/completions"),
            ("https://h/api/v1/", "https://h/api/v1/chat/completions"),
            ("https://h/x/chat/completions?api-version=1#a", "https://h/x/chat/completions?api-version=1"),
            ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
            ("https://api.anthropic.com/v1/", "https://api.anthropic.com/v1/messages"),
            ("https://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1/messages"),
        ] {
            assert_eq!(Settings::new(given, "", None).unwrap().url.as_str(), want);
        }
        let anthropic = Settings::of("http://127.0.0.1:1", "", None, Some(Api::Anthropic)).unwrap();
        assert_eq!(anthropic.url.path(), "/v1/messages");
    }

    #[test]
    fn azure_is_asked_below_its_deployment() {
        const OWN: &str =
            "https://shop.openai.azure.com/openai/deployments/gpt%2Fx/chat/completions?api-version=2024-10-21";
        for given in ["https://shop.openai.azure.com", "https://shop.openai.azure.com/openai/"] {
            assert_eq!(Settings::new(given, "gpt/x", None).unwrap().url.as_str(), OWN, "{given}");
        }
        for (given, want) in [
            (
                "https://a.openai.azure.com/openai/deployments/d?api-version=1",
                "https://a.openai.azure.com/openai/deployments/d/chat/completions?api-version=1",
            ),
            ("https://a.openai.azure.com/openai/v1", "https://a.openai.azure.com/openai/v1/chat/completions"),
        ] {
            assert_eq!(Settings::new(given, "m", None).unwrap().url.as_str(), want);
        }
        let behind = Settings::of("https://gate.example.org/ai", "d", None, Some(Api::Azure)).unwrap();
        assert_eq!(behind.url.path(), "/ai/openai/deployments/d/chat/completions");
        assert!(Settings::new("https://a.openai.azure.com", "", None).unwrap_err().message.contains("deployment"));
    }

    #[test]
    fn a_url_that_would_leak_is_refused_without_repeating_it() {
        let key = || ApiKey::new("sk-local");
        for (given, key) in [
            ("https://me:hunter2@h/v1", None),
            ("ftp://hunter2/", None),
            ("hunter2", None),
            ("http://llm.example.org/v1?x=hunter2", key()),
        ] {
            let error = Settings::new(given, "", key).unwrap_err();
            assert_eq!(error.kind, Kind::Usage);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        assert!(Settings::new("http://127.0.0.1:1/v1", "", key()).is_ok());
    }

    #[test]
    fn text_that_is_no_url_is_called_that() {
        let error = Settings::new("notaurl", "", None).unwrap_err();
        assert_eq!(error.message, "what was given as the URL of the model is no URL");
        assert!(error.hints[0].contains("http://127.0.0.1:8080/v1"), "{error:?}");
    }

    #[test]
    fn a_key_does_not_print_itself() {
        let settings = Settings::new("https://h/v1", "m", ApiKey::new(" sk-abc \n")).unwrap();
        let printed = format!("{settings:?} {}", settings.key.clone().unwrap());
        assert!(printed.contains("***") && !printed.contains("sk-abc"), "{printed}");
    }

    #[test]
    fn another_api_is_refused_by_name() {
        let of = |api: &str| {
            let flags = Given { url: Some("http://127.0.0.1:1".into()), api: Some(api.into()), ..Given::default() };
            Settings::resolve(&flags, &environment(&[("AIFIX_LLM_MODEL", "m")]), &Given::default())
        };
        assert_eq!(of("anthropic").unwrap().unwrap().api, Api::Anthropic);
        let error = of("antropic").unwrap_err();
        assert_eq!(error.message, "there is no API `antropic` for models");
        assert_eq!(error.hints, ["did you mean `anthropic`?"]);
    }
}

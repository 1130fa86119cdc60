//! Which model is asked, if any, and with which key.

use crate::doors::http::{self, Url};
use crate::error::Error;
use crate::settings::environment::Environment;
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How long one call may take.
pub const CALL: Duration = Duration::from_secs(60);

/// A key that cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key as it was read; blanks around it are dropped. `None` for an empty one.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The key, for the one header that carries it.
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The protocol of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Chat completions with a JSON Schema as `response_format`.
    OpenAi,
}

/// What was written down about the model in one place: the flags, or the table `[llm]` of the user's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Given {
    pub url: Option<String>,
    pub model: Option<String>,
    pub api: Option<String>,
    /// A file of certificates in PEM that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// Which model is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where requests are posted; without user, password and fragment.
    pub url: Url,
    /// Empty: the server's own.
    pub model: String,
    pub key: Option<ApiKey>,
    pub api: Api,
    /// Of one call.
    pub deadline: Duration,
    pub ca_file: Option<PathBuf>,
}

impl Settings {
    /// Settings for a base URL such as `http://127.0.0.1:8080/v1`. A URL without a path gets `/v1`; one
    /// that ends in `/chat/completions` is taken as it is.
    ///
    /// # Errors
    /// When the text is no URL, or the URL holds credentials, or would carry a key unencrypted to another machine.
    pub fn new(url: &str, model: &str, key: Option<ApiKey>) -> Result<Self, Error> {
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
        if url.scheme() == "http" && key.is_some() && !http::is_loopback(&url) {
            return Err(
                wrong("the key would go to the model unencrypted").hint("use https, or go without AIFIX_LLM_API_KEY")
            );
        }
        url.set_fragment(None);
        let path = url.path().trim_end_matches('/').to_owned();
        if !path.ends_with("/chat/completions") {
            let base = if path.is_empty() { "/v1" } else { &path };
            url.set_path(&format!("{base}/chat/completions"));
        }
        Ok(Self { url, model: model.trim().to_owned(), key, api: Api::OpenAi, deadline: CALL, ca_file: None })
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
        match pick(&flags.api, "AIFIX_LLM_API", &file.api).as_deref() {
            None | Some("openai") => {}
            Some(other) => {
                return Err(Error::usage(format!("there is no API `{}` for models", crate::text::clip(other, 40)))
                    .hint("set AIFIX_LLM_API to `openai`, the default: most servers know it"));
            }
        }
        let model = pick(&flags.model, "AIFIX_LLM_MODEL", &file.model).unwrap_or_default();
        let own = text("AIFIX_LLM_API_KEY").and_then(|key| ApiKey::new(&key));
        let mut settings = Self::new(&url, &model, own)?;
        // A key of OpenAI goes to OpenAI and to nobody else.
        if settings.key.is_none() && settings.is_openai() && settings.url.scheme() == "https" {
            settings.key = text("OPENAI_API_KEY").and_then(|key| ApiKey::new(&key));
        }
        if settings.is_openai() && settings.model.is_empty() {
            return Err(Error::usage("api.openai.com needs the name of a model").hint("name one with `--llm-model`"));
        }
        settings.ca_file = flags.ca_file.clone().or_else(|| file.ca_file.clone());
        Ok(Some(settings))
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
    fn the_key_of_openai_goes_to_openai_alone() {
        let pairs = [("OPENAI_API_KEY", "k"), ("AIFIX_LLM_MODEL", "m")];
        assert!(resolved(Some("https://api.openai.com/v1"), &pairs).unwrap().key.is_some());
        for other in ["https://api.openai.com.example.org/v1", "http://127.0.0.1:1", "http://api.openai.com/v1"] {
            assert_eq!(resolved(Some(other), &pairs).unwrap().key, None, "{other}");
        }
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
        ] {
            assert_eq!(Settings::new(given, "", None).unwrap().url.as_str(), want);
        }
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
        let flags = Given { url: Some("http://127.0.0.1:1".into()), api: Some("anthropic".into()), ..Given::default() };
        let error = Settings::resolve(&flags, &environment(&[]), &Given::default()).unwrap_err();
        assert_eq!(error.message, "there is no API `anthropic` for models");
    }
}

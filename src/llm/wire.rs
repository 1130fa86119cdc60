//! The two formats of model servers, told apart.

use super::answer::{Shape, Usage};
use super::failure::Failure;
use super::settings::Settings;
use super::{anthropic, openai};

/// The protocol of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// Chat completions.
    OpenAi,
    /// The same, with the paths and the header of Azure.
    Azure,
    /// Messages.
    Anthropic,
}

/// Names of the protocols, as they are typed.
pub(super) const APIS: [&str; 3] = ["openai", "azure", "anthropic"];

impl Api {
    /// The protocol of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::OpenAi, Self::Azure, Self::Anthropic].into_iter().find(|api| api.name() == name)
    }

    /// The protocol that a host is known for; most servers know OpenAI's.
    pub fn of_host(host: &str) -> Self {
        match host {
            "api.anthropic.com" => Self::Anthropic,
            host if host.ends_with(".openai.azure.com") || host.ends_with(".cognitiveservices.azure.com") => {
                Self::Azure
            }
            _ => Self::OpenAi,
        }
    }

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Azure => "azure",
            Self::Anthropic => "anthropic",
        }
    }

    /// How its servers can be held to a shape, the best way first.
    pub fn ways(self) -> &'static [Way] {
        match self {
            Self::OpenAi | Self::Azure => &[Way::Schema, Way::Object, Way::Tool, Way::Plain],
            Self::Anthropic => &[Way::Tool, Way::Plain],
        }
    }
}

/// How a server is held to the shape of an answer. None is believed: every answer is read alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By a JSON Schema that the server enforces.
    Schema,
    /// By its mode for JSON; the prompt tells the shape.
    Object,
    /// By the one tool that the model must call.
    Tool,
    /// By the prompt alone.
    Plain,
}

impl Way {
    /// As records and the cache name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Schema => "json-schema",
            Self::Object => "json-object",
            Self::Tool => "tool",
            Self::Plain => "plain",
        }
    }

    /// The way of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Schema, Self::Object, Self::Tool, Self::Plain].into_iter().find(|way| way.name() == name)
    }

    /// The next way that a server of this protocol may know.
    pub fn next(self, api: Api) -> Option<Self> {
        let ways = api.ways();
        let at = ways.iter().position(|way| *way == self)?;
        ways.get(at + 1).copied()
    }

    /// Whether a server's refusal of a request says that it does not know this way.
    pub(super) fn is_refused_by(self, code: u16, said: &str) -> bool {
        let words: &[&str] = match self {
            Self::Schema => &["response_format", "json_schema", "schema", "structured", "grammar"],
            Self::Object => &["response_format", "json_object", "json mode"],
            Self::Tool => &["tool", "function"],
            Self::Plain => &[],
        };
        let said = said.to_lowercase();
        matches!(code, 400 | 404 | 422 | 500 | 501) && words.iter().any(|word| said.contains(word))
    }

    /// Whether the prompt must tell the shape.
    fn is_told(self) -> bool {
        matches!(self, Self::Object | Self::Plain)
    }
}

/// What is said to a model, before a format makes a request of it.
pub(super) struct Words<'w> {
    pub(super) system: &'w str,
    pub(super) user: &'w str,
    pub(super) shape: &'w Shape,
}

/// What a server answered with: the model's text, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) text: Result<String, Failure>,
    pub(super) model: String,
    pub(super) usage: Usage,
}

/// The body of a request.
pub(super) fn body(settings: &Settings, way: Way, words: &Words<'_>) -> Vec<u8> {
    let told;
    let words = if way.is_told() {
        told = format!("{} The object has this JSON Schema: {}", words.system, words.shape.outline());
        &Words { system: &told, ..*words }
    } else {
        words
    };
    let body = match settings.api {
        Api::OpenAi | Api::Azure => openai::body(settings, way, words),
        Api::Anthropic => anthropic::body(settings, way, words),
    };
    body.to_string().into_bytes()
}

/// Headers besides those of JSON.
pub(super) fn headers(settings: &Settings) -> Vec<(&'static str, String)> {
    match settings.api {
        Api::OpenAi | Api::Azure => openai::headers(settings),
        Api::Anthropic => anthropic::headers(settings),
    }
}

/// Reads an answer with a status of 2xx.
///
/// # Errors
/// For bytes that no server of this protocol answers with.
pub(super) fn read(api: Api, bytes: &[u8]) -> Result<Reply, Failure> {
    match api {
        Api::OpenAi | Api::Azure => openai::read(bytes),
        Api::Anthropic => anthropic::read(bytes),
    }
}

/// What an envelope that can't be read comes to.
pub(super) fn unread(bytes: &[u8], error: &serde_json::Error) -> Failure {
    if error.is_eof() && bytes.starts_with(b"{") {
        Failure::HalfJson(String::from_utf8_lossy(bytes).into_owned())
    } else {
        Failure::Garbled(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_by_its_whole_name() {
        assert_eq!(Api::of_host("api.anthropic.com"), Api::Anthropic);
        assert_eq!(Api::of_host("shop.openai.azure.com"), Api::Azure);
        for other in ["api.openai.com", "api.anthropic.com.example.org", "openai.azure.com.example.org", "127.0.0.1"] {
            assert_eq!(Api::of_host(other), Api::OpenAi, "{other}");
        }
        for name in APIS {
            assert_eq!(Api::parse(name).map(Api::name), Some(name));
        }
    }

    #[test]
    fn a_refusal_of_the_way_is_told_from_any_other() {
        for (way, code, said) in [
            (Way::Schema, 400, "This model does not support response_format json_schema"),
            (Way::Schema, 400, "Unable to generate parser for this template. JSON schema error at #"),
            (Way::Object, 422, "response_format: extra fields not permitted"),
            (Way::Tool, 400, "llama2 does not support tools"),
            (Way::Tool, 404, "No endpoints found that support tool use"),
        ] {
            assert!(way.is_refused_by(code, said), "{said}");
        }
        for (way, code, said) in [
            (Way::Schema, 400, "prompt is too long"),
            (Way::Schema, 401, "response_format"),
            (Way::Plain, 400, "response_format"),
        ] {
            assert!(!way.is_refused_by(code, said), "{said}");
        }
    }

    #[test]
    fn every_way_is_followed_by_a_plainer_one_until_the_prompt_alone_is_left() {
        for api in [Api::OpenAi, Api::Azure, Api::Anthropic] {
            let all: Vec<Way> = std::iter::successors(api.ways().first().copied(), |way| way.next(api)).collect();
            assert_eq!(all, api.ways());
            assert_eq!(all.last(), Some(&Way::Plain));
        }
        assert_eq!(Way::Schema.next(Api::Anthropic), None);
        for way in Api::OpenAi.ways() {
            assert_eq!(Way::parse(way.name()), Some(*way));
        }
    }
}

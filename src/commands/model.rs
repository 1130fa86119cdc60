//! The flags of a model, and the consent before the first send.

use super::Session;
use crate::error::{Error, Kind};
use crate::fix::model::{Case, Use, serves};
use crate::llm::{Client, Settings, consent, settings::Given};
use crate::model::finding::Finding;
use crate::model::snapshot::Snapshot;
use crate::settings::file;
use crate::ui::Paint;
use clap::{Args, ValueEnum};
use serde::Deserialize;

/// Which model is asked, and when.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "A model (off until one is configured)")]
pub struct ModelArgs {
    /// When a model is asked: where rules decide nothing, always, or never
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub llm: When,

    /// Base URL of an OpenAI-compatible server [env: AIFIX_LLM_URL; the key comes from AIFIX_LLM_API_KEY]
    #[arg(long, value_name = "URL")]
    pub llm_url: Option<String>,

    /// Name of the model [env: AIFIX_LLM_MODEL]
    #[arg(long, value_name = "NAME")]
    pub llm_model: Option<String>,

    /// Print the request that would be sent, byte for byte, and send nothing
    #[arg(long)]
    pub show_prompt: bool,
}

/// When a model is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    #[default]
    Auto,
    Always,
    Never,
}

impl ModelArgs {
    /// The configured model, `None` when there is none or it is never asked.
    pub(super) fn settings(&self, session: &Session) -> Result<Option<Settings>, Error> {
        if self.llm == When::Never {
            return Ok(None);
        }
        let flags = Given { url: self.llm_url.clone(), model: self.llm_model.clone(), ..Given::default() };
        let table = file::read(&session.environment)?.llm;
        let given = Given::deserialize(table).map_err(|error| {
            Error::usage("the table [llm] of the user's file can't be used").because(error.message())
        })?;
        let settings = Settings::resolve(&flags, &session.environment, &given)?;
        if settings.is_none() && (self.llm == When::Always || self.show_prompt) {
            return Err(Error::usage("no model is configured").hint("name its server with --llm-url or AIFIX_LLM_URL"));
        }
        Ok(settings)
    }

    /// For which findings it is asked.
    pub(super) fn use_for(&self) -> Use {
        if self.llm == When::Always { Use::Always } else { Use::Crashes }
    }

    /// A client, after a person agreed to the host. `None` when no finding needs a model.
    pub(super) async fn client(
        &self,
        settings: Option<Settings>,
        snapshot: &Snapshot,
        findings: &[Finding],
        session: &Session,
    ) -> Result<Option<Client>, Error> {
        let Some(settings) = settings else { return Ok(None) };
        let Some(first) = findings.iter().find(|finding| serves(finding, self.use_for())) else { return Ok(None) };
        let leaves = Case::new(snapshot, first, &[]).prompt(&settings).leaves();
        let agreed = agree(&settings, &leaves, session).await?;
        Client::new(settings, &session.environment.0, &agreed).map(Some)
    }
}

/// The hosts that evidence may go to; asks once for a new one, showing what would leave.
pub(super) async fn agree(
    settings: &Settings,
    leaves: &str,
    session: &Session,
) -> Result<std::collections::BTreeSet<String>, Error> {
    let file = consent::file(&session.environment)?;
    let mut agreed = consent::remembered(&file)?;
    let Some(host) = consent::consent_needed(&settings.url, &agreed) else { return Ok(agreed) };
    if !session.ui.can_ask() {
        return Ok(agreed);
    }
    let mut page = session.ui.page();
    page.put(Paint::Yellow, format_args!("This would be sent to {host}:")).end();
    for line in leaves.lines() {
        page.put(Paint::Plain, "  ").foreign(Paint::Plain, line).end();
    }
    session.ui.print(page.as_str())?;
    if !session.ui.confirm(&format!("May evidence like this be sent to {host}, now and later?")).await {
        return Err(
            Error::new(Kind::Declined, format!("nothing was sent to {host}")).hint("go without a model: --llm never")
        );
    }
    consent::remember(&file, &host)?;
    agreed.insert(host.to_string());
    Ok(agreed)
}

//! The flags of a model, and the consent before the first send.

use super::Session;
use crate::error::{Error, Kind};
use crate::fix::model::{Case, Use, serves};
use crate::llm::settings::{FIELDS, Given};
use crate::llm::{Client, Counsel, Memory, Settings, consent};
use crate::model::finding::Finding;
use crate::model::snapshot::Snapshot;
use crate::settings::{file, resolve};
use crate::ui::Paint;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::collections::BTreeSet;

/// Which model is asked, and when.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "A model (off until one is configured)")]
pub struct ModelArgs {
    /// When a model is asked: where rules decide nothing, always, or never
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub llm: When,

    /// Base URL of a model server [env: AIFIX_LLM_URL; the key comes from AIFIX_LLM_API_KEY or a file]
    #[arg(long, value_name = "URL")]
    pub llm_url: Option<String>,

    /// Name of the model [env: AIFIX_LLM_MODEL]
    #[arg(long, value_name = "NAME")]
    pub llm_model: Option<String>,

    /// Its protocol: openai (most servers know it), azure or anthropic [default: by its host; env: AIFIX_LLM_API]
    #[arg(long, value_name = "API")]
    pub llm_api: Option<String>,

    /// Tokens that this run may use, prompts and answers together [default: no limit]
    #[arg(long, value_name = "N")]
    pub llm_budget_tokens: Option<u64>,

    /// Seconds for all calls about one finding [default: 120]
    #[arg(long, value_name = "N")]
    pub llm_budget_seconds: Option<u64>,

    /// Ask the model anew, also where its answer is remembered; how it is asked best is found out anew, too
    #[arg(long)]
    pub no_cache: bool,

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
        let flags = Given {
            url: self.llm_url.clone(),
            model: self.llm_model.clone(),
            api: self.llm_api.clone(),
            budget_tokens: self.llm_budget_tokens,
            budget_seconds: self.llm_budget_seconds,
            ..Given::default()
        };
        let table = file::read(&session.environment)?.llm;
        file::known(&table, "llm", &FIELDS)?;
        let given = Given::deserialize(table)
            .map_err(|error| Error::usage("the table [llm] of your settings can't be used").because(error.message()))?;
        let mut settings = Settings::resolve(&flags, &session.environment, &given)?;
        if let Some(settings) = &mut settings
            && let Some(way) = self.memory(session).way(settings)
        {
            settings.way = way;
        }
        if settings.is_none() && (self.llm == When::Always || self.show_prompt) {
            return Err(Error::usage("no model is configured").hint("name its server with --llm-url or AIFIX_LLM_URL"));
        }
        Ok(settings)
    }

    /// What is remembered of servers; nothing where there is no folder for it.
    fn memory(&self, session: &Session) -> Memory {
        let folder = resolve::cache_folder(&session.environment).map(|folder| folder.join("llm"));
        folder.map(|folder| Memory::new(folder, !self.no_cache)).unwrap_or_default()
    }

    /// A client for a host that was agreed to. The key is read here, not before: what is only shown needs none.
    pub(super) async fn connect(
        &self,
        mut settings: Settings,
        agreed: &BTreeSet<String>,
        session: &Session,
    ) -> Result<Client, Error> {
        if let Some(source) = settings.key_from.take() {
            let read = source.read(&session.environment).await?;
            if let Some(warning) = &read.warning {
                session.ui.warn(warning);
            }
            settings.key = Some(read.key);
        }
        Ok(Client::new(settings, &session.environment.0, agreed)?.remembering(self.memory(session)))
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
        counsel: impl Fn(&Finding) -> Counsel,
        session: &Session,
    ) -> Result<Option<Client>, Error> {
        let Some(settings) = settings else { return Ok(None) };
        let Some(first) = findings.iter().find(|finding| serves(finding, self.use_for())) else { return Ok(None) };
        let leaves = Case::new(snapshot, first, &[]).advised(&counsel(first)).prompt(&settings).leaves();
        let agreed = agree(&settings, &leaves, session).await?;
        self.connect(settings, &agreed, session).await.map(Some)
    }
}

/// The hosts that evidence may go to; asks once for a new one, showing what would leave.
pub(super) async fn agree(settings: &Settings, leaves: &str, session: &Session) -> Result<BTreeSet<String>, Error> {
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

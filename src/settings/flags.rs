//! Flags that several commands share, as they are typed.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Deserialize;
use std::path::PathBuf;

/// Where to look: a cluster, or a recorded snapshot.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Where to look")]
pub struct LookArgs {
    /// Namespace to look at; may be repeated [default: the context's]
    #[arg(short, long = "namespace", value_name = "NAME")]
    pub namespaces: Vec<String>,

    /// Look at all namespaces
    #[arg(short = 'A', long, conflicts_with = "namespaces")]
    pub all_namespaces: bool,

    /// Only what has these labels, itself or its pods (kubectl's syntax)
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    pub selector: Option<String>,

    /// Kubeconfig context to use; scan reads several, repeat it [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub context: Vec<String>,

    /// Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// User to impersonate
    #[arg(long = "as", value_name = "USER")]
    pub as_user: Option<String>,

    /// Group to impersonate; may be repeated
    #[arg(long = "as-group", value_name = "GROUP", requires = "as_user")]
    pub as_groups: Vec<String>,

    /// Also list names and key names of Secrets, never a value; it needs the right to list them
    #[arg(long)]
    pub read_secret_keys: bool,

    /// How long one request may take: 10s, 500ms, 1m
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub request_timeout: std::time::Duration,

    /// Remove these too, besides secrets, from all that is stored, sent or printed
    #[arg(long, value_enum, value_delimiter = ',', value_name = "KINDS")]
    pub redact: Vec<Personal>,

    /// Read a recorded snapshot instead of a cluster: a file, or a folder with objects.json
    #[arg(long, value_name = "FILE|FOLDER", conflicts_with_all = ["context", "kubeconfig", "as_user"])]
    pub from: Option<PathBuf>,

    /// Clock of the snapshot, RFC 3339
    #[arg(long, value_name = "TIME", requires = "from", value_parser = moment)]
    pub at: Option<Timestamp>,
}

impl LookArgs {
    /// The flags that say where to look, as they are typed, with the namespace of an object when one is needed.
    pub fn typed(&self, namespace: Option<&str>) -> Vec<String> {
        let mut words = Vec::new();
        let mut flag = |name: &str, value: &str| words.extend([name.to_owned(), value.to_owned()]);
        if let Some(namespace) = namespace.filter(|_| self.all_namespaces || !self.namespaces.is_empty()) {
            flag("-n", namespace);
        }
        for context in &self.context {
            flag("--context", context);
        }
        if let Some(file) = &self.kubeconfig {
            flag("--kubeconfig", &file.display().to_string());
        }
        if let Some(user) = &self.as_user {
            flag("--as", user);
        }
        for group in &self.as_groups {
            flag("--as-group", group);
        }
        words
    }
}

/// What is removed when it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Personal {
    /// E-mail addresses
    Emails,
    /// IP addresses
    Addresses,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Text,
    Json,
}

/// How the report of a scan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScanFormat {
    Text,
    /// For another program; its schema: aifix schema ScanReport
    Json,
    /// For code scanning; findings do not fail the command
    Sarif,
    /// For a CI server's page of test results
    Junit,
    /// Annotations of a GitHub Actions job
    Github,
    /// A comment for a pull request
    Markdown,
    /// One self-contained page for a browser
    Html,
}

/// How records are exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// AIFix objects, as a cluster with their definition takes them
    Yaml,
    /// A structured log: one entry a line
    Jsonl,
    /// One ConfigMap for each record
    Configmap,
}

/// How a proposal is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProposalFormat {
    Text,
    Json,
    /// A unified diff that `git apply` takes
    Patch,
}

/// Reads `10s`, `500ms`, `2m` or plain seconds.
///
/// # Errors
/// When it is none, zero or more than an hour.
pub fn duration(text: &str) -> Result<std::time::Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| "write a number and a unit, such as 10s".to_owned())?;
    let millis = match &text[digits..] {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        unit => return Err(format!("unknown unit `{unit}`; use ms, s or m")),
    };
    match millis {
        Some(0) => Err("it must be more than zero".to_owned()),
        Some(millis) if millis <= 3_600_000 => Ok(std::time::Duration::from_millis(millis)),
        _ => Err("at most an hour".to_owned()),
    }
}

fn moment(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write it as 2026-11-22T16:46:58Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_bounds() {
        assert_eq!(duration("500ms").map(|d| d.as_millis()), Ok(500));
        assert_eq!(duration("2m").map(|d| d.as_secs()), Ok(120));
        assert_eq!(duration("7").map(|d| d.as_secs()), Ok(7));
        for text in ["", "0s", "1h", "s", "-1s", "99999999999999999999s", "2h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}

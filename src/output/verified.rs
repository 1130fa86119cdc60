//! The answer of `audit verify`.

use crate::audit::Verified;
use crate::text::Sanitised;
use crate::ui::{Page, Paint};

/// `1 entry`, `3 entries`.
pub fn entries(count: u64) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

/// `1 record`, `3 records`.
pub fn records(count: u64) -> String {
    if count == 1 { "1 record".to_owned() } else { format!("{count} records") }
}

/// What the commits of a clone say against what records say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// The clone.
    pub place: String,
    /// Commits whose trailer names a record here.
    pub matching: u64,
    /// Commits whose trailer names none here.
    pub foreign: u64,
    /// Records whose pushed commit is not in this clone.
    pub unseen: u64,
    /// Records whose pushed commit names another hash: the record, the commit.
    pub contradicted: Vec<(String, String)>,
}

/// The answer of `audit verify`: what holds, what is worth knowing, and what that proves.
pub fn write(page: &mut Page, verified: &Verified, compared: Option<&Compared>, width: usize) {
    page.put(Paint::Green, "holds");
    page.line(format_args!(": {} in {}", entries(verified.entries), records(verified.records)));
    let mut row = |label: &str, words: &str| {
        page.wrapped(width, &format!("{label:<10}"), "          ", Sanitised::line(words).as_str());
    };
    let numbers = |all: &[u64]| {
        let few: Vec<String> = all.iter().take(5).map(u64::to_string).collect();
        let more = if all.len() > 5 { format!(" and {} more", all.len() - 5) } else { String::new() };
        format!("{}{more}", few.join(", "))
    };
    if verified.keys > 1 {
        row("keys", &format!("{}, each after the other", verified.keys));
    }
    if !verified.erased.is_empty() {
        row("erased", &format!("evidence of entry {}, as later entries say", numbers(&verified.erased)));
    }
    if !verified.back_in_time.is_empty() {
        let words = "dated before the one before it: a clock was set back, or another machine's runs behind";
        row("clock", &format!("entry {} is {words}", numbers(&verified.back_in_time)));
    }
    let mut proof = "nobody without the key changed, added or took away an entry.".to_owned();
    match compared {
        None => proof.push_str(
            " Who has the key could have written all of it anew; commits were not compared: run it in a clone, or --repo PATH",
        ),
        Some(compared) => {
            let commits = |count: u64| if count == 1 { "1 commit".to_owned() } else { format!("{count} commits") };
            let name = |count: u64| if count == 1 { "names" } else { "name" };
            let agree = commits(compared.matching);
            row("commits", &format!("{agree} in {} {} a record here", compared.place, name(compared.matching)));
            if compared.foreign > 0 {
                let (foreign, name) = (commits(compared.foreign), name(compared.foreign));
                let words = "another person's or machine's, or this store was begun anew";
                row("", &format!("{foreign} {name} none here: {words}"));
            }
            if compared.unseen > 0 {
                row("", &format!("{} pushed a commit that is not here", records(compared.unseen)));
            }
            proof.push_str(&format!(
                " Who has the key could have written all of it anew; against that stand the commits that others have fetched ({agree})"
            ));
        }
    }
    row("proves", &proof);
}

//! Charts that lie packed (`.tgz`) in another one.
//!
//! Two readers of one archive may see two things. So an archive is read here, strictly, and packed anew of what was
//! seen: Helm gets that one. Format: <https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html>.

use super::roots::{folder_of, join};
use crate::model::refusal::Refusal;
use crate::yaml::parse;
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

/// A packed chart that was looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The name that the chart gives itself.
    pub name: String,
    /// The same chart, packed here.
    pub(super) bytes: Arc<[u8]>,
}

/// Bytes of one archive with all that lie in it, files, and archives in archives, that are read at most.
const BYTES: usize = 32 << 20;
const FILES: usize = 2048;
const DEPTH: usize = 8;

/// What gets each file: its path and its bytes.
pub(super) type Seen<'s> = dyn FnMut(&str, &[u8]) -> Result<(), Refusal> + 's;

/// A block of an archive.
const BLOCK: usize = 512;

/// The header of a long name (GNU tar), as it is written here too.
const LONG: &str = "././@LongLink";

/// Whether Helm takes a file of a chart, by its path in it, for a packed one.
pub(super) fn is_packed(path: &str) -> bool {
    let (folder, name) = path.rsplit_once('/').unwrap_or_default();
    folder.rsplit('/').next() == Some("charts") && name.ends_with(".tgz") && !name.starts_with(['_', '.'])
}

/// Reads an archive and all in it. `seen` gets every file with its path, which begins with that of the archive.
///
/// # Errors
/// `render-failed` for what is no packed chart, `path-escape`, `render-limit`, and what `seen` refuses.
pub(super) fn open(path: &str, bytes: &[u8], seen: &mut Seen<'_>) -> Result<Packed, Refusal> {
    let mut left = Left { bytes: BYTES, files: FILES };
    opened(path, bytes, 0, &mut left, seen)
}

/// What may still be read.
struct Left {
    bytes: usize,
    files: usize,
}

fn opened(path: &str, bytes: &[u8], depth: usize, left: &mut Left, seen: &mut Seen<'_>) -> Result<Packed, Refusal> {
    if depth > DEPTH {
        return Err(limit(path));
    }
    let plain = unzipped(path, bytes, left)?;
    let (top, mut files) = files(path, &plain, left)?;
    for (name, content) in &mut files {
        let inner = format!("{path}/{name}");
        seen(&inner, content)?;
        if is_packed(name) {
            *content = opened(&inner, content, depth + 1, left, seen)?.bytes.to_vec();
        }
    }
    let about = files.get("Chart.yaml").and_then(|text| std::str::from_utf8(text).ok());
    let about = about.and_then(|text| parse::document(text.trim_start_matches('\u{feff}')).ok());
    let name = about.and_then(|about| about["name"].as_str().map(str::to_owned));
    let Some(name) = name else { return Err(broken(path, "it has no Chart.yaml that says its name")) };
    let bytes = pack(&top, &files).map_err(|_| broken(path, "it can't be packed again"))?;
    Ok(Packed { name, bytes: Arc::from(bytes) })
}

fn unzipped(path: &str, bytes: &[u8], left: &mut Left) -> Result<Vec<u8>, Refusal> {
    let mut decoder = GzDecoder::new(bytes);
    let mut plain = Vec::new();
    let read = decoder.by_ref().take(left.bytes as u64 + 1).read_to_end(&mut plain);
    if plain.len() > left.bytes {
        return Err(limit(path));
    }
    read.map_err(|_| broken(path, "it is not gzip"))?;
    // A second stream behind the first one would be read by some.
    if !decoder.into_inner().is_empty() {
        return Err(broken(path, "more follows behind its end"));
    }
    left.bytes -= plain.len();
    Ok(plain)
}

type Files = BTreeMap<String, Vec<u8>>;

/// The folder that all files are in, and each file by its path in that.
fn files(path: &str, plain: &[u8], left: &mut Left) -> Result<(String, Files), Refusal> {
    let (mut top, mut files) = (None::<String>, Files::new());
    let mut rest = plain;
    let mut long = None;
    loop {
        let Some((header, after)) = rest.split_at_checked(BLOCK) else {
            return Err(broken(path, "it ends too early"));
        };
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let entry = Entry::of(header).ok_or_else(|| broken(path, "a header of it can't be read"))?;
        let padded = entry.size.next_multiple_of(BLOCK);
        let Some((content, next)) = after.split_at_checked(padded) else {
            return Err(broken(path, "it ends too early"));
        };
        rest = next;
        let content = &content[..entry.size];
        match entry.kind {
            // Notes for the whole archive, as `git archive` writes them: Helm skips them.
            b'g' => {}
            b'x' => long = pax_name(content).map_err(|why| broken(path, why))?.or(long),
            b'L' => long = Some(text(content).ok_or_else(|| broken(path, "a name in it is no text"))?),
            b'5' if entry.size == 0 => {
                inside(path, long.take().unwrap_or(entry.name).trim_end_matches('/'))?;
            }
            b'0' | 0 => {
                let name = long.take().unwrap_or(entry.name);
                inside(path, &name)?;
                let Some((folder, own)) = name.split_once('/') else {
                    return Err(broken(path, "a file of it is in no folder"));
                };
                if top.get_or_insert_with(|| folder.to_owned()) != folder {
                    return Err(broken(path, "it has more than one folder"));
                }
                left.files = left.files.checked_sub(1).ok_or_else(|| limit(path))?;
                if files.insert(own.to_owned(), content.to_vec()).is_some() {
                    return Err(broken(path, "it has a file twice"));
                }
            }
            b'1' | b'2' => {
                let text = format!("`{path}` holds a link (`{}`), which is not followed", entry.name);
                return Err(Refusal::new("path-escape", text, "pack the chart without links"));
            }
            _ => return Err(broken(path, "it holds what is neither file nor folder")),
        }
    }
    if rest.iter().any(|byte| *byte != 0) {
        return Err(broken(path, "more follows behind its end"));
    }
    top.map(|top| (top, files)).ok_or_else(|| broken(path, "it is empty"))
}

/// A name that stays in the folder that it is unpacked to, on every system.
fn inside(path: &str, name: &str) -> Result<(), Refusal> {
    let stays = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
    if name.split('/').all(stays) {
        return Ok(());
    }
    let text = format!("`{path}` holds `{name}`, which leads out of the chart");
    Err(Refusal::new("path-escape", text, "pack the chart again: helm package"))
}

struct Entry {
    name: String,
    size: usize,
    kind: u8,
}

impl Entry {
    /// A header with the right sum; sizes in another base than octal are not read.
    fn of(header: &[u8]) -> Option<Self> {
        let sum = octal(&header[148..156])?;
        let blank = |at: usize| if (148..156).contains(&at) { b' ' } else { header[at] };
        let own: usize = (0..BLOCK).map(|at| usize::from(blank(at))).sum();
        let mut name = text(&header[..100])?;
        let prefix = if &header[257..263] == b"ustar\0" { text(&header[345..500])? } else { String::new() };
        if !prefix.is_empty() {
            name = join(&prefix, &name);
        }
        // An old archive has its folders as files with such a name.
        let kind = if header[156] == 0 && name.ends_with('/') { b'5' } else { header[156] };
        (sum == own).then_some(Self { name, size: octal(&header[124..136])?, kind })
    }
}

/// Text up to the first zero.
fn text(field: &[u8]) -> Option<String> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8(field[..end].to_vec()).ok()
}

fn octal(field: &[u8]) -> Option<usize> {
    let digits = text(field)?;
    let digits = digits.trim_matches(' ');
    if digits.is_empty() { Some(0) } else { usize::from_str_radix(digits, 8).ok() }
}

/// The name that a pax header gives the next file. What changes its content is refused.
fn pax_name(mut records: &[u8]) -> Result<Option<String>, &'static str> {
    const ODD: &str = "a header of it can't be read";
    let mut name = None;
    while !records.is_empty() {
        let space = records.iter().position(|byte| *byte == b' ').ok_or(ODD)?;
        let length: usize = text(&records[..space]).and_then(|digits| digits.parse().ok()).ok_or(ODD)?;
        if length <= space + 1 {
            return Err(ODD);
        }
        let (record, rest) = records.split_at_checked(length).ok_or(ODD)?;
        records = rest;
        let record = String::from_utf8(record[space + 1..].to_vec()).map_err(|_| ODD)?;
        let (key, value) = record.strip_suffix('\n').and_then(|record| record.split_once('=')).ok_or(ODD)?;
        match key {
            "path" => name = Some(value.to_owned()),
            "size" | "linkpath" => return Err(ODD),
            key if key.starts_with("GNU.sparse") => return Err(ODD),
            _ => {}
        }
    }
    Ok(name)
}

/// A packed chart of these files: the same files give the same bytes.
fn pack(top: &str, files: &Files) -> std::io::Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    for (name, content) in files {
        let name = format!("{top}/{name}");
        if name.len() > 100 {
            entry(&mut out, LONG, b'L', &[name.as_bytes(), &[0]].concat())?;
        }
        entry(&mut out, &name, b'0', content)?;
    }
    out.write_all(&[0; BLOCK * 2])?;
    out.finish()
}

fn entry(out: &mut impl Write, name: &str, kind: u8, content: &[u8]) -> std::io::Result<()> {
    let mut header = [0; BLOCK];
    let name = &name.as_bytes()[..name.len().min(100)];
    header[..name.len()].copy_from_slice(name);
    let mut field = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    field(100, "0000644\0");
    field(108, "0000000\0");
    field(116, "0000000\0");
    field(124, &format!("{:011o}\0", content.len()));
    field(136, "00000000000\0");
    field(148, "        ");
    field(257, "ustar\0");
    field(263, "00");
    header[156] = kind;
    let sum: usize = header.iter().map(|byte| usize::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.write_all(&header)?;
    out.write_all(content)?;
    out.write_all(&vec![0; content.len().next_multiple_of(BLOCK) - content.len()])
}

fn broken(path: &str, why: &str) -> Refusal {
    let chart = folder_of(folder_of(path));
    Refusal::new(
        "render-failed",
        format!("`{path}` is no packed chart that can be read: {why}"),
        format!("pack it again: helm dependency update {chart}").trim_end().to_owned(),
    )
}

fn limit(path: &str) -> Refusal {
    Refusal::new("render-limit", format!("`{path}` holds too much to be read"), "unpack the chart in its `charts/`")
}

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;

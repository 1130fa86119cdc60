//! `aifix scan --watch`: look again and again, show the change.

use super::Session;
use super::contexts::{self, Place};
use super::filter::{Baseline, Filters};
use super::look::{self, Seen};
use super::parts::{self, Part};
use super::scan::{self, ScanArgs};
use crate::error::{Error, exit};
use crate::model::finding::Severity;
use crate::model::report::ScanReport;
use crate::model::selector::Selector;
use crate::output::json;
use crate::settings::flags::ScanFormat;
use crate::text::{self, Sanitised};
use crate::ui::{self, Paint, Screen};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// A cluster that does not answer is asked ever more rarely, down to once in this time.
const RAREST: Duration = Duration::from_secs(60);
/// Names that one line tells.
const FEW: usize = 3;

/// One context, as it was seen last.
struct Watched {
    place: Place,
    part: Part,
    seen_at: Instant,
    lost: Option<Lost>,
    /// When it is looked at next.
    due: Instant,
}

/// A context that does not answer.
struct Lost {
    why: String,
    /// By the cluster's clock; `None` when it never answered.
    since: Option<Timestamp>,
    times: u32,
}

/// What does not change while we watch.
struct Asked<'a> {
    args: &'a ScanArgs,
    interval: Duration,
    selector: Option<Selector>,
    session: &'a Session,
}

/// Watches until a signal ends it, or the reader of stdout goes away.
pub(super) async fn run(
    args: &ScanArgs,
    interval: Duration,
    (mut filters, baseline): (Filters, Option<Baseline>),
    session: &Session,
) -> Result<u8, Error> {
    let asked = Asked { args, interval, selector: look::selected(&args.look)?, session };
    let mut places = contexts::places(&args.look);
    let seen = contexts::first(&mut places, asked.selector.as_ref(), session).await?;
    let mut all: Vec<Watched> = places.into_iter().map(Watched::new).collect();
    for (one, seen) in all.iter_mut().zip(seen) {
        one.take(seen, &mut filters, &asked);
    }
    for idle in filters.idle() {
        session.ui.say(Sanitised::line(&format!("`{idle}` matched nothing so far")));
    }
    let mut shown = Shown::default();
    let failed = |error: std::io::Error| Error::bug("could not listen to the terminal").caused_by(&error);
    let mut resized = signal(SignalKind::window_change()).map_err(failed)?;
    // Without a screen to give back Ctrl-Z does what it always does.
    let mut stopped = None;
    if session.ui.is_screen() && args.output == ScanFormat::Text {
        stopped = Some(signal(SignalKind::from_raw(ui::STOP_KEY)).map_err(failed)?);
    }
    loop {
        if !shown.show(&all, baseline.as_ref(), &asked)? {
            return Ok(exit::DONE);
        }
        let due = all.iter().map(|one| one.due).min().unwrap_or_else(Instant::now);
        let mut next = std::pin::pin!(async {
            tokio::time::sleep_until(due).await;
            again(&mut all, &mut filters, &asked).await;
        });
        loop {
            tokio::select! {
                () = &mut next => break,
                _ = resized.recv() => shown.draw(&asked),
                () = key(&mut stopped) => shown.pause(&asked),
            }
        }
    }
}

/// Waits for Ctrl-Z; for ever, when we do not listen to it.
async fn key(stopped: &mut Option<Signal>) {
    match stopped {
        Some(stopped) => {
            stopped.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Looks at every context whose time has come.
async fn again(all: &mut [Watched], filters: &mut Filters, asked: &Asked<'_>) {
    let now = Instant::now();
    let mut due: Vec<&mut Watched> = all.iter_mut().filter(|one| one.due <= now).collect();
    let kept: Vec<bool> = due.iter().map(|one| one.place.is_connected()).collect();
    let mut seen = attempt(&mut due, asked).await;
    // A credential that expired or a connection that was closed is no news: once more with new ones.
    let (mut anew, mut results) = (Vec::new(), Vec::new());
    for ((one, result), kept) in due.iter_mut().zip(&mut seen).zip(kept) {
        if kept && result.is_err() {
            one.place.disconnect();
            anew.push(&mut **one);
            results.push(result);
        }
    }
    let second = attempt(&mut anew, asked).await;
    for (result, new) in results.into_iter().zip(second) {
        *result = new;
    }
    for (one, seen) in due.into_iter().zip(seen) {
        one.take(seen, filters, asked);
    }
}

async fn attempt(due: &mut [&mut Watched], asked: &Asked<'_>) -> Vec<Result<Seen, Error>> {
    let mut places: Vec<&mut Place> = due.iter_mut().map(|one| &mut one.place).collect();
    let connected = contexts::connect(&mut places, asked.session).await;
    contexts::read(&places, connected, asked.selector.as_ref(), &|_| {}).await
}

impl Watched {
    fn new(place: Place) -> Self {
        let part = Part::unseen(place.name(), place.scope());
        Self { place, part, seen_at: Instant::now(), lost: None, due: Instant::now() }
    }

    /// Keeps what was seen, or why it was not.
    fn take(&mut self, seen: Result<Seen, Error>, filters: &mut Filters, asked: &Asked<'_>) {
        let now = Instant::now();
        match seen {
            Ok(seen) => {
                self.part = Part::filtered(&seen, asked.selector.is_some(), filters);
                self.seen_at = now;
                self.lost = None;
                self.due = now + asked.interval;
            }
            Err(error) => {
                self.place.disconnect();
                let before = self.lost.take();
                let times = before.as_ref().map_or(0, |lost| lost.times) + 1;
                let elapsed = SignedDuration::try_from(now - self.seen_at).unwrap_or_default();
                let noticed = self.part.context.taken_at.and_then(|at| at.checked_add(elapsed).ok());
                let since = before.map_or(noticed, |lost| lost.since);
                self.lost = Some(Lost { why: error.to_string(), since, times });
                self.due = now + wait(asked.interval, times);
            }
        }
    }

    /// The part that is shown: the last one, marked when it is stale.
    fn part(&self) -> Part {
        let part = self.part.clone();
        match &self.lost {
            None => part,
            Some(lost) => part.without(lost.words(self.part.context.taken_at)),
        }
    }
}

impl Lost {
    fn words(&self, seen: Option<Timestamp>) -> String {
        match (self.since, seen) {
            (Some(since), Some(seen)) => {
                format!("not seen since {}, what is shown is of {}: {}", clock(since), clock(seen), self.why)
            }
            _ => self.why.clone(),
        }
    }
}

/// How long to wait after so many failures in a row.
fn wait(interval: Duration, times: u32) -> Duration {
    let doubled = interval.saturating_mul(1 << times.saturating_sub(1).min(16));
    doubled.min(RAREST.max(interval))
}

fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S UTC").to_string()
}

/// What was shown last, and what it is compared with.
#[derive(Default)]
struct Shown {
    /// What counted at the first look that saw everything, and when.
    start: Option<Start>,
    essence: String,
    head: Vec<(Paint, String)>,
    report: ScanReport,
    screen: Option<Screen>,
}

struct Start {
    found: Baseline,
    at: Option<Timestamp>,
    /// Whether nothing essential was missing.
    whole: bool,
}

impl Shown {
    /// Shows the report when there is something new to show. False when nobody reads any more.
    fn show(&mut self, all: &[Watched], baseline: Option<&Baseline>, asked: &Asked<'_>) -> Result<bool, Error> {
        let mut parts: Vec<Part> = all.iter().map(Watched::part).collect();
        if let (Some(baseline), Some(file)) = (baseline, &asked.args.filter.baseline) {
            baseline.apply(&mut parts, file)?;
        }
        let at = parts.iter().filter_map(|part| part.context.taken_at).max();
        if self.start.as_ref().is_none_or(|start| !start.whole) {
            let whole = !parts.iter().any(Part::lacks_essential);
            if whole || self.start.is_none() {
                self.start = Some(Start { found: Baseline::of(&parts), at, whole });
            }
        }
        self.head = self.headlines(all, &parts, at, asked);
        self.report = parts::join(parts);
        let essence = essence(&self.report);
        let changed = essence != self.essence;
        self.essence = essence;
        let ui = &asked.session.ui;
        match asked.args.output {
            ScanFormat::Json if changed => ui.feed(&json::scan_line(&self.report)?),
            ScanFormat::Text if ui.is_screen() => {
                self.screen.get_or_insert_with(Screen::enter);
                self.draw(asked);
                Ok(true)
            }
            ScanFormat::Text if changed => {
                let separator = at.map(|at| at.strftime("--- %Y-%m-%d %H:%M:%S UTC\n").to_string()).unwrap_or_default();
                ui.feed(&format!("{separator}{}", self.page(asked, 0)))
            }
            _ => Ok(true),
        }
    }

    /// Draws what was shown last, when there is a screen.
    fn draw(&self, asked: &Asked<'_>) {
        if let Some(screen) = &self.screen {
            screen.draw(&self.page(asked, screen.size().0));
        }
    }

    /// Gives the screen back and stops, as Ctrl-Z wants it; goes on when the shell says so.
    fn pause(&mut self, asked: &Asked<'_>) {
        self.screen = None;
        asked.session.ui.stop();
        self.screen = Some(Screen::enter());
        self.draw(asked);
    }

    fn page(&self, asked: &Asked<'_>, width: usize) -> String {
        let mut page = asked.session.ui.page();
        for (paint, words) in &self.head {
            page.wrapped_in(*paint, width, Sanitised::line(words).as_str());
        }
        let blank = if width == 0 { "" } else { "\n" };
        format!("{}{blank}{}", page.as_str(), scan::text_of(&self.report, asked.args, asked.session, width))
    }

    /// When was looked, what does not answer, and what came and went since the start.
    fn headlines(
        &self,
        all: &[Watched],
        parts: &[Part],
        at: Option<Timestamp>,
        asked: &Asked<'_>,
    ) -> Vec<(Paint, String)> {
        let last = at.map(|at| format!(", last look {}", clock(at))).unwrap_or_default();
        let every = text::duration(i64::try_from(asked.interval.as_secs()).unwrap_or(i64::MAX));
        let mut head = vec![(Paint::Dim, format!("Every {every}{last}; Ctrl-C ends"))];
        for one in all {
            if let Some(lost) = &one.lost {
                let why = lost.words(one.part.context.taken_at);
                head.push((Paint::Yellow, format!("STALE  context {}: {why}", one.part.context.name)));
            }
        }
        let Some(start) = &self.start else { return head };
        let news = start.found.news(parts);
        let new: Vec<String> = parts
            .iter()
            .zip(&news)
            .flat_map(|(part, news)| part.findings.iter().zip(news))
            .filter(|(one, is_new)| **is_new && one.finding.severity != Severity::Info)
            .map(|(one, _)| one.finding.identity().to_string())
            .collect();
        let healed: Vec<String> = start.found.gone(parts).into_iter().map(ToString::to_string).collect();
        let since = start.at.map_or_else(|| "Since the start".to_owned(), |at| format!("Since {}", clock(at)));
        match (new.is_empty(), healed.is_empty()) {
            (true, true) => head.push((Paint::Dim, format!("{since} nothing came and nothing healed"))),
            _ => {
                head.extend((!new.is_empty()).then(|| (Paint::Red, format!("{since} new or worse: {}", few(&new)))));
                head.extend((!healed.is_empty()).then(|| (Paint::Green, format!("{since} healed: {}", few(&healed)))));
            }
        }
        head
    }
}

/// `a, b, c and 4 more`.
fn few(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(FEW).cloned().collect();
    let more = names.len().saturating_sub(FEW);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { text::and(&shown) }
}

/// What makes a report another one: ages, counts of restarts and the clock do not.
fn essence(report: &ScanReport) -> String {
    let contexts = report.contexts.iter().map(|context| {
        let summary = &context.summary;
        let gaps: Vec<_> = context.gaps.iter().map(|gap| &gap.what).collect();
        format!("{} {} {} {} {gaps:?}", context.name, summary.healthy, summary.in_progress, summary.failing)
    });
    let set_aside = report.set_aside.iter().map(|one| (&one.reported, Some(one.filter)));
    let findings = report.findings.iter().map(|one| (one, None)).chain(set_aside).map(|(one, filter)| {
        let finding = &one.finding;
        let effects: Vec<_> = finding.effects.iter().map(|effect| (effect.code, effect.object.qualified())).collect();
        format!("{} {:?} {:?} {filter:?} {effects:?}", one.context, finding.identity(), finding.severity)
    });
    contexts.chain(findings).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_does_not_answer_is_asked_ever_more_rarely() {
        let waits = |interval: u64| [1, 2, 3, 4, 40].map(|n| wait(Duration::from_secs(interval), n).as_secs());
        assert_eq!(waits(10), [10, 20, 40, 60, 60]);
        assert_eq!(waits(300), [300; 5], "never more often than was asked for");
    }

    #[test]
    fn a_long_list_of_names_is_cut() {
        let names = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(few(&names(2)), "0 and 1");
        assert_eq!(few(&names(5)), "0, 1, 2 and 2 more");
    }
}

//! The only writer to the terminal.
#![expect(clippy::disallowed_methods, reason = "this is the only writer to the terminal")]

mod screen;

pub use screen::{STOP_KEY, Screen};

use crate::error::Error;
use crate::text::{self, Sanitised};
use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

/// Meanings that a colour can carry; words always carry them too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
    Removed,
    Added,
    RemovedWord,
    AddedWord,
}

impl Paint {
    fn style(self) -> Style {
        let colour = |c: AnsiColor| Style::new().fg_color(Some(c.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Bold => Style::new().bold(),
            Self::Dim => Style::new().dimmed(),
            Self::Red => colour(AnsiColor::Red).bold(),
            Self::Green => colour(AnsiColor::Green).bold(),
            Self::Yellow => colour(AnsiColor::Yellow).bold(),
            Self::Cyan => colour(AnsiColor::Cyan),
            Self::Removed => colour(AnsiColor::Red),
            Self::Added => colour(AnsiColor::Green),
            Self::RemovedWord => colour(AnsiColor::Red).bold().underline(),
            Self::AddedWord => colour(AnsiColor::Green).bold().underline(),
        }
    }
}

/// Text under construction, with colour when the stream takes it.
/// Foreign text enters only as [`Sanitised`].
#[derive(Debug, Clone, Default)]
pub struct Page {
    text: String,
    colour: bool,
}

impl Page {
    /// Our own words.
    pub fn put(&mut self, paint: Paint, words: impl Display) -> &mut Self {
        use std::fmt::Write as _;
        let style = paint.style();
        let _ = if self.colour && paint != Paint::Plain {
            write!(self.text, "{style}{words}{style:#}")
        } else {
            write!(self.text, "{words}")
        };
        self
    }

    /// Foreign text on one line.
    pub fn foreign(&mut self, paint: Paint, text: &str) -> &mut Self {
        self.put(paint, Sanitised::line(text))
    }

    /// Ends the line. What stands on it by wrapping or side by side may look like a runner's command, too.
    pub fn end(&mut self) -> &mut Self {
        let start = self.text.rfind('\n').map_or(0, |at| at + 1);
        if let Some(broken) = text::without_runner_commands(&self.text[start..]) {
            self.text.truncate(start);
            self.text.push_str(&broken);
        }
        self.text.push('\n');
        self
    }

    /// A line of our own words.
    pub fn line(&mut self, words: impl Display) -> &mut Self {
        self.put(Paint::Plain, words).end()
    }

    /// Words wrapped at `width` (0: not wrapped), the first line after `first`, the others after `rest`.
    /// Foreign text must be sanitised by the caller.
    pub fn wrapped(&mut self, width: usize, first: &str, rest: &str, words: &str) -> &mut Self {
        if width == 0 {
            return self.line(format_args!("{first}{words}"));
        }
        let options = textwrap::Options::new(width.max(20))
            // Names keep their hyphens: what is broken at one can't be copied.
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .initial_indent(first)
            .subsequent_indent(rest);
        for line in textwrap::wrap(words, options) {
            self.line(line);
        }
        self
    }

    /// Words in one colour, wrapped at `width`. Foreign text must be sanitised by the caller.
    pub fn wrapped_in(&mut self, paint: Paint, width: usize, words: &str) -> &mut Self {
        let mut plain = Self::default();
        plain.wrapped(width, "", "  ", words);
        for line in plain.text.lines() {
            self.put(paint, line).end();
        }
        self
    }

    /// What was put so far.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// stdout for the policy child, whose stdout is a pipe to ourselves.
pub fn pipe() -> impl Write {
    io::stdout()
}

/// stdout is data, stderr is talk.
#[derive(Debug, Clone)]
pub struct Ui {
    colour_out: bool,
    colour_err: bool,
    out_is_terminal: bool,
    err_is_terminal: bool,
    in_is_terminal: bool,
    width: usize,
    quiet: bool,
}

impl Ui {
    /// Looks at the streams and at `NO_COLOR`, `CLICOLOR_FORCE` and `TERM`.
    pub fn new(colour: Colour, quiet: bool) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let wanted = |terminal: bool| match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto if std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) => false,
            Colour::Auto if set("CLICOLOR_FORCE") => true,
            Colour::Auto => terminal && !dumb,
        };
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            colour_out: wanted(out),
            colour_err: wanted(err),
            out_is_terminal: out,
            err_is_terminal: err && !dumb,
            in_is_terminal: io::stdin().is_terminal(),
            width: if out { terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0)) } else { 0 },
            quiet,
        }
    }

    /// An empty page for stdout.
    pub fn page(&self) -> Page {
        Page { text: String::new(), colour: self.colour_out }
    }

    /// Columns of the terminal, 0 when stdout is none: then nothing is wrapped.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether a person can be asked.
    pub fn can_ask(&self) -> bool {
        self.in_is_terminal && io::stderr().is_terminal()
    }

    /// Whether stdout is a terminal.
    pub fn out_is_terminal(&self) -> bool {
        self.out_is_terminal
    }

    /// Writes data to stdout. A reader that went away is success.
    ///
    /// # Errors
    /// When stdout can't be written for another reason, such as a full disk.
    pub fn print(&self, text: &str) -> Result<(), Error> {
        self.feed(text).map(|_| ())
    }

    /// Writes data to stdout, and tells whether there still is a reader.
    ///
    /// # Errors
    /// When stdout can't be written for another reason than a reader that went away.
    pub fn feed(&self, text: &str) -> Result<bool, Error> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::usage("could not write to stdout").caused_by(&error)),
            Ok(()) => Ok(true),
        }
    }

    /// Whether stdout is a terminal that can be drawn on.
    pub fn is_screen(&self) -> bool {
        self.out_is_terminal && std::env::var_os("TERM").is_some_and(|term| term != "dumb" && !term.is_empty())
    }

    /// Stops this process until the shell lets it go on.
    pub fn stop(&self) {
        use rustix::process::{Signal, getpid, kill_process};
        let _ = kill_process(getpid(), Signal::STOP);
    }

    /// A line of talk on stderr; our own words, foreign parts sanitised by the caller.
    pub fn say(&self, words: impl Display) {
        if !self.quiet {
            self.err_line(Paint::Plain, "", words);
        }
    }

    /// A warning on stderr; said even when quiet.
    pub fn warn(&self, words: impl Display) {
        self.err_line(Paint::Yellow, "warning: ", words);
    }

    /// Renders an error with its causes and hints. Everything is escaped: causes quote foreign text.
    pub fn error(&self, error: &Error) {
        self.err_line(Paint::Red, "error: ", Sanitised::line(&error.message));
        for cause in &error.causes {
            self.err_line(Paint::Plain, "  caused by: ", Sanitised::block(cause));
        }
        for hint in &error.hints {
            self.err_line(Paint::Cyan, "  hint: ", Sanitised::block(hint).as_str().replace('\n', "\n        "));
        }
    }

    fn err_line(&self, paint: Paint, label: &str, words: impl Display) {
        let mut page = Page { text: String::new(), colour: self.colour_err };
        page.put(paint, label).put(Paint::Plain, words).end();
        // Nobody is left to be told when stderr is gone.
        let _ = io::stderr().lock().write_all(page.text.as_bytes());
    }

    /// Shows what long work is doing, on stderr and only on a terminal.
    pub fn progress(&self, words: &str) -> Progress {
        if self.quiet || !self.err_is_terminal {
            return Progress(None);
        }
        let bar = indicatif::ProgressBar::new_spinner();
        bar.set_message(Sanitised::line(words).to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        Progress(Some(bar))
    }

    /// Asks a yes-or-no question on the terminal. The default, Esc, Ctrl-C, Ctrl-D and the end of input are No.
    pub async fn confirm(&self, question: &str) -> bool {
        let answer = self.ask(format!("{} [y/N] ", Sanitised::line(question))).await;
        answer.is_some_and(|answer| matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Lets a person choose one of `items` by its number; `None` is "none of them".
    pub async fn choose(&self, question: &str, items: &[String]) -> Option<usize> {
        let mut text = String::new();
        for (at, item) in items.iter().enumerate() {
            let line = format!("{:>3}  {}", at + 1, Sanitised::line(item));
            text.push_str(&text::clip(&line, self.width.max(40)));
            text.push('\n');
        }
        text.push_str(Sanitised::line(question).as_str());
        self.number(&text, items.len()).await.map(|number| number - 1)
    }

    /// Asks for the number of one of `count` things that were shown, from 1; `None` is "none of them".
    /// Foreign parts of the question are sanitised by the caller.
    pub async fn number(&self, question: &str, count: usize) -> Option<usize> {
        let number = self.ask(format!("{question} [1-{count}, Enter: none] ")).await?.trim().parse::<usize>().ok()?;
        (1..=count).contains(&number).then_some(number)
    }

    /// Asks for a line of text; `None` at Esc, Ctrl-C, Ctrl-D and the end of input.
    pub async fn ask_text(&self, question: &str) -> Option<String> {
        self.ask(format!("{} ", Sanitised::line(question))).await
    }

    async fn ask(&self, prompt: String) -> Option<String> {
        if !self.can_ask() {
            return None;
        }
        // Beside the runtime: a signal is still acted on while a person thinks.
        tokio::task::spawn_blocking(move || prompt::line(&prompt)).await.ok().flatten()
    }

    /// Gives the terminal back as it was, when a signal ended us in the middle of a question.
    pub fn restore(&self) {
        prompt::restore();
    }
}

/// A terminal that is gone has nobody who could be told.
fn write_out(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// A running spinner; it disappears when dropped.
#[derive(Debug)]
pub struct Progress(Option<indicatif::ProgressBar>);

impl Progress {
    /// Changes the words.
    pub fn say(&self, words: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(Sanitised::line(words).to_string());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Reading one line from the terminal, key by key: Esc, Ctrl-C and Ctrl-D end it at once.
mod prompt {
    use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
    use std::io::{self, Read, Write};
    use std::sync::{Mutex, PoisonError};

    /// The terminal's modes while a question is open.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// Asks, and reads one line. `None`: Esc, Ctrl-C, Ctrl-D, or the end of input.
    pub(super) fn line(prompt: &str) -> Option<String> {
        let mut err = io::stderr().lock();
        err.write_all(prompt.as_bytes()).and_then(|()| err.flush()).ok()?;
        let before = tcgetattr(io::stdin()).ok()?;
        let mut keys = before.clone();
        keys.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        keys.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        tcsetattr(io::stdin(), OptionalActions::Now, &keys).ok()?;
        let answer = read(&mut err);
        restore();
        let _ = err.write_all(b"\n");
        answer
    }

    fn read(echo: &mut impl Write) -> Option<String> {
        let mut answer = String::new();
        let mut stdin = io::stdin().lock();
        loop {
            let mut key = [0];
            if stdin.read(&mut key).ok()? == 0 {
                return None;
            }
            match key[0] {
                b'\r' | b'\n' => return Some(answer),
                // Ctrl-C, Ctrl-D, Esc.
                3 | 4 | 27 => return None,
                8 | 127 if answer.pop().is_some() => echo.write_all(b"\x08 \x08"),
                key @ 32..=126 if answer.len() < 300 => {
                    answer.push(char::from(key));
                    echo.write_all(&[key])
                }
                _ => Ok(()),
            }
            .and_then(|()| echo.flush())
            .ok()?;
        }
    }

    pub(super) fn restore() {
        if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn a_word_that_wraps_to_a_lines_start_is_no_command_of_a_runner() {
        let mut page = Page::default();
        page.wrapped(25, "  ", "  ", "a name of a pod such as ::stop-commands::x");
        assert!(page.as_str().contains("\n  :\\:stop-commands::x"), "{}", page.as_str());
        page.put(super::Paint::Plain, "a #").put(super::Paint::Plain, "#").put(super::Paint::Plain, "[error]x").end();
        assert!(page.as_str().ends_with("#\\#[error]x\n"), "{}", page.as_str());
    }
}

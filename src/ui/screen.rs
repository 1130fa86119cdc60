//! The whole terminal: drawn anew, and given back.

use super::write_out;
use crate::text;

/// What Ctrl-Z sends: SIGTSTP.
pub const STOP_KEY: i32 = rustix::process::Signal::TSTP.as_raw();

/// The whole terminal, drawn anew again and again. Dropped, also by a signal or a panic, it gives the terminal
/// back as it was.
#[derive(Debug)]
pub struct Screen(());

impl Screen {
    /// The alternate screen, without a cursor. xterm's control sequences 1049 and 25.
    pub fn enter() -> Self {
        write_out("\x1b[?1049h\x1b[?25l");
        Self(())
    }

    /// Columns and rows as they are now.
    pub fn size(&self) -> (usize, usize) {
        let (width, rows) = terminal_size::terminal_size().map_or((80, 24), |(width, rows)| (width.0, rows.0));
        (usize::from(width).max(1), usize::from(rows).max(1))
    }

    /// Shows a page from its top, as much of it as there is room for.
    pub fn draw(&self, page: &str) {
        let (width, rows) = self.size();
        // One write, so that nothing is seen of the empty screen between.
        let frame = format!("\x1b[H\x1b[J{}", fitting(page, width, rows).join("\n"));
        write_out(&frame);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        write_out("\x1b[?25h\x1b[?1049l");
    }
}

/// The lines that fit; the last row counts those that do not.
fn fitting(page: &str, width: usize, rows: usize) -> Vec<String> {
    let height = |line: &str| textwrap::core::display_width(line).div_ceil(width).max(1);
    let lines: Vec<&str> = page.lines().collect();
    if lines.iter().map(|line| height(line)).sum::<usize>() <= rows {
        return lines.into_iter().map(str::to_owned).collect();
    }
    let mut left = rows.saturating_sub(1);
    let shown = lines.iter().take_while(|line| {
        let fits = height(line) <= left;
        left = left.saturating_sub(height(line));
        fits
    });
    let mut out: Vec<String> = shown.map(|line| (*line).to_owned()).collect();
    let more = format!("... and {} more lines", lines.len() - out.len());
    out.push(text::clip(&more, width));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_wrapped_lines_take_their_room() {
        assert_eq!(fitting("a\nb\nc\n", 20, 3), ["a", "b", "c"]);
        assert_eq!(fitting("a\nb\nc\nd\n", 20, 3), ["a", "b", "... and 2 more lines"]);
        let coloured = "\u{1b}[31m0123456789\u{1b}[0m";
        assert_eq!(fitting(&format!("{coloured}\n{coloured}"), 10, 2).len(), 2, "colour takes no room");
        assert_eq!(fitting("0123456789a\nb\nc", 10, 3), ["0123456789a", "... and..."]);
        assert_eq!(fitting("a\nb", 10, 1), ["... and..."]);
    }
}

//! A finding for people.

use super::layout::{clean, columns, wrap};
use super::{Finding, OperandText, SegmentText};
use crate::Severity;
use anstyle::{AnsiColor, Style as Ansi};

/// Which characters may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Glyphs {
    /// Every character that a name or a path holds.
    #[default]
    Unicode,
    /// ASCII; everything else is escaped.
    Ascii,
}

/// How a finding is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal.
    pub width: usize,
    /// Characters that may be used.
    pub glyphs: Glyphs,
    /// Whether escape codes for colour are written; who prints decides, and may strip them.
    pub colour: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            width: 130,
            glyphs: Glyphs::Unicode,
            colour: false,
        }
    }
}

/// Columns before the text of `why`, `fix` and `at`.
const INDENT: usize = 8;
/// Columns of the bracketed offsets before an owner.
const OFFSETS: usize = 12;
const FIRST_BAD: &str = "<- first bad byte";

impl Finding {
    /// The finding as lines of text, with a line feed after each.
    #[must_use]
    pub fn text(&self, style: &Style) -> String {
        let mut out = Writer {
            style: *style,
            text: String::new(),
        };
        out.header(self);
        out.call(self);
        for operand in &self.operands {
            out.operand(operand, self);
        }
        out.paragraph("why", &self.why, "");
        out.paragraph("fix", &self.fix, "");
        if let Some(state) = &self.device_state {
            out.paragraph("gpu", state, "");
        }
        if let Some(at) = &self.at {
            let times = if self.seen == 1 { "time" } else { "times" };
            out.paragraph("at", at, &format!("seen {} {times}", self.seen));
        }
        out.text
    }
}

/// What a line about an operand is about.
enum Part<'a> {
    Whole(&'a SegmentText),
    /// Parts that are left out.
    Several {
        from: u64,
        to: u64,
        count: usize,
    },
}

/// So many parts are shown, whatever they are.
const MOST_PARTS: usize = 6;
/// Where there are more: so many at the start, besides the one with the first bad byte and the next.
const FIRST_PARTS: usize = 2;

fn holds(segment: &SegmentText, bad: Option<u64>) -> bool {
    bad.is_some_and(|at| segment.from <= at && (at < segment.to || segment.from == segment.to))
}

/// The parts of an operand that are worth a line each.
fn parts(operand: &OperandText, bad: Option<u64>) -> Vec<Part<'_>> {
    let segments = &operand.segments;
    let wrong = segments.iter().position(|segment| holds(segment, bad));
    let shown = |index: usize| {
        segments.len() <= MOST_PARTS
            || index < FIRST_PARTS
            || wrong.is_some_and(|wrong| index == wrong || index == wrong + 1)
    };
    let mut parts = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        match parts.last_mut() {
            _ if shown(index) => parts.push(Part::Whole(segment)),
            Some(Part::Several { to, count, .. }) => {
                *to = segment.to;
                *count += 1;
            }
            _ => parts.push(Part::Several {
                from: segment.from,
                to: segment.to,
                count: 1,
            }),
        }
    }
    parts
}

struct Writer {
    style: Style,
    text: String,
}

impl Writer {
    fn header(&mut self, finding: &Finding) {
        let colour = match finding.severity {
            Severity::Error => AnsiColor::Red,
            Severity::Warning => AnsiColor::Yellow,
            Severity::Note => AnsiColor::Cyan,
        };
        let strong = Ansi::new().bold();
        let title = format!("{}[{}]", finding.severity, finding.rule);
        self.paint(strong.fg_color(Some(colour.into())), &title);
        let rest = format!(": {}", self.clean(&finding.says));
        let first = self.style.width.saturating_sub(title.len());
        for (index, line) in wrap(&rest, first).into_iter().enumerate() {
            if index > 0 {
                self.text.push_str("  ");
            }
            self.paint(strong, &line);
            self.text.push('\n');
        }
    }

    fn call(&mut self, finding: &Finding) {
        let answer = match &finding.answered {
            Some(answer) => answer.words(),
            None => format!("{} (predicted)", finding.predicted.words()),
        };
        let call = self.clean(&finding.call.text);
        let whole = format!("{call}  ->  {answer}");
        if columns(&whole) + 2 <= self.style.width {
            self.text.push_str("  ");
            self.text.push_str(&whole);
            self.text.push('\n');
            return;
        }
        for (index, line) in wrap(&call, self.style.width - 6.min(self.style.width))
            .into_iter()
            .enumerate()
        {
            self.text.push_str(if index == 0 { "  " } else { "      " });
            self.text.push_str(&line);
            self.text.push('\n');
        }
        self.text.push_str("      ->  ");
        self.text.push_str(&answer);
        self.text.push('\n');
    }

    fn operand(&mut self, operand: &OperandText, finding: &Finding) {
        let bad = finding
            .first_bad
            .filter(|bad| bad.role == operand.role)
            .map(|bad| bad.offset);
        let mut label = operand.role;
        for part in parts(operand, bad) {
            let (from, to, text, history, marked) = match part {
                Part::Whole(segment) => {
                    let history = segment.history.as_deref();
                    let marked = holds(segment, bad);
                    (
                        segment.from,
                        segment.to,
                        self.clean(&segment.text),
                        history,
                        marked,
                    )
                }
                Part::Several { from, to, count } => {
                    (from, to, format!("{count} more parts"), None, false)
                }
            };
            let offsets = format!("[{from}, {to})");
            // At least two spaces, however long the numbers are.
            let left = format!("{offsets:<width$}  {text}", width = OFFSETS - 2);
            let right = match (history, marked) {
                (Some(history), false) => self.clean(history),
                (Some(history), true) => format!("{} {FIRST_BAD}", self.clean(history)),
                (None, true) => FIRST_BAD.into(),
                (None, false) => String::new(),
            };
            self.row(label, &left, &right);
            label = "";
        }
        let last = operand.segments.last().map_or(0, |segment| segment.to);
        if bad.is_some_and(|at| at >= last) && operand.bytes.is_none_or(|bytes| bytes > last) {
            let left = format!(
                "{:<OFFSETS$}beyond what was looked up",
                format!("[{last}, ...)")
            );
            self.row("", &left, FIRST_BAD);
        }
    }

    /// A label, a text, and a remark at the right where there is room, else below.
    fn row(&mut self, label: &str, left: &str, right: &str) {
        let used = INDENT + columns(left);
        self.label(label);
        self.text.push_str(left);
        if !right.is_empty() {
            let column = (self.style.width * 3 / 4).clamp(INDENT + 40, 80);
            let gap = column.saturating_sub(used).max(2);
            if used + gap + columns(right) <= self.style.width {
                self.text.push_str(&" ".repeat(gap));
            } else if used + 2 + columns(right) <= self.style.width {
                self.text
                    .push_str(&" ".repeat(self.style.width - used - columns(right)));
            } else {
                self.text.push('\n');
                self.text.push_str(&" ".repeat(INDENT + OFFSETS));
            }
            if right.contains(FIRST_BAD) {
                self.paint(Ansi::new().fg_color(Some(AnsiColor::Red.into())), right);
            } else {
                self.text.push_str(right);
            }
        }
        self.text.push('\n');
    }

    fn paragraph(&mut self, label: &str, text: &str, right: &str) {
        if text.is_empty() {
            return;
        }
        let width = self.style.width.saturating_sub(INDENT);
        let lines = wrap(&self.clean(text), width);
        let count = lines.len();
        for (index, line) in lines.into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let right = if index + 1 == count { right } else { "" };
            self.row(label, &line, right);
        }
    }

    fn label(&mut self, label: &str) {
        let padded = format!("   {label:<5}");
        if label.is_empty() {
            self.text.push_str(&padded);
        } else {
            self.paint(Ansi::new().fg_color(Some(AnsiColor::Blue.into())), &padded);
        }
    }

    fn clean(&self, text: &str) -> String {
        clean(text, self.style.glyphs == Glyphs::Ascii)
    }

    fn paint(&mut self, style: Ansi, text: &str) {
        if self.style.colour {
            self.text.push_str(&format!("{style}{text}{style:#}"));
        } else {
            self.text.push_str(text);
        }
    }
}

//! Tables as plain text: spaces between columns, no lines, nothing at the ends, so that they
//! survive being pasted into an issue.

use anstyle::{AnsiColor, Style};

/// What a cell means, which a terminal may show in colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Doubtful,
    /// Wrong.
    Bad,
    /// Not there, or of little weight.
    Faint,
    /// A heading.
    Strong,
}

impl Tone {
    /// The style of this tone.
    pub fn style(self) -> Style {
        let color = |color: AnsiColor| Style::new().fg_color(Some(color.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Good => color(AnsiColor::Green),
            Self::Doubtful => color(AnsiColor::Yellow),
            Self::Bad => color(AnsiColor::Red).bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        }
    }

    /// Wraps a text into this tone.
    pub fn paint(self, text: &str) -> String {
        let style = self.style();
        if style.is_plain() || text.is_empty() {
            return text.to_owned();
        }
        format!("{style}{text}{style:#}")
    }
}

/// On which side a column has its fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A text in a table.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A cell with a tone.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// A table: columns, and rows of as many cells.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<Cell>>,
    indent: usize,
}

impl Table {
    /// A table with these columns; all names empty means no head.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        Self {
            columns: columns
                .iter()
                .map(|(name, align)| ((*name).to_owned(), *align))
                .collect(),
            rows: Vec::new(),
            indent: 1,
        }
    }

    /// Sets how many spaces stand before each row.
    #[must_use]
    pub fn indented(mut self, spaces: usize) -> Self {
        self.indent = spaces;
        self
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Says whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the table, one line per row.
    pub fn render(&self) -> String {
        let width = |text: &str| text.chars().count();
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(place, (name, _))| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(place))
                    .map(|cell| width(&cell.text))
                    .chain([width(name)])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut text = String::new();
        if self.columns.iter().any(|(name, _)| !name.is_empty()) {
            let head: Vec<Cell> = self
                .columns
                .iter()
                .map(|(name, _)| Cell::toned(name.clone(), Tone::Strong))
                .collect();
            self.line(&head, &widths, &mut text);
        }
        for row in &self.rows {
            self.line(row, &widths, &mut text);
        }
        text
    }

    fn line(&self, row: &[Cell], widths: &[usize], text: &mut String) {
        let last = row.iter().rposition(|cell| !cell.text.is_empty());
        text.push_str(&" ".repeat(self.indent));
        for (place, cell) in row.iter().enumerate() {
            if last.is_none_or(|last| place > last) {
                break;
            }
            let fill = " ".repeat(widths[place].saturating_sub(cell.text.chars().count()));
            let painted = cell.tone.paint(&cell.text);
            match self.columns[place].1 {
                Align::Right => {
                    text.push_str(&fill);
                    text.push_str(&painted);
                }
                Align::Left => {
                    text.push_str(&painted);
                    if Some(place) != last {
                        text.push_str(&fill);
                    }
                }
            }
            if Some(place) != last {
                text.push_str("  ");
            }
        }
        let end = text.trim_end_matches(' ').len();
        text.truncate(end);
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_end_where_the_text_ends() {
        let mut table = Table::new(&[
            ("name", Align::Left),
            ("n", Align::Right),
            ("", Align::Left),
        ]);
        table.row(vec!["a".into(), "10".into(), "x".into()]);
        table.row(vec!["longer".into(), "5".into(), "".into()]);
        assert_eq!(
            table.render(),
            " \u{1b}[1mname\u{1b}[0m     \u{1b}[1mn\u{1b}[0m\n a       10  x\n longer   5\n"
        );
    }
}

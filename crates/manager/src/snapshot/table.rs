//! Text in columns.

use std::fmt;

/// Names are on the left of their column, numbers on the right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows of cells under a heading. Plain text: a program that reads it needs no terminal.
pub(super) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(columns: impl IntoIterator<Item = (&'static str, Align)>) -> Self {
        let columns = columns.into_iter();
        Self {
            columns: columns
                .map(|(heading, align)| (heading.to_owned(), align))
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row, with a cell for each column.
    pub(super) fn push(&mut self, cells: Vec<String>) {
        // What comes from scripts and servers must not move the terminal's cursor.
        let clean = |cell: String| cell.replace(char::is_control, "\u{fffd}");
        self.rows.push(cells.into_iter().map(clean).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headings: Vec<_> = self.columns.iter().map(|column| column.0.clone()).collect();
        let lines = || std::iter::once(&headings).chain(&self.rows);
        let widths: Vec<_> = (0..headings.len())
            .map(|index| {
                let cells = lines().filter_map(|line| line.get(index));
                cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
            })
            .collect();
        for (number, line) in lines().enumerate() {
            let mut text = String::new();
            for ((cell, (_, align)), width) in line.iter().zip(&self.columns).zip(&widths) {
                let cell = match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                };
                text.push_str(&cell);
                text.push_str("  ");
            }
            if number > 0 {
                f.write_str("\n")?;
            }
            f.write_str(text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_as_wide_as_its_widest_cell() {
        let mut table = Table::new([("NAME", Align::Left), ("COUNT", Align::Right)]);
        table.push(vec!["a".to_owned(), "1".to_owned()]);
        table.push(vec!["größer".to_owned(), "1000000".to_owned()]);
        let expected = "\
NAME      COUNT
a             1
größer  1000000";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn what_would_move_the_cursor_is_not_printed() {
        let mut table = Table::new([("NAME", Align::Left)]);
        table.push(vec!["a\u{1b}[2J\nb".to_owned()]);
        assert_eq!(table.to_string(), "NAME\na\u{fffd}[2J\u{fffd}b");
    }
}

// SPDX-License-Identifier: GPL-2.0
//! What people read.

use std::fmt::Write as _;

use serde::Serialize;

use crate::error::{Error, Result};

/// Without what a terminal would do something else with: names come from anybody.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// Lines of columns that are as wide as they must be. The first row has their names.
pub fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| printable(cell)).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter().fold(String::new(), |mut text, row| {
        let line = row
            .iter()
            .zip(&widths)
            .fold(String::new(), |mut line, (cell, &width)| {
                let _ = write!(line, "{cell:width$}  ");
                line
            });
        text.push_str(line.trim_end());
        text.push('\n');
        text
    })
}

/// JSON, in one line as ip prints it.
pub fn to_json(value: &impl Serialize) -> Result<String> {
    let json = serde_json::to_string(value).map_err(|error| Error::failed(error.to_string()))?;
    Ok(json + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\n\u{9b}"), "a?[2Jb??");
        assert_eq!(printable("mt-schlüssel"), "mt-schlüssel");
    }

    #[test]
    fn columns_are_aligned() {
        let row = |cells: &[&str]| cells.iter().map(|cell| cell.to_string()).collect();
        let rows: [Vec<String>; 3] = [
            row(&["LINK", "MODE", "QUEUES"]),
            row(&["ü1", "passthru", "0"]),
            row(&["macvtap0", "vepa", ""]),
        ];
        assert_eq!(
            table(&rows),
            "LINK      MODE      QUEUES\nü1        passthru  0\nmacvtap0  vepa\n"
        );
        assert_eq!(table(&[]), "");
    }
}

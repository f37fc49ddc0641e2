// SPDX-License-Identifier: GPL-2.0
//! Bytes as text.

use std::fmt::{self, Debug, Write as _};

/// Of what is shown of long ones.
const SHOWN: usize = 96;

/// They are shown as text.
pub struct Bytes(pub Vec<u8>);

impl Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(SHOWN)];
        let rest = if shown.len() < self.0.len() {
            "..."
        } else {
            ""
        };
        write!(f, "{} bytes: {}{rest}", self.0.len(), encode(shown))
    }
}

pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || text.len() % 2 != 0 {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

// SPDX-License-Identifier: GPL-2.0
//! Sets of VLANs, as options, text and the bitmap of the kernel's interface.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Serialize, Serializer};

const FIRST: u16 = 1;
const LAST: u16 = 4094;

/// The length of the bitmap: a bit for each of 4096 numbers.
pub const BYTES: usize = 512;

/// A set of VLANs: bit N % 8 of byte N / 8 is VLAN N.
#[derive(Clone, PartialEq, Eq)]
pub struct Vlans([u8; BYTES]);

impl Vlans {
    /// No VLAN.
    pub const NONE: Vlans = Vlans([0; BYTES]);

    /// Those of a bitmap, or None if it is not one.
    pub fn from_bitmap(bytes: &[u8]) -> Option<Vlans> {
        bytes.try_into().map(Vlans).ok()
    }

    /// The bitmap.
    pub fn bitmap(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// Adds all of a range.
    pub fn add(&mut self, range: RangeInclusive<u16>) {
        for id in range {
            self.0[usize::from(id / 8)] |= 1 << (id % 8);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        *self == Vlans::NONE
    }

    fn ids(&self) -> impl Iterator<Item = u16> + '_ {
        (0..4096).filter(|id| self.0[usize::from(id / 8)] & (1 << (id % 8)) != 0)
    }
}

/// As ranges, such as "1-10, 12".
impl fmt::Display for Vlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        for id in self.ids() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == id => *last = id,
                _ => ranges.push((id, id)),
            }
        }
        let texts: Vec<String> = ranges
            .iter()
            .map(|&(first, last)| match last - first {
                0 => format!("{first}"),
                _ => format!("{first}-{last}"),
            })
            .collect();
        f.write_str(&texts.join(", "))
    }
}

impl fmt::Debug for Vlans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Vlans {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.ids())
    }
}

/// An option's value: one VLAN or a range.
pub fn range(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (id(first)?, id(last)?);
    if first > last {
        return Err(format!("{first} comes behind {last}"));
    }
    Ok(first..=last)
}

fn id(text: &str) -> Result<u16, String> {
    text.parse()
        .ok()
        .filter(|id| (FIRST..=LAST).contains(id))
        .ok_or_else(|| format!("a VLAN is a number from {FIRST} to {LAST}, or a range A-B"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vlans(ranges: &[RangeInclusive<u16>]) -> Vlans {
        let mut vlans = Vlans::NONE;
        for range in ranges {
            vlans.add(range.clone());
        }
        vlans
    }

    #[test]
    fn bits_are_where_the_kernel_looks() {
        let vlans = vlans(&[1..=1, 8..=8, 4094..=4094]);
        let mut bitmap = [0; BYTES];
        bitmap[0] = 0b0000_0010;
        bitmap[1] = 0b0000_0001;
        bitmap[511] = 0b0100_0000;
        assert_eq!(vlans.bitmap(), &bitmap);
        assert_eq!(Vlans::from_bitmap(&bitmap), Some(vlans));
    }

    #[test]
    fn bitmaps_of_another_length() {
        assert_eq!(Vlans::from_bitmap(&[]), None);
        assert_eq!(Vlans::from_bitmap(&[0; BYTES - 1]), None);
        assert_eq!(Vlans::from_bitmap(&[0; BYTES + 1]), None);
    }

    #[test]
    fn shown_as_ranges() {
        assert_eq!(Vlans::NONE.to_string(), "");
        assert_eq!(vlans(&[7..=7]).to_string(), "7");
        assert_eq!(vlans(&[12..=12, 1..=3, 4..=10]).to_string(), "1-10, 12");
        assert_eq!(vlans(&[1..=4094]).to_string(), "1-4094");
    }

    #[test]
    fn in_json_one_by_one() {
        let json = serde_json::to_string(&vlans(&[2..=4, 100..=100])).unwrap();
        assert_eq!(json, "[2,3,4,100]");
    }

    #[test]
    fn options() {
        assert_eq!(range("7"), Ok(7..=7));
        assert_eq!(range("1-4094"), Ok(1..=4094));
        assert_eq!(range("5-5"), Ok(5..=5));
        for text in ["", "0", "4095", "5-4", "1-4095", "1-", "-1", "1-2-3", "x"] {
            assert!(range(text).is_err(), "{text}");
        }
    }
}

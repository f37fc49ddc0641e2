// SPDX-License-Identifier: GPL-2.0
//! The lengths of frames that the tests of both directions go through.

use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::tap::Tap;

/// Every length where something may change (an sk_buff that is linear, one
/// with pages, one page, several), and steps through all others.
const RANGES: &[(usize, usize, usize)] = &[
    (60, 300, 1),
    (1480, 1540, 1),
    (1984, 2112, 1),
    (3700, 4160, 3),
    (8120, 8200, 7),
    (16_300, 16_400, 13),
    (32_700, 32_800, 13),
    (300, 65_500, 997),
    (65_500, 65_535, 1),
];

/// A case for each range; `check` sends a frame and verifies what arrives.
pub fn cases(check: fn(&Wire, &Tap, usize)) -> Vec<Case> {
    let case = |&(first, last, step): &(usize, usize, usize)| {
        Case::new(format!("lengths {first} to {last} by {step}"), move || {
            let wire = Wire::jumbo();
            let tap = Tap::open(&wire.link);
            for length in (first..=last).step_by(step) {
                check(&wire, &tap, length);
            }
        })
    };
    RANGES.iter().map(case).collect()
}

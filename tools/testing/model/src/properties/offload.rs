// SPDX-License-Identifier: GPL-2.0

//! What the flags of `TUNSETOFFLOAD` mean: all of them.

use crate::offload::{
    accepted,
    Offloads, //
};
use kernel::prelude::*;
use kernel_net::net::device::Features;

const CSUM: usize = 0x01;
const TSO4: usize = 0x02;
const TSO6: usize = 0x04;
const TSO_ECN: usize = 0x08;
const USO4: usize = 0x20;
const USO6: usize = 0x40;

/// All flags that there are.
const KNOWN: usize = 0x7f;

/// What `set_offload()` makes of flags, its way.
fn in_c(arg: usize) -> u64 {
    let mut features = 0;
    if arg & CSUM != 0 {
        features = Features::HW_CSUM.bits();
        if arg & (TSO4 | TSO6) != 0 {
            if arg & TSO_ECN != 0 {
                features |= Features::TSO_ECN.bits();
            }
            if arg & TSO4 != 0 {
                features |= Features::TSO.bits();
            }
            if arg & TSO6 != 0 {
                features |= Features::TSO6.bits();
            }
        }
        if arg & (USO4 | USO6) == (USO4 | USO6) {
            features |= Features::GSO_UDP_L4.bits();
        }
    }
    features
}

#[test]
fn every_combination_is_as_in_c() {
    for flags in 0..=KNOWN {
        let offloads = Offloads::try_from(flags).unwrap();
        assert_eq!(offloads.features().bits(), in_c(flags), "{flags:#x}");

        let segments = Features::TSO.bits() | Features::TSO6.bits() | Features::GSO_UDP_L4.bits();
        let merged = in_c(flags) & segments != 0;
        let off = !offloads.allowed().bits();
        assert_eq!(off == 0, merged, "{flags:#x}");
        assert!(off == 0 || off == Features::GRO.bits(), "{flags:#x}");
    }
}

#[test]
fn unknown_flags_are_refused() {
    for flags in 0..=KNOWN {
        for bit in 7..usize::BITS {
            let offloads = Offloads::try_from(flags | (1 << bit));
            assert_eq!(offloads.err(), Some(EINVAL), "{flags:#x}, bit {bit}");
        }
    }
}

/// A reader without a header gets nothing that there is something left to do with.
#[test]
fn nothing_is_accepted_that_nobody_tells_of() {
    let needs_header = Features::CSUM_MASK.bits() | Features::GSO_MASK.bits();
    for flags in 0..=KNOWN {
        let features = Offloads::try_from(flags).unwrap().features();
        assert_eq!(accepted(features, false).bits() & needs_header, 0);
        let with_header = accepted(features, true);
        assert_eq!(with_header.bits() & needs_header, features.bits());
        assert!(with_header.contains(accepted(features, false)));
    }
}

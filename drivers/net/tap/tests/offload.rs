// SPDX-License-Identifier: GPL-2.0

//! What the flags of `TUNSETOFFLOAD` mean.

use crate::offload::Offloads;
use kernel::prelude::*;
use kernel_net::net::device::Features;

/// The rule of `set_offload()` for each feature: the device has it if the reader has all of the
/// first flags and one of the second. The numbers are those of `if_tun.h`.
const RULES: [(Features, usize, usize); 5] = [
    (Features::HW_CSUM, 0x01, 0x01),
    (Features::TSO, 0x01 | 0x02, 0x02),
    (Features::TSO6, 0x01 | 0x04, 0x04),
    (Features::TSO_ECN, 0x01 | 0x08, 0x02 | 0x04),
    (Features::GSO_UDP_L4, 0x01 | 0x20 | 0x40, 0x20),
];

/// All flags that there are: `TUN_F_CSUM`, `TSO4`, `TSO6`, `TSO_ECN`, `UFO`, `USO4` and `USO6`.
const KNOWN: usize = 0x7f;

fn expected(flags: usize) -> Features {
    let mut features = Features::NONE;
    for (feature, all, any) in RULES {
        if flags & all == all && flags & any != 0 {
            features = features.with(feature);
        }
    }
    features
}

#[kunit_tests(tap_offload)]
mod suite {
    use super::*;

    #[test]
    fn features_of_every_combination() {
        for flags in 0..=KNOWN {
            let features = Offloads::try_from(flags).map(Offloads::features);
            if features != Ok(expected(flags)) {
                pr_err!("flags {flags:#x}\n");
            }
            assert_eq!(features, Ok(expected(flags)));
        }
    }

    #[test]
    fn unknown_flags_are_refused() {
        for known in 0..=KNOWN {
            for bit in 7..usize::BITS {
                let offloads = Offloads::try_from(known | 1 << bit);
                assert_eq!(offloads.err(), Some(EINVAL));
            }
        }
    }

    #[test]
    fn merging_is_for_readers_of_segments() -> Result {
        for flags in 0..=KNOWN {
            let allowed = Offloads::try_from(flags)?.allowed();
            // Unlike C, LRO is never switched: the lower device would not get it back.
            let off = Features::ALL.bits() & !allowed.bits();
            let takes_segments = flags & 0x01 != 0 && (flags & 0x06 != 0 || flags & 0x60 == 0x60);
            let gro = if takes_segments {
                0
            } else {
                Features::GRO.bits()
            };
            assert_eq!(off, gro);
        }
        Ok(())
    }
}

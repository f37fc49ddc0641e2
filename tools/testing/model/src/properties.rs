// SPDX-License-Identifier: GPL-2.0

//! Properties, on inputs of which proptest makes up some, with overflow checks on.

mod ioctl;
mod offload;
mod table;
mod vnet;

use proptest::{
    prelude::ProptestConfig,
    test_runner::RngSeed, //
};

/// So many cases; fewer where each takes a thousand times as long.
fn cases(number: u32) -> ProptestConfig {
    ProptestConfig {
        // The same in each run: what a mutant escapes it always escapes.
        rng_seed: RngSeed::Fixed(7),
        cases: if cfg!(miri) { number / 500 } else { number },
        // Who wants to see a failure again writes a test for it.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

// SPDX-License-Identifier: GPL-2.0
//! How much memory queues and links take.

use super::meter::Meter;
use crate::groups::scale::{make_links, weighed};
use crate::setup::Wire;
use crate::sys::process;
use crate::sys::tap::Tap;

const QUEUE: &str = "memory of a queue";
const LINK: &str = "memory of a link";

const QUEUES: usize = 200;
const LINKS: usize = 50;

/// A cold one, and warm ones.
const ROUNDS: usize = 6;

/// All stay until the end: what is given back is taken again first.
pub fn measure(meter: &mut Meter) {
    if !meter.wants_any(&[QUEUE, LINK], false) {
        return;
    }
    let wire = Wire::new();
    process::wait_idle();
    let mut all = Vec::new();
    for round in 0..ROUNDS {
        let numbers = round * LINKS..(round + 1) * LINKS;
        let (links, bytes) = weighed(LINKS, || make_links(&wire, numbers));
        meter.add(LINK, "bytes", bytes as f64);

        let (taps, bytes) = weighed(QUEUES, || {
            let open = |_| Tap::open(&links[0]);
            (0..QUEUES).map(open).collect::<Vec<_>>()
        });
        meter.add(QUEUE, "bytes", bytes as f64);
        all.push((taps, links));
    }
    // The files before their links.
    for (taps, links) in all {
        drop(taps);
        drop(links);
    }
}

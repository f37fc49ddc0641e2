// SPDX-License-Identifier: GPL-2.0
//! Files that are opened and closed, and queues that are attached and detached.

use std::time::Duration;

use super::meter::Meter;
use crate::setup::Lone;
use crate::sys::tap::Tap;
use crate::sys::{clock, process, wait};

const OPEN: &str = "open";
const CLOSE: &str = "close";
const CLOSE_AWAKE: &str = "close, without waiting";
const ATTACH: &str = "attach a queue";
const DETACH: &str = "detach a queue";

const BURST: usize = 8;

pub fn measure(meter: &mut Meter) {
    if !meter.wants_any(&[OPEN, CLOSE, CLOSE_AWAKE, ATTACH, DETACH], true) {
        return;
    }
    let Lone { tap, link, .. } = &Lone::new();
    process::wait_idle();
    for _ in 0..meter.rounds() {
        let mut taps = Vec::with_capacity(BURST);
        meter.repeat(OPEN, BURST, || {
            taps.push(Tap::open(link));
        });
        let start = clock::elapsed();
        meter.time_awake(CLOSE_AWAKE, BURST, || {
            for tap in taps {
                tap.close().expect("close");
            }
        });
        meter.add_time(CLOSE, BURST, clock::elapsed() - start);
        // What was closed is freed now, and not in the next round.
        wait::grace_period();
    }
    for _ in 0..meter.rounds() {
        let mut spent = [Duration::ZERO; 2];
        for _ in 0..BURST {
            for (spent, flags) in spent
                .iter_mut()
                .zip([libc::IFF_DETACH_QUEUE, libc::IFF_ATTACH_QUEUE])
            {
                let start = clock::elapsed();
                tap.set_queue(flags).expect("TUNSETQUEUE");
                *spent += clock::elapsed() - start;
            }
        }
        let [detach, attach] = spent;
        meter.add_time(DETACH, BURST, detach);
        meter.add_time(ATTACH, BURST, attach);
    }
}

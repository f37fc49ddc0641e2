// SPDX-License-Identifier: GPL-2.0
//! Frames as network cards deliver them: with space before them. tun is the lower
//! device, which does so.

use super::frames::tagged;
use super::meter::Meter;
use super::segment::incoming;
use crate::sys::link::{Macvtap, LOWER};
use crate::sys::process;
use crate::sys::tap::Tap;
use crate::sys::tun::Tun;
use crate::vnet;

const BURST: usize = 32;

pub fn measure(meter: &mut Meter) {
    for length in [60, 1500] {
        let frame = incoming(length);
        receive(meter, &format!("{length} B from a card"), &frame);
        let frame = tagged(&frame);
        receive(meter, &format!("{length} B from a card, tagged"), &frame);
    }
}

fn receive(meter: &mut Meter, name: &str, frame: &[u8]) {
    let [inject, read] = ["inject", "read"].map(|path| format!("{path} {name}"));
    if !meter.wants_any(&[&inject, &read], true) {
        return;
    }
    let (tun, lower) = Tun::new(LOWER);
    let link = Macvtap::default().create(&lower).expect("a macvtap link");
    for link in [&lower, &link] {
        link.set_up(true).expect("a link that is up");
    }
    process::wait_idle();
    let tap = Tap::open(&link);
    let bytes = vnet::plain(frame);
    let mut buffer = vec![0; bytes.len()];
    for _ in 0..meter.rounds() {
        meter.repeat(&inject, BURST, || {
            assert_eq!(tun.send(&bytes), Ok(bytes.len()));
        });
        meter.repeat(&read, BURST, || {
            assert_eq!(tap.read(&mut buffer), Ok(bytes.len()));
        });
    }
    tap.assert_empty();
    drop(tap);
    link.delete().expect("a link to delete");
}

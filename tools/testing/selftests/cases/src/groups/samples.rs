// SPDX-License-Identifier: GPL-2.0
//! The least that a program does to read and write frames: samples/reflect.c and reflect-rs.

use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::link::{Mac, PEER_MAC, TAP_MAC};
use crate::sys::sample::Sample;

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = vec![];
    for name in ["reflect", "reflect-rs"] {
        cases.push(Case::new(format!("{name}: reflects"), || reflects(name)));
        cases.push(Case::new(format!("{name}: no node"), || no_node(name)));
    }
    cases
}

fn reflects(name: &'static str) {
    let wire = Wire::new();
    let sample = Sample::start(name, &[&wire.link.node()]);
    // It has turned the header off then.
    let tap = sample.queue();
    crate::sys::wait::until("the header to be off", || {
        let flags = tap.name_and_flags().expect("TUNGETIFF").1;
        flags & libc::IFF_VNET_HDR == 0
    });
    const BROADCAST: Mac = [0xff; 6];
    for length in [14, 15, 60, 1000, 1514] {
        for destination in [TAP_MAC, BROADCAST] {
            let mut frame = frame::raw(destination, PEER_MAC, length);
            wire.peer.send(&frame);
            frame[..6].copy_from_slice(&PEER_MAC);
            frame[6..12].copy_from_slice(&TAP_MAC);
            frame::assert_same(&wire.peer.receive().frame, &frame);
        }
    }
    wire.peer.assert_empty();
}

fn no_node(name: &'static str) {
    let (status, said) = Sample::start(name, &["/dev/tap0"]).end();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("/dev/tap0: No such file"), "it says {said}");
}

// SPDX-License-Identifier: GPL-2.0
//! What TUNSETOFFLOAD does to the features of the link, and of the one below.

use crate::driver::Driver;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::ethtool;
use crate::sys::link::{Link, Macvtap, LOWER};
use crate::sys::tap::Tap;

const SEGMENTS: u32 = libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6;

pub fn cases(driver: Driver) -> Vec<Case> {
    let kept = driver.has_our_tap();
    vec![
        Case::new("GRO is the lower device's", gro),
        Case::new("lower device's LRO", move || lower_lro(kept)),
        Case::new("feature that comes back below", comes_back),
    ]
}

/// macvlan takes it over, whatever readers take.
fn gro() {
    let lower = Link::bond(LOWER);
    let link = Macvtap::default().create(&lower).expect("a macvtap link");
    let tap = Tap::open(&link);
    for offloads in [0, SEGMENTS, libc::TUN_F_CSUM] {
        tap.set_offload(offloads).expect("TUNSETOFFLOAD");
        assert!(ethtool::gro(&link), "offloads {offloads:#x}");
    }
}

/// In C, who has a queue open switches LRO of a physical device off for good.
fn lower_lro(kept: bool) {
    let lower = Link::bond(LOWER);
    let link = Macvtap::default().create(&lower).expect("a macvtap link");
    assert!(ethtool::lro(&lower), "LRO at first");

    let tap = Tap::open(&link);
    tap.set_offload(0).expect("TUNSETOFFLOAD");
    assert_eq!(ethtool::lro(&lower), kept, "LRO without offloads");
    tap.set_offload(SEGMENTS).expect("TUNSETOFFLOAD");
    assert_eq!(ethtool::lro(&lower), kept, "LRO with offloads");
    drop(tap);
    link.delete().expect("the link to be deleted");
    assert_eq!(ethtool::lro(&lower), kept, "LRO without the link");
}

fn comes_back() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    assert!(ethtool::receive_checksums(&wire.link), "at first");
    ethtool::set_receive_checksums(&wire.lower, false);
    assert!(!ethtool::receive_checksums(&wire.link), "off below");
    tap.set_offload(SEGMENTS).expect("TUNSETOFFLOAD");
    ethtool::set_receive_checksums(&wire.lower, true);
    assert!(ethtool::receive_checksums(&wire.link), "on again");
}

// SPDX-License-Identifier: GPL-2.0
//! What each mode promises about two links on one lower device.

use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVtap, LinkAttribute, LinkInfo, MacVtapMacAddressMode, MacVtapMode,
};
use nix::errno::Errno;

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::link::{Link, Mac, Macvtap, OTHER_MAC, PEER_MAC, TAP2, TAP2_MAC, TAP_MAC};
use crate::sys::tap::Tap;
use crate::vnet;

const BROADCAST: Mac = [0xff; 6];

pub fn cases(_: Driver) -> Vec<Case> {
    cases![
        bridge_forwards_between_links,
        bridge_floods_broadcasts,
        private_isolates_links,
        vepa_leaves_it_to_the_switch,
        vepa_takes_what_the_switch_returns,
        passthru_takes_everything,
        passthru_is_alone,
        source_takes_from_those_listed,
        mode_changes_while_in_use,
    ]
}

struct Two {
    near: Tap,
    far: Tap,
    _far_link: Link,
    wire: Wire,
}

fn two(mode: MacVtapMode) -> Two {
    let wire = Wire::with(Macvtap {
        mode,
        ..Macvtap::default()
    });
    let far_link = wire.second(mode);
    Two {
        near: Tap::open(&wire.link),
        far: Tap::open(&far_link),
        _far_link: far_link,
        wire,
    }
}

fn write(tap: &Tap, frame: &[u8]) {
    let bytes = vnet::plain(frame);
    assert_eq!(tap.write(&bytes), Ok(bytes.len()));
}

fn bridge_forwards_between_links() {
    let two = two(MacVtapMode::Bridge);
    let frame = frame::raw(TAP2_MAC, TAP_MAC, 100);
    write(&two.near, &frame);
    frame::assert_same(&two.far.receive_frame().1, &frame);
    let frame = frame::raw(TAP_MAC, TAP2_MAC, 101);
    write(&two.far, &frame);
    frame::assert_same(&two.near.receive_frame().1, &frame);
    two.wire.assert_nothing_sent();

    let frame = frame::outgoing(102);
    write(&two.near, &frame);
    frame::assert_same(&two.wire.peer.receive().frame, &frame);
    two.far.assert_empty();
}

fn bridge_floods_broadcasts() {
    let two = two(MacVtapMode::Bridge);
    let frame = frame::raw(BROADCAST, TAP_MAC, 100);
    write(&two.near, &frame);
    frame::assert_same(&two.far.receive_frame().1, &frame);
    frame::assert_same(&two.wire.peer.receive().frame, &frame);
    two.near.assert_empty();
}

fn private_isolates_links() {
    let two = two(MacVtapMode::Private);
    let frame = frame::raw(TAP2_MAC, TAP_MAC, 100);
    write(&two.near, &frame);
    frame::assert_same(&two.wire.peer.receive().frame, &frame);
    // Not even by way of a switch that returns it: for broadcasts.
    let returned = frame::raw(BROADCAST, TAP_MAC, 101);
    two.wire.peer.send(&returned);
    let marker = frame::raw(TAP2_MAC, PEER_MAC, 102);
    two.wire.peer.send(&marker);
    frame::assert_same(&two.far.receive_frame().1, &marker);
    two.far.assert_empty();
}

fn vepa_leaves_it_to_the_switch() {
    let two = two(MacVtapMode::Vepa);
    for destination in [TAP2_MAC, BROADCAST] {
        let frame = frame::raw(destination, TAP_MAC, 100);
        write(&two.near, &frame);
        frame::assert_same(&two.wire.peer.receive().frame, &frame);
        two.far.assert_empty();
    }
}

fn vepa_takes_what_the_switch_returns() {
    let two = two(MacVtapMode::Vepa);
    for destination in [TAP2_MAC, BROADCAST] {
        let frame = frame::raw(destination, TAP_MAC, 100);
        two.wire.peer.send(&frame);
        frame::assert_same(&two.far.receive_frame().1, &frame);
        two.near.assert_empty();
    }
}

fn passthru() -> Macvtap {
    Macvtap {
        mode: MacVtapMode::Passthrough,
        ..Macvtap::default()
    }
}

fn passthru_takes_everything() {
    let wire = Wire::with(passthru());
    let tap = Tap::open(&wire.link);
    let lower = wire.lower.get().expect("the lower device");
    assert!(lower.attributes.contains(&LinkAttribute::Promiscuity(1)));
    for destination in [TAP_MAC, OTHER_MAC, BROADCAST, [0x01, 0, 0x5e, 0, 0, 1]] {
        let frame = frame::raw(destination, PEER_MAC, 100);
        wire.peer.send(&frame);
        frame::assert_same(&tap.receive_frame().1, &frame);
    }
}

fn passthru_is_alone() {
    let wire = Wire::with(passthru());
    for mode in [MacVtapMode::Passthrough, MacVtapMode::Bridge] {
        let second = Macvtap {
            name: TAP2,
            address: TAP2_MAC,
            mode,
            ..Macvtap::default()
        };
        assert_eq!(second.create(&wire.lower).err(), Some(Errno::EINVAL));
    }
}

fn source_takes_from_those_listed() {
    let wire = Wire::with(Macvtap {
        mode: MacVtapMode::Source,
        data: vec![
            InfoMacVtap::MacAddrMode(MacVtapMacAddressMode::Add),
            InfoMacVtap::MacAddr(PEER_MAC),
        ],
        ..Macvtap::default()
    });
    let tap = Tap::open(&wire.link);
    let listed = frame::raw(OTHER_MAC, PEER_MAC, 100);
    for _ in 0..2 {
        wire.peer.send(&frame::raw(TAP_MAC, OTHER_MAC, 101));
        wire.peer.send(&listed);
        frame::assert_same(&tap.receive_frame().1, &listed);
        tap.assert_empty();
    }
}

fn mode_changes_while_in_use() {
    let two = two(MacVtapMode::Bridge);
    let frame = frame::raw(TAP2_MAC, TAP_MAC, 100);
    for _ in 0..2 {
        set_mode(&two.wire.link, MacVtapMode::Vepa);
        write(&two.near, &frame);
        frame::assert_same(&two.wire.peer.receive().frame, &frame);
        set_mode(&two.wire.link, MacVtapMode::Bridge);
        write(&two.near, &frame);
        frame::assert_same(&two.far.receive_frame().1, &frame);
    }
}

fn set_mode(link: &Link, mode: MacVtapMode) {
    link.set(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::MacVtap),
        LinkInfo::Data(InfoData::MacVtap(vec![InfoMacVtap::Mode(mode)])),
    ]))
    .expect("another mode");
}

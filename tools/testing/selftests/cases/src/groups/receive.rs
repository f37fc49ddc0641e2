// SPDX-License-Identifier: GPL-2.0
//! Frames from the wire, byte by byte as the reader gets them.

use netlink_packet_route::link::MacVtapMode;

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::groups::lengths;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::link::{Mac, Macvtap, OTHER_MAC, PEER_MAC};
use crate::sys::packet::{PacketSocket, ALL};
use crate::sys::tap::Tap;
use crate::vnet::VnetHeader;

const BROADCAST: Mac = [0xff; 6];
/// Of IPv6's all-nodes address.
const MULTICAST: Mac = [0x33, 0x33, 0, 0, 0, 1];

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = lengths::cases(|wire, tap, length| {
        let frame = frame::incoming(length);
        wire.peer.send(&frame);
        let (header, received) = tap.receive_frame();
        assert_eq!(header, VnetHeader::default());
        frame::assert_same(&received, &frame);
    });
    cases.extend(cases![
        shortest,
        without_header,
        broadcast,
        multicast_in_promiscuous_mode,
        somebody_elses,
        link_is_down,
        without_queue_the_host_gets_it,
        with_queue_the_host_does_not_get_it,
        detached_queue_keeps_its_frames,
    ]);
    cases
}

fn shortest() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for length in frame::ETHERNET_HEADER..60 {
        let frame = frame::incoming(length);
        wire.peer.send(&frame);
        frame::assert_same(&tap.receive_frame().1, &frame);
    }
}

fn without_header() {
    let wire = Wire::jumbo();
    let tap = Tap::open(&wire.link);
    tap.set_bare();
    for length in [60, 1514, 4096, 65_535] {
        let frame = frame::incoming(length);
        wire.peer.send(&frame);
        frame::assert_same(&tap.receive(), &frame);
    }
}

fn broadcast() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frame = frame::raw(BROADCAST, PEER_MAC, 100);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
}

fn multicast_in_promiscuous_mode() {
    let wire = Wire::with(Macvtap {
        mode: MacVtapMode::Passthrough,
        ..Macvtap::default()
    });
    let tap = Tap::open(&wire.link);
    let frame = frame::raw(MULTICAST, PEER_MAC, 100);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
}

fn somebody_elses() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    wire.peer.send(&frame::raw(OTHER_MAC, PEER_MAC, 100));
    wire.assert_nothing_arrived(&tap);
}

fn link_is_down() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    wire.link.set_up(false).expect("a link that is down");
    let passing = PacketSocket::open(&wire.lower, ALL);
    wire.peer.send(&frame::incoming(100));
    passing.receive();
    wire.link.set_up(true).expect("a link that is up");
    wire.link.wait_operational();
    wire.assert_nothing_arrived(&tap);
}

/// What of the host's stack stands behind the link.
fn host_of(wire: &Wire) -> PacketSocket {
    // For one protocol: a socket for all would see frames before the driver.
    PacketSocket::open(&wire.link, frame::ETHERTYPE)
}

fn without_queue_the_host_gets_it() {
    let wire = Wire::new();
    let host = host_of(&wire);
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    frame::assert_same(&host.receive().frame, &frame);

    let tap = Tap::open(&wire.link);
    tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    wire.peer.send(&frame);
    frame::assert_same(&host.receive().frame, &frame);
    tap.assert_empty();
}

fn with_queue_the_host_does_not_get_it() {
    let wire = Wire::new();
    let host = host_of(&wire);
    let tap = Tap::open(&wire.link);
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
    host.assert_empty();
}

fn detached_queue_keeps_its_frames() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frames = [frame::incoming(100), frame::incoming(101)];
    wire.peer.send(&frames[0]);
    tap.wait_readable();
    tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    tap.set_queue(libc::IFF_ATTACH_QUEUE).expect("attach");
    wire.peer.send(&frames[1]);
    for frame in &frames {
        frame::assert_same(&tap.receive_frame().1, frame);
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Checksums that one side leaves to the other.

use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol};
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::ethtool;
use crate::sys::link::TAP2_MAC;
use crate::sys::tap::Tap;
use crate::vnet::{self, VnetHeader};

const PROTOCOLS: [Protocol; 4] = [
    Protocol::Tcp4,
    Protocol::Tcp6,
    Protocol::Udp4,
    Protocol::Udp6,
];

type Check = fn(Protocol);

const CASES: &[(&str, Check)] = &[
    ("read as it is", read_as_it_is),
    ("completed for a reader without offload", read_completed),
    ("completed for a reader without header", read_bare),
    ("read complete", read_complete),
    ("written as it is", written_as_it_is),
    ("written, completed by the lower device", written_completed),
    ("written complete", written_complete),
    ("written wrong", written_wrong),
    ("from tap to tap", from_tap_to_tap),
];

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = Vec::new();
    for &(name, check) in CASES {
        for protocol in PROTOCOLS {
            let name = format!("{protocol:?} {name}");
            cases.push(Case::new(name, move || check(protocol)));
        }
    }
    // GRO leaves UDP's to the socket.
    for protocol in [Protocol::Tcp4, Protocol::Tcp6] {
        let name = format!("{protocol:?} found right by the lower device");
        cases.push(Case::new(name, move || read_checked(protocol)));
    }
    cases
}

/// An odd length, for the last byte has a place of its own in the sum.
const PAYLOAD: usize = 333;

/// Which checksum is right is the sender's doing; what must hold after someone
/// else completes it is the same for all.
fn assert_completable(header: VnetHeader, frame: &[u8]) {
    frame::assert_checksums(&frame::completed(header, frame));
}

fn read_as_it_is(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (header, frame) = Packet::incoming(protocol, PAYLOAD).build_partial();
    // What a new link starts with, and what is asked for.
    for _ in 0..2 {
        wire.peer.send_with(header, &frame);
        let (seen, received) = tap.receive_frame();
        assert_eq!(seen, header);
        frame::assert_same(&received, &frame);
        assert_completable(seen, &received);
        tap.set_offload(libc::TUN_F_CSUM).expect("TUNSETOFFLOAD");
    }
}

fn read_completed(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_offload(0).expect("TUNSETOFFLOAD");
    let packet = Packet::incoming(protocol, PAYLOAD);
    let (header, frame) = packet.build_partial();
    wire.peer.send_with(header, &frame);
    let (seen, received) = tap.receive_frame();
    assert_eq!(seen, VnetHeader::default());
    frame::assert_same(&received, &packet.build());
}

fn read_bare(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_bare();
    let packet = Packet::incoming(protocol, PAYLOAD);
    let (header, frame) = packet.build_partial();
    wire.peer.send_with(header, &frame);
    frame::assert_same(&tap.receive(), &packet.build());
}

fn read_complete(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frame = Packet::incoming(protocol, PAYLOAD).build();
    for bits in [libc::TUN_F_CSUM, 0] {
        tap.set_offload(bits).expect("TUNSETOFFLOAD");
        wire.peer.send(&frame);
        let (seen, received) = tap.receive_frame();
        assert_eq!(seen, VnetHeader::default());
        frame::assert_same(&received, &frame);
    }
}

/// Readers need not look at a checksum again that the host has found right; one
/// that is wrong is for them to find.
fn read_checked(protocol: Protocol) {
    let wire = Wire::new();
    // GRO of veth takes what comes from a device that does not segment.
    ethtool::disable_transmit_offloads(&wire.peer_link);
    ethtool::enable_gro(&wire.lower);
    let tap = Tap::open(&wire.link);
    let right = Packet::incoming(protocol, PAYLOAD).build();
    let mut wrong = right.clone();
    wrong[frame::transport_start(&right) + 16] ^= 1;
    for (frame, flags) in [(right, vnet::F_DATA_VALID), (wrong, 0)] {
        wire.peer.send(&frame);
        let (seen, received) = tap.receive_frame();
        let wanted = VnetHeader {
            flags,
            ..VnetHeader::default()
        };
        assert_eq!(seen, wanted);
        frame::assert_same(&received, &frame);
    }
}

fn write(tap: &Tap, header: VnetHeader, frame: &[u8]) {
    let bytes = header.with(frame);
    assert_eq!(tap.write(&bytes), Ok(bytes.len()));
}

fn written_as_it_is(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (header, frame) = Packet::outgoing(protocol, PAYLOAD).build_partial();
    write(&tap, header, &frame);
    let received = wire.peer.receive();
    assert_eq!(received.header, header);
    frame::assert_same(&received.frame, &frame);
    assert_completable(received.header, &received.frame);
}

fn written_completed(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    ethtool::disable_transmit_offloads(&wire.lower);
    let packet = Packet::outgoing(protocol, PAYLOAD);
    let (header, frame) = packet.build_partial();
    write(&tap, header, &frame);
    let received = wire.peer.receive();
    assert_eq!(received.header, VnetHeader::default());
    frame::assert_same(&received.frame, &packet.build());
}

fn written_complete(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frame = Packet::outgoing(protocol, PAYLOAD).build();
    let header = VnetHeader {
        flags: vnet::F_DATA_VALID,
        ..VnetHeader::default()
    };
    write(&tap, header, &frame);
    frame::assert_same(&wire.peer.receive().frame, &frame);
}

/// It is nobody's business on the way.
fn written_wrong(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    ethtool::disable_transmit_offloads(&wire.lower);
    let mut frame = Packet::outgoing(protocol, PAYLOAD).build();
    *frame.last_mut().expect("a byte") ^= 1;
    write(&tap, VnetHeader::default(), &frame);
    frame::assert_same(&wire.peer.receive().frame, &frame);
}

fn from_tap_to_tap(protocol: Protocol) {
    let pair = Pair::new(libc::O_NONBLOCK);
    let packet = Packet {
        destination: TAP2_MAC,
        ..Packet::outgoing(protocol, PAYLOAD)
    };
    let (header, frame) = packet.build_partial();
    write(&pair.near, header, &frame);
    let (seen, received) = pair.far.receive_frame();
    assert_eq!(seen, header);
    frame::assert_same(&received, &frame);

    pair.far.set_offload(0).expect("TUNSETOFFLOAD");
    write(&pair.near, header, &frame);
    let (seen, received) = pair.far.receive_frame();
    assert_eq!(seen, VnetHeader::default());
    frame::assert_same(&received, &packet.build());
}

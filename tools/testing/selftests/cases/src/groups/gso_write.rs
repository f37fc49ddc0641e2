// SPDX-License-Identifier: GPL-2.0
//! Long packets that are written in one piece.

use etherparse::{NetSlice, SlicedPacket};

use crate::cases;
use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol};
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::ethtool;
use crate::sys::link::TAP2_MAC;
use crate::sys::tap::Tap;
use crate::vnet::{self, VnetHeader};

const SIZE: u16 = 1000;
/// Payloads, with a short last piece and without one.
const PAYLOADS: [usize; 3] = [1001, 5000, 60_123];

type Check = fn(Protocol);

/// Not for UDP, of which it is refused: the group vnet_header tells.
const WITHOUT_CHECKSUM: &str = "without checksum to be completed";
const TO_TAP_WHOLE: &str = "to another tap, whole";

const CASES: &[(&str, Check)] = &[
    ("sent whole", whole),
    ("segmented for the lower device", segmented),
    (WITHOUT_CHECKSUM, without_checksum),
    (TO_TAP_WHOLE, to_tap_whole),
    ("to another tap, segmented", to_tap_segmented),
];

pub fn cases(driver: Driver) -> Vec<Case> {
    let mut cases = Vec::new();
    for &(name, check) in CASES {
        for protocol in [
            Protocol::Tcp4,
            Protocol::Tcp6,
            Protocol::Udp4,
            Protocol::Udp6,
        ] {
            let for_udp = match name {
                WITHOUT_CHECKSUM => false,
                TO_TAP_WHOLE => driver.passes_udp_whole(),
                _ => true,
            };
            if !for_udp && !protocol.is_tcp() {
                continue;
            }
            let name = format!("{protocol:?} {name}");
            cases.push(Case::new(name, move || check(protocol)));
        }
    }
    cases.extend(cases![ecn_segmented, udp_fragmented, longest, longer]);
    cases
}

fn write(tap: &Tap, header: VnetHeader, frame: &[u8]) {
    let bytes = header.with(frame);
    assert_eq!(tap.write(&bytes), Ok(bytes.len()));
}

/// The header, but for the hint about the length of the headers.
fn assert_header(seen: VnetHeader, wanted: VnetHeader) {
    let hdr_len = wanted.hdr_len;
    assert_eq!(VnetHeader { hdr_len, ..seen }, wanted);
}

fn packet(protocol: Protocol, payload: usize) -> (VnetHeader, Vec<u8>) {
    Packet::outgoing(protocol, payload).build_gso(SIZE)
}

fn whole(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for payload in PAYLOADS {
        let (header, frame) = packet(protocol, payload);
        write(&tap, header, &frame);
        let received = wire.peer.receive();
        assert_header(received.header, header);
        frame::assert_same(&received.frame, &frame);
    }
    wire.peer.assert_empty();
}

/// Frames that have `flags` and nothing else in their headers.
fn receive_segments(wire: &Wire, count: usize, flags: u8) -> Vec<Vec<u8>> {
    let wanted = VnetHeader {
        flags,
        ..VnetHeader::default()
    };
    let receive = |_| {
        let received = wire.peer.receive();
        assert_eq!(received.header, wanted);
        received.frame
    };
    let segments = (0..count).map(receive).collect();
    wire.peer.assert_empty();
    segments
}

fn assert_segmented(wire: &Wire, tap: &Tap, header: VnetHeader, frame: &[u8]) {
    write(tap, header, frame);
    let size = usize::from(header.gso_size);
    let count = frame::payload(frame).len().div_ceil(size);
    frame::assert_segments(&receive_segments(wire, count, 0), frame, size);
}

fn segmented(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    ethtool::disable_transmit_offloads(&wire.lower);
    for payload in PAYLOADS {
        let (header, frame) = packet(protocol, payload);
        assert_segmented(&wire, &tap, header, &frame);
    }
}

fn without_checksum(protocol: Protocol) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (wanted, partial) = packet(protocol, 5000);
    let header = VnetHeader {
        flags: 0,
        csum_start: 0,
        csum_offset: 0,
        ..wanted
    };
    let frame = Packet::outgoing(protocol, 5000).build();
    write(&tap, header, &frame);
    // The kernel leaves it open, for every segment has its own.
    let received = wire.peer.receive();
    assert_header(received.header, wanted);
    frame::assert_same(&received.frame, &partial);

    ethtool::disable_transmit_offloads(&wire.lower);
    assert_segmented(&wire, &tap, header, &frame);
}

fn to_tap(protocol: Protocol, offload: u32) -> (Pair, VnetHeader, Vec<u8>) {
    let pair = Pair::new(libc::O_NONBLOCK);
    pair.far.set_offload(offload).expect("TUNSETOFFLOAD");
    let packet = Packet {
        destination: TAP2_MAC,
        ..Packet::outgoing(protocol, 5000)
    };
    let (header, frame) = packet.build_gso(SIZE);
    write(&pair.near, header, &frame);
    (pair, header, frame)
}

fn to_tap_whole(protocol: Protocol) {
    let (pair, header, frame) = to_tap(protocol, 0x7f);
    let (seen, received) = pair.far.receive_frame();
    assert_header(seen, header);
    frame::assert_same(&received, &frame);
}

fn to_tap_segmented(protocol: Protocol) {
    let (pair, _, frame) = to_tap(protocol, 0);
    let receive = |_| {
        let (seen, segment) = pair.far.receive_frame();
        assert_eq!(seen, VnetHeader::default());
        segment
    };
    let segments: Vec<_> = (0..5).map(receive).collect();
    pair.far.assert_empty();
    frame::assert_segments(&segments, &frame, usize::from(SIZE));
}

/// Only the first segment tells of congestion, only the last ends.
fn ecn_segmented() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    ethtool::disable_transmit_offloads(&wire.lower);
    for protocol in [Protocol::Tcp4, Protocol::Tcp6] {
        let packet = Packet {
            fin_and_cwr: true,
            ..Packet::outgoing(protocol, 5000)
        };
        let (header, frame) = packet.build_gso(SIZE);
        let header = VnetHeader {
            gso_type: header.gso_type | vnet::GSO_ECN,
            ..header
        };
        assert_segmented(&wire, &tap, header, &frame);
    }
}

/// What the header calls GSO_UDP becomes the fragments of one datagram.
fn udp_fragmented() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let packet = Packet::outgoing(Protocol::Udp4, 5000);
    let (header, frame) = packet.build_gso(1480);
    let header = VnetHeader {
        gso_type: vnet::GSO_UDP,
        ..header
    };
    write(&tap, header, &frame);

    let mut datagram = Vec::new();
    for fragment in receive_segments(&wire, 4, vnet::F_DATA_VALID) {
        let sliced = SlicedPacket::from_ethernet(&fragment).expect("a fragment");
        let Some(NetSlice::Ipv4(ip)) = sliced.net else {
            panic!("no IPv4 packet");
        };
        let offset = usize::from(ip.header().fragments_offset().value()) * 8;
        assert_eq!(offset, datagram.len());
        datagram.extend(ip.payload().payload);
        assert_eq!(ip.header().more_fragments(), datagram.len() < 5008);
    }
    let whole = packet.build();
    frame::assert_same(&datagram, &whole[frame::transport_start(&whole)..]);
}

/// The longest that the kernel moves in one piece.
fn longest() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (header, frame) = packet(Protocol::Tcp4, 65_535 - 54);
    write(&tap, header, &frame);
    let received = wire.peer.receive();
    assert_header(received.header, header);
    frame::assert_same(&received.frame, &frame);
}

/// As long as an IPv4 packet can be: too long to be moved in one piece.
fn longer() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (header, frame) = packet(Protocol::Tcp4, 65_535 - 40);
    write(&tap, header, &frame);
    let receive = |_| {
        let received = wire.peer.receive();
        assert_eq!(received.header.gso_type, vnet::GSO_NONE);
        frame::completed(received.header, &received.frame)
    };
    let segments: Vec<_> = (0..66).map(receive).collect();
    frame::assert_segments(&segments, &frame, usize::from(SIZE));
}

// SPDX-License-Identifier: GPL-2.0
//! Long packets from the wire: handed over whole, or segmented when the reader
//! does not take them.

use netlink_packet_route::link::LinkAttribute;

use crate::cases;
use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol};
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::link::TAP2_MAC;
use crate::sys::tap::Tap;
use crate::vnet::{self, VnetHeader};

const SIZE: u16 = 1000;
const PAYLOAD: usize = 9876;
const PIECES: usize = PAYLOAD.div_ceil(SIZE as usize);

const CSUM: u32 = libc::TUN_F_CSUM;
const TSO4: u32 = libc::TUN_F_TSO4;
const TSO6: u32 = libc::TUN_F_TSO6;
const ECN: u32 = libc::TUN_F_TSO_ECN;
const UFO: u32 = libc::TUN_F_UFO;
const USO4: u32 = libc::TUN_F_USO4;
const USO6: u32 = libc::TUN_F_USO6;

/// How a long packet arrives.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    Whole,
    /// In pieces whose checksum is left to the reader.
    Partial,
    /// In pieces with their checksums.
    Complete,
}
use Arrival::{Complete, Partial, Whole};

#[rustfmt::skip]
const CASES: &[(Protocol, u32, &str, Arrival)] = &[
    (Protocol::Tcp4, CSUM | TSO4,               "csum, tso4",       Whole),
    (Protocol::Tcp4, CSUM | TSO4 | TSO6,        "csum, tso4, tso6", Whole),
    (Protocol::Tcp4, CSUM | TSO6,               "csum, tso6",       Partial),
    (Protocol::Tcp4, CSUM,                      "csum",             Partial),
    (Protocol::Tcp4, CSUM | UFO | USO4 | USO6,  "all but tso",      Partial),
    (Protocol::Tcp4, TSO4 | TSO6,               "tso without csum", Complete),
    (Protocol::Tcp4, 0,                         "nothing",          Complete),
    (Protocol::Tcp6, CSUM | TSO6,               "csum, tso6",       Whole),
    (Protocol::Tcp6, CSUM | TSO4,               "csum, tso4",       Partial),
    (Protocol::Tcp6, CSUM,                      "csum",             Partial),
    (Protocol::Tcp6, TSO4 | TSO6,               "tso without csum", Complete),
    (Protocol::Tcp6, 0,                         "nothing",          Complete),
    (Protocol::Udp4, CSUM | USO4 | USO6,        "csum, uso4, uso6", Whole),
    (Protocol::Udp4, 0x7f,                      "everything",       Whole),
    (Protocol::Udp4, CSUM | USO4,               "csum, uso4",       Partial),
    (Protocol::Udp4, CSUM | TSO4 | TSO6 | UFO,  "all but uso",      Partial),
    (Protocol::Udp4, USO4 | USO6,               "uso without csum", Complete),
    (Protocol::Udp4, 0,                         "nothing",          Complete),
    (Protocol::Udp6, CSUM | USO4 | USO6,        "csum, uso4, uso6", Whole),
    (Protocol::Udp6, CSUM | USO6,               "csum, uso6",       Partial),
    (Protocol::Udp6, 0,                         "nothing",          Complete),
];

pub fn cases(driver: Driver) -> Vec<Case> {
    let as_it_was = !driver.has_our_tap();
    let by_driver: [(_, fn(bool)); 4] = [
        (
            "header turned off with a packet in the queue",
            header_turned_off,
        ),
        (
            "offloads turned off with a packet in the queue",
            offloads_turned_off,
        ),
        (
            "some offloads turned off with a packet in the queue",
            some_offloads_turned_off,
        ),
        ("longer than a reader expects", longer_than_expected),
    ];
    let mut cases: Vec<_> = by_driver
        .into_iter()
        .map(|(name, body)| Case::new(name, move || body(as_it_was)))
        .collect();
    for &(protocol, bits, offloads, arrival) in CASES {
        let arrival = match arrival {
            Whole if !protocol.is_tcp() && !driver.passes_udp_whole() => Partial,
            arrival => arrival,
        };
        let name = format!("{protocol:?}, reader takes {offloads}: {arrival:?}");
        cases.push(Case::new(name, move || {
            let wire = Wire::new();
            let tap = Tap::open(&wire.link);
            tap.set_offload(bits).expect("TUNSETOFFLOAD");
            check(&wire, &tap, protocol, arrival);
        }));
    }
    cases.extend(cases![
        new_link_takes_tcp_whole,
        new_link_takes_no_udp,
        offloads_can_be_turned_off_and_on,
        without_header_complete,
        ecn_whole,
        ecn_segmented,
        longest,
        malformed_is_dropped,
    ]);
    cases
}

fn send(wire: &Wire, protocol: Protocol) -> (VnetHeader, Vec<u8>) {
    let (header, frame) = Packet::incoming(protocol, PAYLOAD).build_gso(SIZE);
    wire.peer.send_with(header, &frame);
    (header, frame)
}

fn assert_whole(tap: &Tap, header: VnetHeader, frame: &[u8]) {
    let (seen, received) = tap.receive_frame();
    frame::assert_same(&received, frame);
    // How much of it lies in one piece: at least the headers.
    let hdr_len = header.hdr_len;
    assert!(seen.hdr_len >= hdr_len, "hdr_len {}", seen.hdr_len);
    assert!(usize::from(seen.hdr_len) <= frame.len());
    assert_eq!(VnetHeader { hdr_len, ..seen }, header);
}

fn check(wire: &Wire, tap: &Tap, protocol: Protocol, arrival: Arrival) {
    let (header, frame) = send(wire, protocol);
    if let Whole = arrival {
        return assert_whole(tap, header, &frame);
    }
    let checksum = match arrival {
        Partial => VnetHeader {
            gso_type: vnet::GSO_NONE,
            gso_size: 0,
            hdr_len: 0,
            ..header
        },
        _ => VnetHeader::default(),
    };
    let receive = |_| {
        let (seen, segment) = tap.receive_frame();
        assert_eq!(seen, checksum);
        frame::completed(seen, &segment)
    };
    let segments: Vec<_> = (0..PIECES).map(receive).collect();
    tap.assert_empty();
    frame::assert_segments(&segments, &frame, usize::from(SIZE));
}

fn new_link_takes_tcp_whole() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    check(&wire, &tap, Protocol::Tcp4, Whole);
    check(&wire, &tap, Protocol::Tcp6, Whole);
}

fn new_link_takes_no_udp() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    check(&wire, &tap, Protocol::Udp4, Partial);
    check(&wire, &tap, Protocol::Udp6, Partial);
}

fn offloads_can_be_turned_off_and_on() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for _ in 0..2 {
        tap.set_offload(0).expect("TUNSETOFFLOAD");
        check(&wire, &tap, Protocol::Tcp4, Complete);
        tap.set_offload(CSUM | TSO4).expect("TUNSETOFFLOAD");
        check(&wire, &tap, Protocol::Tcp4, Whole);
        tap.set_offload(CSUM).expect("TUNSETOFFLOAD");
        check(&wire, &tap, Protocol::Tcp4, Partial);
    }
}

/// There is no place to say that something is left to the reader.
fn without_header_complete() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_bare();
    for bits in [0x7f, 0] {
        tap.set_offload(bits).expect("TUNSETOFFLOAD");
        for protocol in [Protocol::Tcp4, Protocol::Tcp6, Protocol::Udp4] {
            let (_, frame) = send(&wire, protocol);
            let segments: Vec<_> = (0..PIECES).map(|_| tap.receive()).collect();
            tap.assert_empty();
            frame::assert_segments(&segments, &frame, usize::from(SIZE));
        }
    }
}

/// Puts a packet to be segmented and one without its checksum into the queue,
/// and has the reader `change`, which takes none of the two as it is from then
/// on. C hands them out all the same.
fn assert_completed(as_it_was: bool, change: fn(&Tap), receive: fn(&Tap) -> (VnetHeader, Vec<u8>)) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (gso, packet) = send(&wire, Protocol::Tcp4);
    let (partial, frame) = Packet::incoming(Protocol::Udp4, 1000).build_partial();
    wire.peer.send_with(partial, &frame);
    wire.wait_received(2);
    change(&tap);
    if as_it_was {
        let (seen, received) = receive(&tap);
        assert!(seen.gso_type == gso.gso_type || seen == VnetHeader::default());
        frame::assert_same(&received, &packet);
        frame::assert_same(&receive(&tap).1, &frame);
        assert_eq!(wire.link.statistics().rx_dropped, 0);
    } else {
        let (seen, received) = receive(&tap);
        assert_eq!(seen, VnetHeader::default());
        frame::assert_same(&received, &frame::completed(partial, &frame));
        assert_eq!(wire.link.statistics().rx_dropped, 1);
    }
    tap.assert_empty();
}

/// In C, the packet is handed out whole, with nothing to tell that it is one to
/// be segmented, and without its checksum.
fn header_turned_off(as_it_was: bool) {
    assert_completed(as_it_was, Tap::set_bare, |tap| {
        (VnetHeader::default(), tap.receive())
    });
}

fn offloads_turned_off(as_it_was: bool) {
    let turn_off = |tap: &Tap| tap.set_offload(0).expect("TUNSETOFFLOAD");
    assert_completed(as_it_was, turn_off, Tap::receive_frame);
}

/// What the reader takes still is left as it is.
fn some_offloads_turned_off(as_it_was: bool) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (header4, packet4) = send(&wire, Protocol::Tcp4);
    let (header6, packet6) = send(&wire, Protocol::Tcp6);
    let (partial, frame) = Packet::incoming(Protocol::Udp4, 1000).build_partial();
    wire.peer.send_with(partial, &frame);
    wire.wait_received(3);
    tap.set_offload(CSUM | TSO6).expect("TUNSETOFFLOAD");
    if as_it_was {
        assert_whole(&tap, header4, &packet4);
    }
    assert_whole(&tap, header6, &packet6);
    assert_eq!(tap.receive_frame(), (partial, frame));
    tap.assert_empty();
    let dropped = u64::from(!as_it_was);
    assert_eq!(wire.link.statistics().rx_dropped, dropped);
}

fn send_ecn(wire: &Wire) -> (VnetHeader, Vec<u8>) {
    let packet = Packet {
        fin_and_cwr: true,
        ..Packet::incoming(Protocol::Tcp4, PAYLOAD)
    };
    let (mut header, frame) = packet.build_gso(SIZE);
    header.gso_type |= vnet::GSO_ECN;
    wire.peer.send_with(header, &frame);
    (header, frame)
}

fn ecn_whole() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_offload(CSUM | TSO4 | ECN).expect("TUNSETOFFLOAD");
    let (header, frame) = send_ecn(&wire);
    assert_whole(&tap, header, &frame);
}

fn ecn_segmented() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_offload(CSUM | TSO4).expect("TUNSETOFFLOAD");
    let (_, frame) = send_ecn(&wire);
    let receive = |_| {
        let (seen, segment) = tap.receive_frame();
        assert_eq!(seen.gso_type, vnet::GSO_NONE);
        frame::completed(seen, &segment)
    };
    let segments: Vec<_> = (0..PIECES).map(receive).collect();
    tap.assert_empty();
    frame::assert_segments(&segments, &frame, usize::from(SIZE));
}

/// Of all that a host merges if it is told to, a guest has buffers for 65,550
/// bytes.
fn longer_than_expected(whole: bool) {
    const HEADERS: usize = 74;
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    wire.peer_link
        .set(LinkAttribute::GsoMaxSize(200_000))
        .expect("a long GSO size");

    let fits = 65_550 - HEADERS;
    for payload in [fits, fits + 1, 100_000] {
        let (header, frame) = frame::big_tcp(payload, SIZE);
        wire.peer.send_with(header, &frame);
        if whole || payload <= fits {
            assert_whole(&tap, header, &frame);
            continue;
        }
        let mut rest = &frame[HEADERS..];
        while !rest.is_empty() {
            let (seen, segment) = tap.receive_frame();
            assert_eq!(seen.gso_type, vnet::GSO_NONE);
            let segment = frame::completed(seen, &segment);
            frame::assert_checksums(&segment);
            let piece = frame::payload(&segment);
            assert!(piece.len() <= usize::from(SIZE));
            let (this, others) = rest.split_at(piece.len());
            frame::assert_same(piece, this);
            rest = others;
        }
        tap.assert_empty();
    }
}

/// The longest that the kernel moves in one piece.
fn longest() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (header, frame) = Packet::incoming(Protocol::Tcp4, 65_535 - 54).build_gso(1400);
    wire.peer.send_with(header, &frame);
    assert_whole(&tap, header, &frame);
}

/// Links trust each other's frames until someone has to look at their headers.
fn malformed_is_dropped() {
    let pair = Pair::new(libc::O_NONBLOCK);
    pair.far.set_offload(0).expect("TUNSETOFFLOAD");
    let packet = Packet {
        destination: TAP2_MAC,
        ..Packet::outgoing(Protocol::Tcp4, PAYLOAD)
    };
    let (header, mut frame) = packet.build_gso(SIZE);
    // An IP header without length.
    frame[14] = 0x40;
    for bytes in [header.with(&frame), vnet::plain(&Pair::frame())] {
        assert_eq!(pair.near.write(&bytes), Ok(bytes.len()));
    }
    frame::assert_same(&pair.far.receive_frame().1, &Pair::frame());
    let statistics = pair.far_link.statistics();
    assert_eq!((statistics.rx_packets, statistics.rx_dropped), (2, 1));
}

// SPDX-License-Identifier: GPL-2.0
//! Frames with VLAN tags. On their way in the kernel takes the outer tag out
//! and keeps it aside; the reader must find it in its place again.

use nix::errno::Errno;

use crate::cases;
use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol};
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::ethtool;
use crate::sys::packet::Departures;
use crate::sys::tap::Tap;
use crate::vnet::{self, VnetHeader};

const CUSTOMER: u16 = 0x8100;
const SERVICE: u16 = 0x88a8;
/// Priority 5, drop eligible, VLAN 291: every part of the tag is used.
const TCI: u16 = 0xb123;
const TAG: usize = 4;
const TPID: usize = 12;

pub fn cases(driver: Driver) -> Vec<Case> {
    let whole = driver.has_our_tap();
    let mut cases = cases![
        read_tagged,
        read_tagged_without_header,
        read_service_tagged,
        read_double_tagged,
        read_priority_tagged,
        read_partial_checksum,
        read_completed_checksum,
        read_gso_whole,
        read_gso_segmented,
        read_with_a_short_buffer,
        written_tagged,
        written_double_tagged,
        network_header_is_behind_the_tags,
        written_partial_checksum,
        written_completed_checksum,
        written_gso_whole,
        written_gso_without_checksum,
        written_gso_segmented,
        written_short,
    ];
    cases.push(Case::new("read cut off in the tag", move || {
        read_cut_off_in_the_tag(whole)
    }));
    cases.push(Case::new("read to a bad address in the tag", move || {
        read_to_a_bad_address_in_the_tag(whole)
    }));
    cases
}

fn setup() -> (Wire, Tap) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    (wire, tap)
}

fn assert_read(frame: &[u8]) {
    let (wire, tap) = setup();
    wire.peer.send(frame);
    let (header, received) = tap.receive_frame();
    assert_eq!(header, VnetHeader::default());
    frame::assert_same(&received, frame);
}

fn read_tagged() {
    for length in [60, 100, 1514] {
        assert_read(&frame::tagged(&frame::incoming(length), CUSTOMER, TCI));
    }
}

fn read_tagged_without_header() {
    let (wire, tap) = setup();
    tap.set_bare();
    let frame = frame::tagged(&frame::incoming(100), CUSTOMER, TCI);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive(), &frame);
}

fn read_service_tagged() {
    assert_read(&frame::tagged(&frame::incoming(100), SERVICE, TCI));
}

fn read_double_tagged() {
    let inner = frame::tagged(&frame::incoming(100), CUSTOMER, 7);
    assert_read(&frame::tagged(&inner, SERVICE, TCI));
    assert_read(&frame::tagged(&inner, CUSTOMER, TCI));
}

fn read_priority_tagged() {
    assert_read(&frame::tagged(&frame::incoming(100), CUSTOMER, 0xe000));
    assert_read(&frame::tagged(&frame::incoming(100), CUSTOMER, 0));
}

/// The packet with a tag, and a header that knows of it.
fn tag(header: VnetHeader, frame: &[u8]) -> (VnetHeader, Vec<u8>) {
    let mut header = header;
    if header.flags & vnet::F_NEEDS_CSUM != 0 {
        header.csum_start += TAG as u16;
    }
    if header.hdr_len != 0 {
        header.hdr_len += TAG as u16;
    }
    (header, frame::tagged(frame, CUSTOMER, TCI))
}

fn read_partial_checksum() {
    let (wire, tap) = setup();
    for protocol in [Protocol::Tcp4, Protocol::Udp6] {
        let (header, frame) = Packet::incoming(protocol, 333).build_partial();
        let (header, frame) = tag(header, &frame);
        wire.peer.send_with(header, &frame);
        let (seen, received) = tap.receive_frame();
        assert_eq!(seen, header);
        frame::assert_same(&received, &frame);
        frame::assert_checksums(&frame::completed(seen, &received));
    }
}

fn read_completed_checksum() {
    let (wire, tap) = setup();
    tap.set_offload(0).expect("TUNSETOFFLOAD");
    let packet = Packet::incoming(Protocol::Tcp4, 333);
    let (header, frame) = packet.build_partial();
    let (header, frame) = tag(header, &frame);
    wire.peer.send_with(header, &frame);
    let (seen, received) = tap.receive_frame();
    assert_eq!(seen, VnetHeader::default());
    frame::assert_same(&received, &frame::tagged(&packet.build(), CUSTOMER, TCI));
}

fn assert_header(seen: VnetHeader, wanted: VnetHeader) {
    let hdr_len = wanted.hdr_len;
    assert_eq!(VnetHeader { hdr_len, ..seen }, wanted);
}

fn read_gso_whole() {
    let (wire, tap) = setup();
    for protocol in [Protocol::Tcp4, Protocol::Tcp6] {
        let (header, frame) = Packet::incoming(protocol, 5000).build_gso(1000);
        let (header, frame) = tag(header, &frame);
        wire.peer.send_with(header, &frame);
        let (seen, received) = tap.receive_frame();
        assert_header(seen, header);
        frame::assert_same(&received, &frame);
    }
}

fn assert_tagged_segments(segments: Vec<Vec<u8>>, packet: &[u8]) {
    let untagged: Vec<_> = segments
        .into_iter()
        .map(|mut segment| {
            let tag: Vec<u8> = segment.drain(TPID..TPID + TAG).collect();
            assert_eq!(tag, packet[TPID..TPID + TAG]);
            segment
        })
        .collect();
    let mut packet = packet.to_vec();
    packet.drain(TPID..TPID + TAG);
    frame::assert_segments(&untagged, &packet, 1000);
}

fn read_gso_segmented() {
    let (wire, tap) = setup();
    for bits in [libc::TUN_F_CSUM, 0] {
        tap.set_offload(bits).expect("TUNSETOFFLOAD");
        let (header, frame) = Packet::incoming(Protocol::Tcp4, 5000).build_gso(1000);
        let (header, frame) = tag(header, &frame);
        wire.peer.send_with(header, &frame);
        let receive = |_| {
            let (seen, segment) = tap.receive_frame();
            let partial = seen.flags == vnet::F_NEEDS_CSUM;
            assert_eq!(partial, bits == libc::TUN_F_CSUM);
            frame::completed(seen, &segment)
        };
        let segments = (0..5).map(receive).collect();
        tap.assert_empty();
        assert_tagged_segments(segments, &frame);
    }
}

/// What C returns when the buffer ends at the tag is nobody's wish; but what
/// is in the buffer is right, nothing is written beyond, and the next frame is
/// whole.
fn read_with_a_short_buffer() {
    let (wire, tap) = setup();
    let frame = frame::tagged(&frame::incoming(100), CUSTOMER, TCI);
    let whole = vnet::plain(&frame);
    for size in vnet::SIZE..whole.len() {
        wire.peer.send(&frame);
        wire.peer.send(&frame::incoming(60));
        tap.wait_readable();
        let mut buffer = vec![0xa5; size + 8];
        tap.read(&mut buffer[..size]).expect("a frame");
        frame::assert_same(&buffer[..size], &whole[..size]);
        assert_eq!(buffer[size..], [0xa5; 8], "beyond a buffer of {size}");
        frame::assert_same(&tap.receive_frame().1, &frame::incoming(60));
    }
}

/// In C, the result is the number of the tag's bytes, whatever was read.
fn read_cut_off_in_the_tag(whole: bool) {
    let (wire, tap) = setup();
    let frame = frame::tagged(&frame::incoming(100), CUSTOMER, TCI);
    for of_the_tag in 1..=TAG {
        wire.peer.send(&frame);
        tap.wait_readable();
        let length = vnet::SIZE + TPID + of_the_tag;
        let mut buffer = vec![0; length];
        let wanted = if whole { length } else { of_the_tag };
        assert_eq!(tap.read(&mut buffer), Ok(wanted));
        frame::assert_same(&buffer[vnet::SIZE..], &frame[..TPID + of_the_tag]);
    }
}

/// C reports success, or how much of the tag could be written.
fn read_to_a_bad_address_in_the_tag(fails: bool) {
    let (wire, tap) = setup();
    let frame = frame::tagged(&frame::incoming(100), CUSTOMER, TCI);
    for of_the_tag in 0..TAG {
        wire.peer.send(&frame);
        tap.wait_readable();
        let mut start = vec![0; vnet::SIZE + TPID + of_the_tag];
        let wanted = match of_the_tag {
            _ if fails => Err(Errno::EFAULT),
            0 => Ok(vnet::SIZE + frame.len()),
            written => Ok(written),
        };
        assert_eq!(tap.readv_then_bad(&mut start, 1000), wanted);
        tap.assert_empty();
    }
}

fn write(tap: &Tap, header: VnetHeader, frame: &[u8]) {
    let bytes = header.with(frame);
    assert_eq!(tap.write(&bytes), Ok(bytes.len()));
}

fn written_tagged() {
    let (wire, tap) = setup();
    for tpid in [CUSTOMER, SERVICE] {
        let frame = frame::tagged(&frame::outgoing(100), tpid, TCI);
        write(&tap, VnetHeader::default(), &frame);
        frame::assert_same(&wire.peer.receive().frame, &frame);
    }
}

fn written_double_tagged() {
    let (wire, tap) = setup();
    let inner = frame::tagged(&frame::outgoing(100), CUSTOMER, 7);
    let frame = frame::tagged(&inner, SERVICE, TCI);
    write(&tap, VnetHeader::default(), &frame);
    frame::assert_same(&wire.peer.receive().frame, &frame);
}

/// Queueing disciplines and filters on the link look there.
fn network_header_is_behind_the_tags() {
    let (wire, tap) = setup();
    let departures = Departures::open(&wire.link);
    let mut frame = Packet::outgoing(Protocol::Udp4, 100).build();
    let datagram = frame[frame::ETHERNET_HEADER..].to_vec();
    for tpid in [CUSTOMER, CUSTOMER, SERVICE] {
        write(&tap, VnetHeader::default(), &frame);
        frame::assert_same(&departures.next(), &datagram);
        frame = frame::tagged(&frame, tpid, TCI);
    }
}

fn written_partial_checksum() {
    let (wire, tap) = setup();
    for protocol in [Protocol::Tcp4, Protocol::Udp6] {
        let (untagged, frame) = Packet::outgoing(protocol, 333).build_partial();
        let (header, frame) = tag(untagged, &frame);
        write(&tap, header, &frame);
        let received = wire.peer.receive();
        frame::assert_same(&received.frame, &frame);
        // The socket counts without the tag, which it has put aside.
        assert_eq!(received.header, untagged);
    }
}

fn written_completed_checksum() {
    let (wire, tap) = setup();
    ethtool::disable_transmit_offloads(&wire.lower);
    let packet = Packet::outgoing(Protocol::Tcp4, 333);
    let (header, frame) = packet.build_partial();
    let (header, frame) = tag(header, &frame);
    write(&tap, header, &frame);
    let received = wire.peer.receive();
    assert_eq!(received.header, VnetHeader::default());
    let complete = frame::tagged(&packet.build(), CUSTOMER, TCI);
    frame::assert_same(&received.frame, &complete);
}

fn written_gso_whole() {
    let (wire, tap) = setup();
    for protocol in [Protocol::Tcp4, Protocol::Tcp6, Protocol::Udp4] {
        let (untagged, frame) = Packet::outgoing(protocol, 5000).build_gso(1000);
        let (header, frame) = tag(untagged, &frame);
        write(&tap, header, &frame);
        let received = wire.peer.receive();
        assert_header(received.header, untagged);
        frame::assert_same(&received.frame, &frame);
    }
}

/// Where the TCP header begins the kernel must find behind the tag.
fn written_gso_without_checksum() {
    let (wire, tap) = setup();
    let packet = Packet::outgoing(Protocol::Tcp4, 5000);
    let (untagged, partial) = packet.build_gso(1000);
    let header = VnetHeader {
        flags: 0,
        csum_start: 0,
        csum_offset: 0,
        ..untagged
    };
    write(&tap, header, &frame::tagged(&packet.build(), CUSTOMER, TCI));
    let received = wire.peer.receive();
    assert_header(received.header, untagged);
    let tagged = frame::tagged(&partial, CUSTOMER, TCI);
    frame::assert_same(&received.frame, &tagged);
}

fn written_gso_segmented() {
    let (wire, tap) = setup();
    ethtool::disable_transmit_offloads(&wire.lower);
    let (header, frame) = Packet::outgoing(Protocol::Tcp4, 5000).build_gso(1000);
    let (header, frame) = tag(header, &frame);
    write(&tap, header, &frame);
    let receive = |_| wire.peer.receive().frame;
    let segments = (0..5).map(receive).collect();
    wire.peer.assert_empty();
    assert_tagged_segments(segments, &frame);
}

/// A tag that the frame is too short for is no tag; the frame passes the
/// driver, and what becomes of it is the lower device's matter.
fn written_short() {
    let (wire, tap) = setup();
    let whole = frame::tagged(&frame::outgoing(60), CUSTOMER, TCI);
    for length in frame::ETHERNET_HEADER..frame::ETHERNET_HEADER + TAG {
        let bytes = vnet::plain(&whole[..length]);
        assert_eq!(tap.write(&bytes), Ok(bytes.len()));
    }
    let last = frame::outgoing(77);
    write(&tap, VnetHeader::default(), &last);
    while wire.peer.receive().frame != last {}
}

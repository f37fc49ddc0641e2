// SPDX-License-Identifier: GPL-2.0
//! The virtio-net header of written frames: what is taken, what is refused; and
//! its sizes in both directions.

use nix::errno::Errno;

use crate::cases;
use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol};
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::tap::Tap;
use crate::vnet::{self, VnetHeader};

/// A header and the frame behind it.
type Sent = (VnetHeader, Vec<u8>);
type Make = fn() -> Sent;
/// From the header that is written to the one that the peer sees.
type Seen = fn(VnetHeader) -> VnetHeader;

const GSO_SIZE: u16 = 100;
/// So that a packet of that payload is to be cut in pieces.
const PAYLOAD: usize = 450;

/// Changes to a good packet after which it is refused.
const REFUSED: &[(&str, Make)] = &[
    ("hdr_len beyond the frame", || {
        plain_with(|header| header.hdr_len = 101)
    }),
    ("hdr_len of 65535", || {
        plain_with(|header| header.hdr_len = 65_535)
    }),
    ("checksum start and offset of 65535", || {
        checksum_at(65_535, 65_535)
    }),
    ("checksum end of 65536", || checksum_at(65_526, 8)),
    ("checksum start of 65535", || checksum_at(65_535, 0)),
    ("checksum offset of 65535", || checksum_at(34, 65_535)),
    ("checksum beyond the frame", || checksum_at(90, 9)),
    ("checksum start at 0", || checksum_at(0, 6)),
    ("checksum start in the Ethernet header", || {
        checksum_at(13, 6)
    }),
    ("checksum start at the IP header", || checksum_at(14, 6)),
    ("checksum start of 19", || checksum_at(19, 6)),
    ("gso_type 2", || tcp4_with(|header| header.gso_type = 2)),
    ("gso_type 6", || tcp4_with(|header| header.gso_type = 6)),
    ("gso_type 255", || tcp4_with(|header| header.gso_type = 255)),
    ("gso_type ECN alone", || {
        tcp4_with(|header| header.gso_type = vnet::GSO_ECN)
    }),
    ("gso_type of a UDP tunnel", || {
        tcp4_with(|header| header.gso_type |= 0x20)
    }),
    ("gso_size 0", || tcp4_with(|header| header.gso_size = 0)),
    ("gso_size 0 without checksum", || {
        tcp4_with(|header| *header = without_checksum(*header, 0))
    }),
    ("gso_size 65535", || {
        tcp4_with(|header| header.gso_size = 65_535)
    }),
    ("TCPv4 with checksum at UDP's place", || {
        tcp4_with(|header| header.csum_offset = 6)
    }),
    ("TCPv4 on UDP", || {
        gso_without_checksum(Protocol::Udp4, vnet::GSO_TCPV4)
    }),
    ("TCPv4 on IPv6", || {
        gso_without_checksum(Protocol::Tcp6, vnet::GSO_TCPV4)
    }),
    ("TCPv6 on IPv4", || {
        gso_without_checksum(Protocol::Tcp4, vnet::GSO_TCPV6)
    }),
    ("UFO on TCP", || {
        gso_without_checksum(Protocol::Tcp4, vnet::GSO_UDP)
    }),
    ("TCP header cut", || cut_tcp(tcp4().0)),
    ("TCP header cut, no checksum", || {
        cut_tcp(without_checksum(tcp4().0, GSO_SIZE))
    }),
    ("TCPv4 on an unknown protocol", || {
        let header = without_checksum(tcp4().0, GSO_SIZE);
        (header, frame::outgoing(500))
    }),
    ("TCPv4 on garbage without protocol", || {
        let mut frame = frame::outgoing(500);
        frame[12..14].fill(0);
        frame[14] = 0;
        (without_checksum(tcp4().0, GSO_SIZE), frame)
    }),
    ("TCPv6 on garbage without protocol", || {
        let mut frame = frame::outgoing(500);
        frame[12..14].fill(0);
        frame[14] = 0;
        (without_checksum(tcp6().0, GSO_SIZE), frame)
    }),
    ("UDP_L4 without checksum", || {
        gso_without_checksum(Protocol::Udp4, vnet::GSO_UDP_L4)
    }),
    ("UDP_L4 with checksum at TCP's place", || {
        udp4_with(|header| header.csum_offset = 16)
    }),
    ("UDP_L4 with ECN", || {
        udp4_with(|header| header.gso_type |= vnet::GSO_ECN)
    }),
    ("UDP_L4 of 129 segments", || {
        Packet::outgoing(Protocol::Udp4, 128 * 10 + 1).build_gso(10)
    }),
];

/// Packets that pass, and the header that the peer sees.
const TAKEN: &[(&str, Make, Seen)] = &[
    (
        "hdr_len of the whole frame",
        || plain_with(|header| header.hdr_len = 100),
        |_| VnetHeader::default(),
    ),
    (
        "unknown flags",
        || plain_with(|header| header.flags = 0xf8),
        |_| VnetHeader::default(),
    ),
    (
        "checksum known to be good",
        || plain_with(|header| header.flags = vnet::F_DATA_VALID),
        |_| VnetHeader::default(),
    ),
    (
        "offsets without flag",
        || {
            plain_with(|header| {
                header.csum_start = 65_535;
                header.gso_size = 65_535;
            })
        },
        |_| VnetHeader::default(),
    ),
    ("checksum start of 20", || checksum_at(20, 6), |sent| sent),
    ("checksum start of 33", || checksum_at(33, 6), |sent| sent),
    ("checksum at the end", || checksum_at(90, 8), |sent| sent),
    ("TCPv4", tcp4, without_hdr_len),
    (
        "TCPv4 without checksum",
        || tcp4_with(|header| *header = without_checksum(*header, GSO_SIZE)),
        |_| checksum_of_tcp4(),
    ),
    (
        "TCPv4 with ECN",
        || tcp4_with(|header| header.gso_type |= vnet::GSO_ECN),
        without_hdr_len,
    ),
    (
        "TCPv4 of gso_size 1",
        || tcp4_with(|header| header.gso_size = 1),
        |sent| VnetHeader {
            gso_size: 8,
            ..without_hdr_len(sent)
        },
    ),
    (
        "TCPv4 of one segment",
        || tcp4_with(|header| header.gso_size = PAYLOAD as u16),
        not_gso,
    ),
    (
        "TCPv4 without protocol",
        || {
            let (header, mut frame) = tcp4();
            frame[12..14].fill(0);
            (without_checksum(header, GSO_SIZE), frame)
        },
        |_| checksum_of_tcp4(),
    ),
    (
        "TCPv6 without protocol",
        || {
            let (header, mut frame) = tcp6();
            frame[12..14].fill(0);
            (without_checksum(header, GSO_SIZE), frame)
        },
        |_| without_hdr_len(tcp6().0),
    ),
    (
        "hdr_len of nothing",
        || tcp4_with(|header| header.hdr_len = 0),
        without_hdr_len,
    ),
    (
        "hdr_len of everything",
        || {
            let (header, frame) = tcp4();
            let hdr_len = frame.len() as u16;
            (VnetHeader { hdr_len, ..header }, frame)
        },
        without_hdr_len,
    ),
    (
        "UDP_L4 of 128 segments",
        || Packet::outgoing(Protocol::Udp4, 128 * 10).build_gso(10),
        without_hdr_len,
    ),
];

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = Vec::new();
    for &(name, packet) in REFUSED {
        cases.push(Case::new(format!("{name}: refused"), move || {
            let wire = Wire::new();
            let tap = Tap::open(&wire.link);
            let (header, frame) = packet();
            wire.assert_refused(Errno::EINVAL, || tap.write(&header.with(&frame)));
        }));
    }
    for &(name, packet, seen) in TAKEN {
        cases.push(Case::new(format!("{name}: taken"), move || {
            let wire = Wire::new();
            let tap = Tap::open(&wire.link);
            let (header, frame) = packet();
            let bytes = header.with(&frame);
            assert_eq!(tap.write(&bytes), Ok(bytes.len()));
            let received = wire.peer.receive();
            frame::assert_same(&received.frame, &frame);
            assert_eq!(without_hdr_len(received.header), seen(header));
        }));
    }
    cases.extend(cases![
        sizes_when_writing,
        sizes_when_reading,
        size_longer_than_what_is_written,
        size_longer_than_the_buffer_loses_the_frame,
        longest_size,
        hdr_len_with_a_longer_header,
        little_endian,
        off_and_on_again,
    ]);
    cases
}

fn plain_with(change: fn(&mut VnetHeader)) -> Sent {
    let mut header = VnetHeader::default();
    change(&mut header);
    (header, frame::outgoing(100))
}

/// In a frame of 100 bytes.
fn checksum_at(csum_start: u16, csum_offset: u16) -> Sent {
    let header = VnetHeader {
        flags: vnet::F_NEEDS_CSUM,
        csum_start,
        csum_offset,
        ..VnetHeader::default()
    };
    (header, frame::outgoing(100))
}

fn tcp4() -> Sent {
    Packet::outgoing(Protocol::Tcp4, PAYLOAD).build_gso(GSO_SIZE)
}

fn tcp6() -> Sent {
    Packet::outgoing(Protocol::Tcp6, PAYLOAD).build_gso(GSO_SIZE)
}

fn tcp4_with(change: fn(&mut VnetHeader)) -> Sent {
    let (mut header, frame) = tcp4();
    change(&mut header);
    (header, frame)
}

fn udp4_with(change: fn(&mut VnetHeader)) -> Sent {
    let (mut header, frame) = Packet::outgoing(Protocol::Udp4, PAYLOAD).build_gso(GSO_SIZE);
    change(&mut header);
    (header, frame)
}

fn without_checksum(header: VnetHeader, gso_size: u16) -> VnetHeader {
    VnetHeader {
        flags: 0,
        csum_start: 0,
        csum_offset: 0,
        gso_size,
        ..header
    }
}

fn gso_without_checksum(protocol: Protocol, gso_type: u8) -> Sent {
    let (header, frame) = Packet::outgoing(protocol, PAYLOAD).build_gso(GSO_SIZE);
    let header = VnetHeader { gso_type, ..header };
    (without_checksum(header, GSO_SIZE), frame)
}

fn cut_tcp(header: VnetHeader) -> Sent {
    let (_, mut frame) = tcp4();
    frame.truncate(14 + 20 + 19);
    let hdr_len = 0;
    (VnetHeader { hdr_len, ..header }, frame)
}

/// What it says about the length of the headers is a hint.
fn without_hdr_len(header: VnetHeader) -> VnetHeader {
    VnetHeader {
        hdr_len: 0,
        ..header
    }
}

/// The kernel itself leaves the checksum of what is to be segmented open.
fn checksum_of_tcp4() -> VnetHeader {
    without_hdr_len(tcp4().0)
}

fn not_gso(header: VnetHeader) -> VnetHeader {
    VnetHeader {
        gso_type: vnet::GSO_NONE,
        gso_size: 0,
        ..without_hdr_len(header)
    }
}

fn tap_with_size(wire: &Wire, size: i32) -> Tap {
    let tap = Tap::open(&wire.link);
    tap.set_number(libc::TUNSETVNETHDRSZ, size)
        .expect("TUNSETVNETHDRSZ");
    tap
}

/// What stands behind the first ten bytes is skipped.
fn sizes_when_writing() {
    let wire = Wire::new();
    for size in [10, 11, 12, 20, 24, 64, 4096] {
        let tap = tap_with_size(&wire, size);
        let (header, frame) = tcp4();
        let rest = vec![0xff; size as usize - vnet::SIZE];
        let bytes = [&header.to_bytes()[..], &rest, &frame].concat();
        assert_eq!(tap.write(&bytes), Ok(bytes.len()));
        let received = wire.peer.receive();
        frame::assert_same(&received.frame, &frame);
        assert_eq!(without_hdr_len(received.header), without_hdr_len(header));
    }
}

/// What stands behind the first ten bytes is zero.
fn sizes_when_reading() {
    let wire = Wire::new();
    for size in [10, 11, 12, 20, 24, 64, 4096] {
        let tap = tap_with_size(&wire, size);
        let size = size as usize;
        let (header, frame) = Packet::incoming(Protocol::Tcp4, PAYLOAD).build_gso(GSO_SIZE);
        wire.peer.send_with(header, &frame);
        let bytes = tap.receive();
        assert_eq!(bytes.len(), size + frame.len());
        let seen = VnetHeader::from_bytes(&bytes);
        assert_eq!(without_hdr_len(seen), without_hdr_len(header));
        assert!(bytes[vnet::SIZE..size].iter().all(|&byte| byte == 0));
        frame::assert_same(&bytes[size..], &frame);
    }
}

fn size_longer_than_what_is_written() {
    let wire = Wire::new();
    let tap = tap_with_size(&wire, 64);
    let bytes = vnet::plain(&frame::outgoing(67));
    for length in [0, 10, 63, 64, 77] {
        wire.assert_refused(Errno::EINVAL, || tap.write(&bytes[..length]));
    }
}

fn size_longer_than_the_buffer_loses_the_frame() {
    let wire = Wire::new();
    let tap = tap_with_size(&wire, 64);
    for buffer in [1, 10, 63] {
        let second = frame::incoming(101);
        wire.peer.send(&frame::incoming(100));
        wire.peer.send(&second);
        tap.wait_readable();
        assert_eq!(tap.read(&mut vec![0; buffer]), Err(Errno::EINVAL));
        frame::assert_same(&tap.receive()[64..], &second);
    }
}

fn longest_size() {
    let wire = Wire::new();
    let tap = tap_with_size(&wire, i32::MAX);
    let bytes = vnet::plain(&frame::outgoing(60_000));
    wire.assert_refused(Errno::EINVAL, || tap.write(&bytes));
    wire.peer.send(&frame::incoming(100));
    tap.wait_readable();
    assert_eq!(tap.read(&mut vec![0; 70_000]), Err(Errno::EINVAL));
    tap.assert_empty();
}

fn hdr_len_with_a_longer_header() {
    let wire = Wire::new();
    let tap = tap_with_size(&wire, 12);
    let frame = frame::outgoing(100);
    let bytes = |hdr_len| {
        let header = VnetHeader {
            hdr_len,
            ..VnetHeader::default()
        };
        [&header.to_bytes()[..], &[0; 2], &frame].concat()
    };
    assert_eq!(tap.write(&bytes(100)), Ok(112));
    frame::assert_same(&wire.peer.receive().frame, &frame);
    wire.assert_refused(Errno::EINVAL, || tap.write(&bytes(103)));
}

/// On a machine that is little-endian itself it changes nothing.
fn little_endian() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for order in [1, 0] {
        tap.set_number(libc::TUNSETVNETLE, order).expect("an order");
        let (header, frame) = tcp4();
        let bytes = header.with(&frame);
        assert_eq!(tap.write(&bytes), Ok(bytes.len()));
        let received = wire.peer.receive();
        frame::assert_same(&received.frame, &frame);
        assert_eq!(without_hdr_len(received.header), without_hdr_len(header));
    }
}

fn off_and_on_again() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let with_header = libc::IFF_TAP | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    let (incoming, outgoing) = (frame::incoming(100), frame::outgoing(100));
    for _ in 0..2 {
        tap.set_bare();
        assert_eq!(tap.write(&outgoing), Ok(100));
        frame::assert_same(&wire.peer.receive().frame, &outgoing);
        wire.peer.send(&incoming);
        frame::assert_same(&tap.receive(), &incoming);

        tap.set_flags(with_header).expect("TUNSETIFF");
        assert_eq!(tap.write(&vnet::plain(&outgoing)), Ok(110));
        frame::assert_same(&wire.peer.receive().frame, &outgoing);
        wire.peer.send(&incoming);
        frame::assert_same(&tap.receive(), &vnet::plain(&incoming));
    }
}

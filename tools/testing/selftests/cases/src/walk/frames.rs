// SPDX-License-Identifier: GPL-2.0
//! Frames and virtio-net headers, good ones and bad ones.

use std::mem;

use fastrand::Rng;

use super::random::{happens, pick, weighted};
use super::world::MACS;
use crate::frame::{self, Packet, Protocol, ETHERNET_HEADER};
use crate::sys::link::{Mac, OTHER_MAC, PEER_MAC};
use crate::vnet::{self, VnetHeader};

/// Lengths of frames, about limits that matter: of Ethernet, of what is linear,
/// of the MTU.
const LENGTHS: &[usize] = &[
    14, 15, 16, 17, 18, 33, 34, 42, 54, 59, 60, 61, 64, 128, 255, 256, 999, 1500, 1514, 1515, 1518,
    3000, 3650, 4096, 9014, 20000, 65535, 65549,
];

const PAYLOADS: &[usize] = &[
    0, 1, 7, 100, 536, 1000, 1448, 1460, 1461, 3000, 9000, 30000, 65000,
];
const SEGMENTS: &[u16] = &[500, 536, 1000, 1448, 1460, 9000];

/// What a header's fields may be: lengths of headers, limits, and beyond.
const WORDS: &[u16] = &[
    0, 1, 2, 6, 8, 13, 14, 15, 16, 18, 20, 33, 34, 40, 54, 62, 74, 100, 1000, 1448, 3650, 9000,
    0x7fff, 0x8000, 0xfff0, 0xffff,
];
const FLAGS: &[u8] = &[0, 1, 2, 3, 4, 0x80, 0xff];

const GSO_TYPES: &[u8] = &[
    vnet::GSO_NONE,
    vnet::GSO_TCPV4,
    vnet::GSO_TCPV6,
    vnet::GSO_UDP,
    vnet::GSO_UDP_L4,
    vnet::GSO_TCPV4 | vnet::GSO_ECN,
    vnet::GSO_TCPV6 | vnet::GSO_ECN,
    vnet::GSO_UDP_L4 | vnet::GSO_ECN,
    vnet::GSO_ECN,
    2,
    6,
    0x7f,
];

const PROTOCOLS: &[Protocol] = &[
    Protocol::Tcp4,
    Protocol::Tcp6,
    Protocol::Udp4,
    Protocol::Udp6,
];

#[derive(Clone, Copy)]
enum Kind {
    Raw,
    Complete,
    Partial,
    Gso,
}

pub struct Frame {
    pub header: VnetHeader,
    pub bytes: Vec<u8>,
    /// For the log.
    pub kind: String,
    /// It may become several.
    pub segmented: bool,
}

/// A frame with a header that is true of it, with or without a VLAN tag.
pub fn good(rng: &mut Rng, source: Mac, destination: Mac) -> Frame {
    let kind = weighted(
        rng,
        &[
            (5, Kind::Raw),
            (2, Kind::Complete),
            (3, Kind::Partial),
            (4, Kind::Gso),
        ],
    );
    let packet = Packet {
        protocol: pick(rng, PROTOCOLS),
        destination,
        source,
        source_port: 4000 + rng.u16(..8),
        payload: match kind {
            Kind::Gso => pick(rng, PAYLOADS),
            _ => pick(rng, &PAYLOADS[..PAYLOADS.len() / 2 + 2]),
        },
        fin_and_cwr: happens(rng, 20),
    };
    let none = VnetHeader::default();
    let (name, (header, bytes)) = match kind {
        Kind::Raw => {
            let bytes = frame::raw(destination, source, pick(rng, LENGTHS));
            ("raw".into(), (none, bytes))
        }
        Kind::Complete => (format!("{:?}", packet.protocol), (none, packet.build())),
        Kind::Partial => (
            format!("{:?} partial", packet.protocol),
            packet.build_partial(),
        ),
        Kind::Gso => (
            format!("{:?} gso", packet.protocol),
            packet.build_gso(pick(rng, SEGMENTS)),
        ),
    };
    let mut made = Frame {
        header,
        bytes,
        kind: name,
        segmented: matches!(kind, Kind::Gso),
    };
    if kind_is_udp(kind, packet.protocol) && happens(rng, 25) {
        made.header.gso_type = vnet::GSO_UDP;
        made.kind += " fragments";
    }
    if !matches!(kind, Kind::Raw) && is_ipv6(packet.protocol) && happens(rng, 15) {
        add_fragment_header(&mut made);
    }
    for percent in [20, 30] {
        if !happens(rng, percent) {
            break;
        }
        tag(rng, &mut made);
    }
    made
}

fn kind_is_udp(kind: Kind, protocol: Protocol) -> bool {
    matches!(kind, Kind::Gso) && !protocol.is_tcp()
}

fn is_ipv6(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Tcp6 | Protocol::Udp6)
}

const IPV6_HEADER: usize = 40;
const FRAGMENT_HEADER: usize = 8;
const FRAGMENT: u8 = 44;

/// Of a packet that is not a fragment, but could be one.
fn add_fragment_header(frame: &mut Frame) {
    let header = &mut frame.bytes[ETHERNET_HEADER..];
    let length = u16::from_be_bytes([header[4], header[5]]).saturating_add(FRAGMENT_HEADER as u16);
    header[4..6].copy_from_slice(&length.to_be_bytes());
    let protocol = mem::replace(&mut header[6], FRAGMENT);
    let at = ETHERNET_HEADER + IPV6_HEADER;
    frame.bytes.splice(at..at, [protocol, 0, 0, 0, 1, 2, 3, 4]);
    frame.kind += " atomic";
    move_headers(frame, FRAGMENT_HEADER as u16);
}

/// Of a frame as it came out, what is the same after each boot: fragments of
/// UDP over IPv6 get numbers that are not.
pub fn comparable(bytes: &mut [u8]) -> &[u8] {
    const IPV6: [u8; 2] = [0x86, 0xdd];
    // Behind tags, and a virtio-net header, of which the walk's longest has 1000 bytes.
    const FARTHEST: usize = 1064;
    let starts = bytes.windows(2).take(FARTHEST).enumerate();
    let fragment = starts
        .filter(|(_, word)| *word == IPV6)
        .map(|(at, _)| at + IPV6.len())
        .find(|at| bytes.get(at + 6) == Some(&FRAGMENT));
    if let Some(start) = fragment {
        let from = (start + IPV6_HEADER + 4).min(bytes.len());
        let to = (from + 4).min(bytes.len());
        bytes[from..to].fill(0);
    }
    bytes
}

fn tag(rng: &mut Rng, frame: &mut Frame) {
    let tpid = pick(rng, &[0x8100, 0x8100, 0x88a8]);
    let tci = pick(rng, &[0, 1, 100, 0x2064, 0xffff]);
    frame.bytes = frame::tagged(&frame.bytes, tpid, tci);
    frame.kind += &format!(" tag {tpid:x}/{tci:x}");
    move_headers(frame, 4);
}

/// There are so many bytes more before the transport header.
fn move_headers(frame: &mut Frame, by: u16) {
    if frame.header.flags & vnet::F_NEEDS_CSUM != 0 {
        frame.header.csum_start += by;
        frame.header.hdr_len += if frame.segmented { by } else { 0 };
    }
}

/// Makes something of a good frame that need not be true any more.
pub fn spoil(rng: &mut Rng, frame: &mut Frame) {
    for _ in 0..rng.usize(1..4) {
        let header = &mut frame.header;
        match rng.u32(..8) {
            0 => header.flags = pick(rng, FLAGS),
            1 => header.gso_type = pick(rng, GSO_TYPES),
            2 => header.hdr_len = word(rng),
            3 => header.gso_size = word(rng),
            4 => header.csum_start = word(rng),
            5 => header.csum_offset = word(rng),
            6 => *header = header.swapped(),
            _ => {
                let length = rng.usize(..=frame.bytes.len().min(80));
                frame.bytes.truncate(length);
            }
        }
    }
    frame.kind += " spoilt";
    frame.segmented = true;
}

fn word(rng: &mut Rng) -> u16 {
    if happens(rng, 80) {
        pick(rng, WORDS)
    } else {
        rng.u16(..)
    }
}

/// To whom a frame goes. Of the multicast addresses only those that every link
/// listens to: what else the filters let through is another after each boot.
pub fn destination(rng: &mut Rng) -> Mac {
    weighted(
        rng,
        &[
            (4, MACS[0]),
            (4, MACS[1]),
            (4, MACS[2]),
            (8, PEER_MAC),
            (2, [0xff; 6]),
            (1, [0x01, 0x00, 0x5e, 0, 0, 0x01]),
            (1, OTHER_MAC),
        ],
    )
}

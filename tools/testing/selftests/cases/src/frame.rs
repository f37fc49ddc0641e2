// SPDX-License-Identifier: GPL-2.0
//! Frames to send, and what must be true of those received.

use etherparse::{NetSlice, PacketBuilder, SlicedPacket, TcpSlice, TransportSlice};

use crate::sys::link::{Mac, PEER_MAC, TAP_MAC};
use crate::vnet::{self, VnetHeader};

/// "Local experimental": no protocol of the host's stack.
pub const ETHERTYPE: u16 = 0x88b5;
pub const ETHERNET_HEADER: usize = 14;

const SOURCE4: [u8; 4] = [192, 0, 2, 1];
const DESTINATION4: [u8; 4] = [192, 0, 2, 2];
const SOURCE6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const DESTINATION6: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

pub const SEQUENCE: u32 = 0xffff_f000;

/// Bytes that differ from place to place and from `seed` to `seed`.
pub fn noise(length: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut bytes = Vec::with_capacity(length + 4);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A frame of `length` bytes from the tap's side of the wire.
pub fn outgoing(length: usize) -> Vec<u8> {
    raw(PEER_MAC, TAP_MAC, length)
}

/// A frame of `length` bytes to the tap's side of the wire.
pub fn incoming(length: usize) -> Vec<u8> {
    raw(TAP_MAC, PEER_MAC, length)
}

pub fn raw(destination: Mac, source: Mac, length: usize) -> Vec<u8> {
    let payload = noise(length - ETHERNET_HEADER, length as u32);
    [
        &destination[..],
        &source,
        &ETHERTYPE.to_be_bytes(),
        &payload,
    ]
    .concat()
}

/// `frame` with a VLAN tag.
pub fn tagged(frame: &[u8], tpid: u16, tci: u16) -> Vec<u8> {
    let mut tagged = frame.to_vec();
    let [tpid, tci] = [tpid.to_be_bytes(), tci.to_be_bytes()];
    tagged.splice(12..12, [tpid[0], tpid[1], tci[0], tci[1]]);
    tagged
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Tcp4,
    Tcp6,
    Udp4,
    Udp6,
}

impl Protocol {
    pub fn is_tcp(self) -> bool {
        matches!(self, Protocol::Tcp4 | Protocol::Tcp6)
    }

    pub fn gso_type(self) -> u8 {
        match self {
            Protocol::Tcp4 => vnet::GSO_TCPV4,
            Protocol::Tcp6 => vnet::GSO_TCPV6,
            Protocol::Udp4 | Protocol::Udp6 => vnet::GSO_UDP_L4,
        }
    }

    fn checksum_offset(self) -> usize {
        if self.is_tcp() {
            16
        } else {
            6
        }
    }
}

/// A TCP segment or UDP datagram with correct checksums.
#[derive(Clone, Copy)]
pub struct Packet {
    pub protocol: Protocol,
    pub destination: Mac,
    pub source: Mac,
    pub source_port: u16,
    pub payload: usize,
    /// TCP only: the last segment ends the connection, the first tells of
    /// congestion.
    pub fin_and_cwr: bool,
}

impl Packet {
    pub fn outgoing(protocol: Protocol, payload: usize) -> Packet {
        Packet {
            protocol,
            destination: PEER_MAC,
            source: TAP_MAC,
            source_port: 4000,
            payload,
            fin_and_cwr: false,
        }
    }

    pub fn incoming(protocol: Protocol, payload: usize) -> Packet {
        Packet {
            destination: TAP_MAC,
            source: PEER_MAC,
            ..Packet::outgoing(protocol, payload)
        }
    }

    pub fn build(self) -> Vec<u8> {
        let ethernet = PacketBuilder::ethernet2(self.source, self.destination);
        let ip = match self.protocol {
            Protocol::Tcp4 | Protocol::Udp4 => ethernet.ipv4(SOURCE4, DESTINATION4, 64),
            Protocol::Tcp6 | Protocol::Udp6 => ethernet.ipv6(SOURCE6, DESTINATION6, 64),
        };
        let payload = noise(self.payload, self.payload as u32);
        let mut frame = Vec::new();
        if self.protocol.is_tcp() {
            let mut tcp = ip.tcp(self.source_port, 5000, SEQUENCE, 1024).ack(1).psh();
            if self.fin_and_cwr {
                tcp = tcp.fin().cwr();
            }
            tcp.write(&mut frame, &payload)
        } else {
            ip.udp(self.source_port, 5000).write(&mut frame, &payload)
        }
        .expect("a packet");
        frame
    }

    /// The packet with its checksum left to whoever sends it on, and the
    /// header that says so.
    pub fn build_partial(self) -> (VnetHeader, Vec<u8>) {
        let mut frame = self.build();
        let start = transport_start(&frame);
        let offset = self.protocol.checksum_offset();
        let sum = pseudo_header_sum(&frame);
        frame[start + offset..][..2].copy_from_slice(&sum.to_be_bytes());
        let header = VnetHeader {
            flags: vnet::F_NEEDS_CSUM,
            csum_start: start as u16,
            csum_offset: offset as u16,
            ..VnetHeader::default()
        };
        (header, frame)
    }

    /// A packet to be segmented into pieces of `size` bytes.
    pub fn build_gso(self, size: u16) -> (VnetHeader, Vec<u8>) {
        let (header, frame) = self.build_partial();
        let header = VnetHeader {
            gso_type: self.protocol.gso_type(),
            gso_size: size,
            hdr_len: (frame.len() - self.payload) as u16,
            ..header
        };
        (header, frame)
    }
}

/// A TCP packet over IPv6 to be segmented, of any length: where its header has
/// no room for that, it has zero, as in BIG TCP.
pub fn big_tcp(payload: usize, size: u16) -> (VnetHeader, Vec<u8>) {
    const PAYLOAD_LENGTH: usize = ETHERNET_HEADER + 4;
    let (header, mut frame) = Packet::incoming(Protocol::Tcp6, 0).build_gso(size);
    frame.extend(noise(payload, payload as u32));
    let start = transport_start(&frame);
    let length = frame.len() - start;
    let field = u16::try_from(length).unwrap_or(0);
    frame[PAYLOAD_LENGTH..][..2].copy_from_slice(&field.to_be_bytes());

    let sum = start + usize::from(header.csum_offset);
    let added = (payload as u32).to_be_bytes();
    let total = ones_complement_sum(&[&frame[sum..][..2], &added]);
    frame[sum..][..2].copy_from_slice(&total.to_be_bytes());
    (header, frame)
}

fn sliced(frame: &[u8]) -> SlicedPacket<'_> {
    SlicedPacket::from_ethernet(frame).expect("a well-formed packet")
}

/// Where the TCP or UDP header begins.
pub fn transport_start(frame: &[u8]) -> usize {
    let transport = match sliced(frame).transport.expect("a transport header") {
        TransportSlice::Tcp(tcp) => tcp.slice(),
        TransportSlice::Udp(udp) => udp.slice(),
        other => panic!("unexpected protocol: {other:?}"),
    };
    transport.as_ptr() as usize - frame.as_ptr() as usize
}

pub fn tcp(frame: &[u8]) -> TcpSlice<'_> {
    match sliced(frame).transport {
        Some(TransportSlice::Tcp(tcp)) => tcp,
        other => panic!("unexpected protocol: {other:?}"),
    }
}

/// What TCP or UDP carries.
pub fn payload(frame: &[u8]) -> &[u8] {
    match sliced(frame).transport.expect("a transport header") {
        TransportSlice::Tcp(tcp) => tcp.payload(),
        TransportSlice::Udp(udp) => udp.payload(),
        other => panic!("unexpected protocol: {other:?}"),
    }
}

/// The Internet checksum's sum, not yet inverted.
fn ones_complement_sum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0u64;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u64::from(u16::from_be_bytes([pair[0], low]));
        }
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

/// The addresses, the length and the protocol: what a partial checksum covers.
fn pseudo_header_sum(frame: &[u8]) -> u16 {
    let start = transport_start(frame);
    let length = ((frame.len() - start) as u32).to_be_bytes();
    match sliced(frame).net.expect("an IP header") {
        NetSlice::Ipv4(ip) => {
            let header = ip.header();
            let protocol = [0, header.protocol().0];
            ones_complement_sum(&[&header.source(), &header.destination(), &protocol, &length])
        }
        NetSlice::Ipv6(ip) => {
            let header = ip.header();
            let protocol = [0, header.next_header().0];
            ones_complement_sum(&[&header.source(), &header.destination(), &protocol, &length])
        }
        other => panic!("unexpected protocol: {other:?}"),
    }
}

/// The IP header's checksum and that of TCP or UDP are right.
#[track_caller]
pub fn assert_checksums(frame: &[u8]) {
    if let Some(NetSlice::Ipv4(ip)) = sliced(frame).net {
        let sum = ones_complement_sum(&[ip.header().slice()]);
        assert_eq!(sum, 0xffff, "IPv4 header checksum");
    }
    let transport = &frame[transport_start(frame)..];
    let pseudo = pseudo_header_sum(frame).to_be_bytes();
    let sum = ones_complement_sum(&[&pseudo, transport]);
    assert_eq!(sum, 0xffff, "transport checksum");
}

/// `frame` with the checksum that its header leaves to the receiver.
pub fn completed(header: VnetHeader, frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if header.flags & vnet::F_NEEDS_CSUM != 0 {
        let start = usize::from(header.csum_start);
        let sum = !ones_complement_sum(&[&frame[start..]]);
        let at = start + usize::from(header.csum_offset);
        frame[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    frame
}

/// Long frames: says where they differ instead of showing them.
#[track_caller]
pub fn assert_same(got: &[u8], want: &[u8]) {
    let differs = got.iter().zip(want).position(|(got, want)| got != want);
    if let Some(at) = differs {
        let end = (at + 16).min(got.len()).min(want.len());
        panic!(
            "bytes differ from {at} on: {:02x?} instead of {:02x?}",
            &got[at..end],
            &want[at..end]
        );
    }
    assert_eq!(got.len(), want.len(), "number of bytes");
}

/// The segments carry `packet` in pieces of `size` bytes, and each of them is
/// a correct packet of its own.
#[track_caller]
pub fn assert_segments(segments: &[Vec<u8>], packet: &[u8], size: usize) {
    let whole = payload(packet);
    assert_eq!(segments.len(), whole.len().div_ceil(size), "segments");
    let headers = packet.len() - whole.len();
    for (index, (segment, piece)) in segments.iter().zip(whole.chunks(size)).enumerate() {
        assert_same(payload(segment), piece);
        assert_eq!(segment.len() - piece.len(), headers);
        assert_checksums(segment);
        assert_same(&segment[..ETHERNET_HEADER], &packet[..ETHERNET_HEADER]);
        let ports = transport_start(packet);
        assert_same(&segment[ports..ports + 4], &packet[ports..ports + 4]);
        if let Some(TransportSlice::Tcp(original)) = sliced(packet).transport {
            let last = index + 1 == segments.len();
            let tcp = tcp(segment);
            let sequence = SEQUENCE.wrapping_add((index * size) as u32);
            assert_eq!(tcp.sequence_number(), sequence);
            assert_eq!(tcp.psh(), original.psh() && last);
            assert_eq!(tcp.fin(), original.fin() && last);
            assert_eq!(tcp.cwr(), original.cwr() && index == 0);
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! A macvtap link, and a peer that sends to it.

use crate::frame::{Packet, Protocol};
use crate::setup;
use crate::setup::Wire;
use crate::sys::link::{Link, Macvtap, LOWER, OTHER_MAC};
use crate::sys::packet::PacketSocket;
use crate::sys::process;

use netlink_packet_route::link::LinkAttribute;

/// What is written to the link is for nobody, so that it is dropped as soon as it
/// arrives. The links are deleted in this order.
pub struct Segment {
    pub link: Link,
    _lower: Link,
    _peer_link: Link,
    /// Sends, and gets nothing.
    pub peer: PacketSocket,
}

impl Segment {
    pub fn new() -> Segment {
        let Wire {
            link,
            lower,
            peer_link,
            ..
        } = Wire::jumbo();
        let peer = PacketSocket::open(&peer_link, 0);
        process::wait_idle();
        Segment {
            link,
            _lower: lower,
            _peer_link: peer_link,
            peer,
        }
    }

    /// All of these bytes, a header and a frame.
    pub fn inject(&self, bytes: &[u8]) {
        assert_eq!(self.peer.send_bytes(bytes), Ok(bytes.len()));
    }
}

/// A macvtap link that sends into nothing at all: its lower device frees what it
/// gets.
pub struct Sink {
    pub link: Link,
    _lower: Link,
}

impl Sink {
    pub fn new() -> Sink {
        let lower = Link::dummy(LOWER);
        lower
            .set(LinkAttribute::Mtu(setup::LONGEST_MTU))
            .expect("a long MTU");
        let link = Macvtap::default().create(&lower).expect("a macvtap link");
        for link in [&lower, &link] {
            link.set_up(true).expect("a link that is up");
        }
        process::wait_idle();
        Sink {
            link,
            _lower: lower,
        }
    }
}

/// A frame of `length` bytes to the link, of UDP, as is all that is not long.
pub fn incoming(length: usize) -> Vec<u8> {
    Packet::incoming(Protocol::Udp4, length - UDP_HEADERS).build()
}

/// A frame of `length` bytes from the link to nobody.
pub fn outgoing(length: usize) -> Vec<u8> {
    Packet {
        destination: OTHER_MAC,
        ..Packet::outgoing(Protocol::Udp4, length - UDP_HEADERS)
    }
    .build()
}

const UDP_HEADERS: usize = 14 + 20 + 8;

// SPDX-License-Identifier: GPL-2.0
//! The lower device, its peer, and a wire that only tells when all is quiet.

use netlink_packet_route::link::LinkAttribute;

use crate::frame;
use crate::setup::LONGEST_MTU;
use crate::sys::link::{Link, Mac};
use crate::sys::packet::{PacketSocket, ALL};

const LOWER_MAC: Mac = [0x02, 0, 0, 0, 0, 0x02];

/// What the macvtap links are on.
pub struct Wire {
    pub peer: PacketSocket,
    pub peer_link: Link,
    pub lower: Link,
}

impl Wire {
    pub fn new(long: bool) -> Wire {
        let (lower, peer_link) = Link::veth();
        lower
            .set(LinkAttribute::Address(LOWER_MAC.to_vec()))
            .expect("an address");
        for link in [&lower, &peer_link] {
            if long {
                link.set(LinkAttribute::Mtu(LONGEST_MTU))
                    .expect("a long MTU");
            }
            link.set_up(true).expect("a link that is up");
        }
        for link in [&lower, &peer_link] {
            link.wait_operational();
        }
        Wire {
            peer: PacketSocket::open(&peer_link, ALL),
            peer_link,
            lower,
        }
    }
}

/// A wire of its own. All frames of this CPU go through one backlog, in their
/// order: when the frame that was sent last is here, so are those before.
pub struct Barrier {
    near: PacketSocket,
    far: PacketSocket,
    _links: (Link, Link),
}

/// A frame may pass the backlog once on its way to the lower device, and again
/// when that makes copies of it.
const ROUNDS: usize = 3;

impl Barrier {
    pub fn new() -> Barrier {
        let links = Link::veth_named("mt-bar0", "mt-bar1", [0x02, 0, 0, 0, 0, 0x03]);
        for link in [&links.0, &links.1] {
            link.set_up(true).expect("a link that is up");
        }
        for link in [&links.0, &links.1] {
            link.wait_operational();
        }
        Barrier {
            near: PacketSocket::open(&links.0, 0),
            far: PacketSocket::open(&links.1, ALL),
            _links: links,
        }
    }

    pub fn wait(&self) {
        for _ in 0..ROUNDS {
            let marker = frame::raw([0xff; 6], [0x02, 0, 0, 0, 0, 0x04], 60);
            self.near.send(&marker);
            frame::assert_same(&self.far.receive().frame, &marker);
        }
    }
}

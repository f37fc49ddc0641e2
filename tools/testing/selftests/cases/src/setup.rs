// SPDX-License-Identifier: GPL-2.0
//! A macvtap link on one end of a wire, a packet socket on the other.

use netlink_packet_route::link::{LinkAttribute, MacVtapMode};
use nix::errno::Errno;

use crate::sys::link::{Link, Macvtap, LOWER, TAP2, TAP2_MAC, TAP_MAC};
use crate::sys::packet::{PacketSocket, ALL};
use crate::sys::tap::Tap;
use crate::sys::wait;
use crate::{frame, vnet};

/// So long that every frame length passes.
pub const LONGEST_MTU: u32 = 65535;

/// The links are deleted in this order.
pub struct Wire {
    pub link: Link,
    pub lower: Link,
    pub peer_link: Link,
    pub peer: PacketSocket,
}

impl Wire {
    pub fn new() -> Wire {
        Wire::with(Macvtap::default())
    }

    pub fn with(macvtap: Macvtap) -> Wire {
        Wire::build(macvtap, None)
    }

    pub fn jumbo() -> Wire {
        Wire::build(Macvtap::default(), Some(LONGEST_MTU))
    }

    fn build(macvtap: Macvtap, mtu: Option<u32>) -> Wire {
        let (lower, peer_link) = Link::veth();
        if let Some(mtu) = mtu {
            for link in [&lower, &peer_link] {
                link.set(LinkAttribute::Mtu(mtu)).expect("a long MTU");
            }
        }
        // It takes over the lower device's MTU.
        let link = macvtap.create(&lower).expect("a macvtap link");
        for link in [&lower, &peer_link, &link] {
            link.set_up(true).expect("a link that is up");
        }
        let peer = PacketSocket::open(&peer_link, ALL);
        let wire = Wire {
            link,
            lower,
            peer_link,
            peer,
        };
        wire.wait_operational();
        wire
    }

    /// Until then frames are lost, also those that the peer sends.
    pub fn wait_operational(&self) {
        for link in [&self.lower, &self.peer_link, &self.link] {
            link.wait_operational();
        }
    }

    /// Another macvtap link on the same lower device.
    pub fn second(&self, mode: MacVtapMode) -> Link {
        let link = Macvtap {
            name: TAP2,
            address: TAP2_MAC,
            mode,
            ..Macvtap::default()
        };
        let link = link.create(&self.lower).expect("a second macvtap link");
        link.set_up(true).expect("a link that is up");
        link.wait_operational();
        link
    }

    /// A frame passes from the peer to the queue, and another one back.
    #[track_caller]
    pub fn assert_both_ways(&self, tap: &Tap) {
        let frame = frame::incoming(100);
        self.peer.send(&frame);
        frame::assert_same(&tap.receive_frame().1, &frame);
        let frame = frame::outgoing(100);
        assert_eq!(tap.write(&vnet::plain(&frame)), Ok(110));
        frame::assert_same(&self.peer.receive().frame, &frame);
    }

    /// Until as many frames came in, since the link was made, and were put into
    /// rings or dropped.
    pub fn wait_received(&self, frames: u64) {
        wait::until("the frames to come in", || {
            self.link.statistics().rx_packets >= frames
        });
    }

    /// Nothing that was written before this is under way any more: frames keep
    /// their order, and the first to arrive is the one sent here.
    #[track_caller]
    pub fn assert_nothing_sent(&self) {
        let marker = frame::outgoing(77);
        PacketSocket::open(&self.link, 0).send(&marker);
        frame::assert_same(&self.peer.receive().frame, &marker);
    }

    /// `write` fails with `error`, which is counted, and sends nothing.
    #[track_caller]
    pub fn assert_refused(&self, error: Errno, write: impl FnOnce() -> nix::Result<usize>) {
        let before = self.link.statistics();
        assert_eq!(write(), Err(error));
        let after = self.link.statistics();
        assert_eq!(after.tx_dropped - before.tx_dropped, 1, "tx_dropped");
        assert_eq!(after.tx_packets - before.tx_packets, 0, "tx_packets");
        self.assert_nothing_sent();
    }

    /// The same in the other direction.
    #[track_caller]
    pub fn assert_nothing_arrived(&self, tap: &Tap) {
        let marker = frame::incoming(77);
        self.peer.send(&marker);
        frame::assert_same(&tap.receive_frame().1, &marker);
    }
}

/// A macvtap link that is not connected to anything, and a queue of it: enough
/// for what moves no frames, and faster.
pub struct Lone {
    pub tap: Tap,
    pub link: Link,
    _lower: Link,
}

impl Lone {
    pub fn new() -> Lone {
        let lower = Link::dummy(LOWER);
        let link = Macvtap::default().create(&lower).expect("a macvtap link");
        Lone {
            tap: Tap::open(&link),
            link,
            _lower: lower,
        }
    }

    /// With its link deleted.
    pub fn orphan() -> Lone {
        let lone = Lone::new();
        lone.link.delete().expect("the link to be deleted");
        lone
    }
}

/// Two queues with a bridge between them. What one writes lies in the other's
/// ring, and counts against the writer's send buffer until it is read.
pub struct Pair {
    pub near: Tap,
    pub far: Tap,
    pub far_link: Link,
    pub wire: Wire,
}

impl Pair {
    pub fn new(flags: i32) -> Pair {
        let wire = Wire::new();
        let far_link = wire.second(MacVtapMode::Bridge);
        Pair {
            near: Tap::open_path(wire.link.node(), flags).expect("a queue"),
            far: Tap::open(&far_link),
            far_link,
            wire,
        }
    }

    pub fn frame() -> Vec<u8> {
        frame::raw(TAP2_MAC, TAP_MAC, 1000)
    }

    /// Makes the send buffer short and fills it. Returns the number of frames.
    pub fn fill(&self) -> usize {
        self.near
            .set_number(libc::TUNSETSNDBUF, 10_000)
            .expect("TUNSETSNDBUF");
        let bytes = vnet::plain(&Pair::frame());
        let mut frames = 0;
        loop {
            match self.near.write_nowait(&bytes) {
                Ok(written) => assert_eq!(written, bytes.len()),
                Err(error) => {
                    assert_eq!(error, Errno::EAGAIN);
                    assert!(frames > 1, "{frames} frames");
                    return frames;
                }
            }
            frames += 1;
        }
    }

    /// Takes frames off the buffer.
    pub fn drain(&self, frames: usize) {
        for _ in 0..frames {
            frame::assert_same(&self.far.receive_frame().1, &Pair::frame());
        }
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Frames both ways, for as long as a race lasts, and how those that arrive must look.

use fastrand::Rng;
use nix::errno::Errno;

use super::race::{times, Race};
use crate::frame::{self, Packet, Protocol};
use crate::setup::Wire;
use crate::sys::link::{Link, Mac, PEER_MAC, TAP_MAC};
use crate::sys::packet::{PacketSocket, ALL};
use crate::sys::tap::Tap;
use crate::sys::wait;
use crate::vnet::{self, VnetHeader};

const FLOWS: u16 = 64;

/// Where a UDP datagram over IPv4 has its source port.
const PORT: usize = 34;

/// More than the longest frame with its header.
pub const BUFFER: usize = 4096;

/// Datagrams, each of another flow and length.
pub struct Frames(Vec<Vec<u8>>);

impl Frames {
    pub fn between(source: Mac, destination: Mac) -> Frames {
        let of_flow = |flow| Packet {
            source,
            destination,
            source_port: flow,
            ..Packet::incoming(Protocol::Udp4, usize::from(flow) * 20)
        };
        Frames((0..FLOWS).map(|flow| of_flow(flow).build()).collect())
    }

    pub fn incoming() -> Frames {
        Frames::between(PEER_MAC, TAP_MAC)
    }

    pub fn outgoing() -> Frames {
        Frames::between(TAP_MAC, PEER_MAC)
    }

    pub fn any(&self, rng: &mut Rng) -> &[u8] {
        &self.0[rng.usize(..self.0.len())]
    }

    /// With headers that ask for nothing.
    pub fn plain(&self) -> Vec<(VnetHeader, Vec<u8>)> {
        let frames = self.0.iter().cloned();
        frames.map(|frame| (VnetHeader::default(), frame)).collect()
    }

    pub fn has(&self, frame: &[u8]) -> bool {
        let Some(&[high, low]) = frame.get(PORT..PORT + 2) else {
            return false;
        };
        let flow = u16::from_be_bytes([high, low]);
        self.0
            .get(usize::from(flow))
            .is_some_and(|own| own == frame)
    }

    #[track_caller]
    pub fn assert_has(&self, frame: &[u8]) {
        let start = &frame[..frame.len().min(60)];
        assert!(
            self.has(frame),
            "{} bytes of no frame: {start:02x?}",
            frame.len()
        );
    }
}

/// Frames from the far end, as fast as they go. A link that is down or full takes none.
pub fn send(peer_link: &Link) -> impl FnMut(&mut Rng) -> bool + Send + 'static {
    send_any(peer_link, Frames::incoming().plain())
}

/// The same with any of these.
pub fn send_any(
    peer_link: &Link,
    frames: Vec<(VnetHeader, Vec<u8>)>,
) -> impl FnMut(&mut Rng) -> bool + Send + 'static {
    let socket = PacketSocket::open(peer_link, 0);
    move |rng| {
        let (header, frame) = &frames[rng.usize(..frames.len())];
        match socket.try_send(*header, frame) {
            Ok(_) => true,
            Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENETDOWN | Errno::ENXIO) => false,
            // As __dev_queue_xmit() says of a link that has just gone down.
            Err(Errno::ENOMEM) => false,
            Err(error) => panic!("sending: {error}"),
        }
    }
}

/// Packets that take the receiver long, if it must segment them: what it has found under RCU
/// it must have all that time. The reader of a link that does takes no offloads.
pub fn send_long(peer_link: &Link) -> impl FnMut(&mut Rng) -> bool + Send + 'static {
    let of_flow = |flow| Packet {
        source_port: flow,
        ..Packet::incoming(Protocol::Tcp4, 20_000)
    };
    let packets = (0..8).map(|flow| of_flow(flow).build_gso(100)).collect();
    send_any(peer_link, packets)
}

/// What arrives at the far end is what was written.
pub fn receive(peer: &mut PacketSocket) -> impl FnMut(&mut Rng) -> bool + Send + '_ {
    let frames = Frames::outgoing();
    move |_| {
        let received = peer.receive_now();
        received
            .inspect(|received| frames.assert_has(&received.frame))
            .is_some()
    }
}

/// Whatever arrives there.
pub fn discard(peer: &mut PacketSocket) -> impl FnMut(&mut Rng) -> bool + Send + '_ {
    move |_| match peer.try_receive() {
        Ok(_) => true,
        // A device that goes down says so, once.
        Err(Errno::EAGAIN | Errno::ENETDOWN) => false,
        Err(error) => panic!("receiving: {error}"),
    }
}

/// What is read is what the far end sent.
pub fn read(tap: &Tap) -> impl FnMut(&mut Rng) -> bool + Send + '_ {
    let frames = Frames::incoming();
    move |_| read_one(tap, &frames)
}

/// Whatever is read.
pub fn read_any(tap: &Tap) -> impl FnMut(&mut Rng) -> bool + Send + '_ {
    move |_| match tap.read(&mut [0; BUFFER]) {
        Ok(length) => {
            assert!(length > vnet::SIZE, "{length} bytes");
            true
        }
        Err(error) => {
            assert_eq!(error, Errno::EAGAIN);
            false
        }
    }
}

/// Whether there was a frame.
pub fn read_one(tap: &Tap, frames: &Frames) -> bool {
    let mut buffer = [0; BUFFER];
    match tap.read(&mut buffer) {
        Ok(length) => frames.assert_has(&buffer[vnet::SIZE..length]),
        Err(Errno::EAGAIN) => return false,
        Err(error) => panic!("reading: {error}"),
    }
    true
}

pub fn write(tap: &Tap) -> impl FnMut(&mut Rng) -> bool + Send + '_ {
    let frames = Frames::outgoing();
    move |rng| {
        let bytes = vnet::plain(frames.any(rng));
        match tap.write(&bytes) {
            Ok(length) => assert_eq!(length, bytes.len()),
            Err(Errno::EAGAIN) => return false,
            Err(error) => panic!("writing: {error}"),
        }
        true
    }
}

impl<'a> Race<'a> {
    /// Frames are written, and arrive at the far end.
    pub fn with_frames_out(self, tap: &'a Tap, peer: &'a mut PacketSocket) -> Self {
        self.with("frames written", times(400), write(tap)).with(
            "frames arrived",
            times(400),
            receive(peer),
        )
    }
}

/// Attaches a queue or detaches it, unless somebody else has.
pub fn set_queue(tap: &Tap, flags: i32) {
    match tap.set_queue(flags) {
        Ok(()) | Err(Errno::EINVAL) => (),
        Err(error) => panic!("TUNSETQUEUE: {error}"),
    }
}

/// A frame passes each way, through a queue that is the link's only one. Others may
/// still be under way.
#[track_caller]
pub fn assert_usable(wire: &Wire, link: &Link) {
    for link in [&wire.lower, &wire.peer_link, link] {
        link.wait_operational();
    }
    let tap = Tap::open(link);
    // The other one may have been told that its device was down.
    let peer = PacketSocket::open(&wire.peer_link, ALL);
    let marker = frame::raw(link.address(), PEER_MAC, 77);
    wait::until("a frame to come in", || {
        peer.send(&marker);
        let mut buffer = [0; BUFFER];
        let mut next = || {
            tap.read(&mut buffer)
                .ok()
                .map(|length| buffer[vnet::SIZE..length].to_vec())
        };
        std::iter::from_fn(&mut next).any(|frame| frame == marker)
    });
    let marker = frame::raw(PEER_MAC, link.address(), 78);
    wait::until("a frame to leave", || {
        assert_eq!(tap.write(&vnet::plain(&marker)), Ok(88));
        std::iter::from_fn(|| peer.receive_now()).any(|received| received.frame == marker)
    });
}

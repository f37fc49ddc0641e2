// SPDX-License-Identifier: GPL-2.0
//! Frames by read() and write(), and from a peer's send until they lie in a ring.

use nix::errno::Errno;
use nix::poll::PollFlags;

use super::meter::Meter;
use super::segment::{incoming, outgoing, Segment};
use crate::frame::{self, Packet, Protocol};
use crate::sys::link::OTHER_MAC;
use crate::sys::tap::Tap;
use crate::sys::wait;
use crate::vnet::{self, VnetHeader};

const LENGTHS: [usize; 3] = [60, 1500, 9000];

/// With its header, if that goes along.
const BUFFER_SIZE: usize = 1 << 17;

/// What comes before frames at the tap. `struct virtio_net_hdr_mrg_rxbuf`, or with its
/// last field: as QEMU has it.
const MRG_HEADER: usize = 12;

pub fn measure(meter: &mut Meter) {
    for length in LENGTHS {
        let always = length <= 1500;
        let arriving = incoming(length);
        let sent = outgoing(length);
        Kind {
            name: format!("{length} B"),
            header: vnet::SIZE,
            incoming: vnet::plain(&arriving),
            outgoing: vnet::plain(&sent),
            received: vnet::SIZE + length,
        }
        .measure(meter, always);
        Kind {
            name: format!("{length} B, no header"),
            header: 0,
            incoming: vnet::plain(&arriving),
            outgoing: sent.clone(),
            received: length,
        }
        .measure(meter, always);
        Kind {
            name: format!("{length} B, header of {MRG_HEADER} B"),
            header: MRG_HEADER,
            incoming: vnet::plain(&arriving),
            outgoing: [&[0; MRG_HEADER][..], &sent].concat(),
            received: MRG_HEADER + length,
        }
        .measure(meter, always);
        Kind {
            name: format!("{length} B, tagged"),
            header: vnet::SIZE,
            incoming: vnet::plain(&tagged(&arriving)),
            outgoing: vnet::plain(&tagged(&sent)),
            received: vnet::SIZE + length,
        }
        .measure(meter, always);
    }
    checksums(meter);
    empty(meter);
}

/// Of the same length.
pub fn tagged(frame: &[u8]) -> Vec<u8> {
    frame::tagged(&frame[..frame.len() - 4], 0x8100, 5)
}

/// Packets whose checksum the tap computes, or leaves to who reads.
fn checksums(meter: &mut Meter) {
    let payload = 1500 - 54;
    let partial = |packet: Packet| {
        let (header, frame) = packet.build_partial();
        header.with(&frame)
    };
    let incoming = Packet::incoming(Protocol::Tcp4, payload);
    let sent = Packet {
        destination: OTHER_MAC,
        ..Packet::outgoing(Protocol::Tcp4, payload)
    };
    let (header, frame) = sent.build_partial();
    for (what, header_size) in [("left out", vnet::SIZE), ("computed", 0)] {
        Kind {
            name: format!("1500 B, checksum {what}"),
            header: header_size,
            incoming: partial(incoming),
            outgoing: match header_size {
                0 => frame.clone(),
                _ => header.with(&frame),
            },
            received: header_size + frame.len(),
        }
        .measure(meter, true);
    }
}

struct Kind {
    name: String,
    /// At the tap; zero for none.
    header: usize,
    /// As the peer sends it.
    incoming: Vec<u8>,
    /// As it is written.
    outgoing: Vec<u8>,
    /// How much is read.
    received: usize,
}

impl Kind {
    fn measure(self, meter: &mut Meter, always: bool) {
        let [inject, read, write] =
            ["inject", "read", "write"].map(|path| format!("{path} {}", self.name));
        if !meter.wants_any(&[&inject, &read, &write], always) {
            return;
        }
        let burst = if self.received > 4096 { 16 } else { 32 };
        let segment = Segment::new();
        let tap = Tap::open(&segment.link);
        match self.header {
            0 => tap.set_bare(),
            size => tap
                .set_number(libc::TUNSETVNETHDRSZ, size as i32)
                .expect("TUNSETVNETHDRSZ"),
        }
        tap.set_offload(libc::TUN_F_CSUM).expect("TUNSETOFFLOAD");
        let mut buffer = vec![0; BUFFER_SIZE];
        for _ in 0..meter.rounds() {
            meter.repeat(&inject, burst, || {
                segment.inject(&self.incoming);
            });
            meter.repeat(&read, burst, || {
                assert_eq!(tap.read(&mut buffer), Ok(self.received));
            });
            meter.repeat(&write, burst, || {
                assert_eq!(tap.write(&self.outgoing), Ok(self.outgoing.len()));
            });
        }
        tap.assert_empty();
    }
}

/// A queue of which nothing is to be had, and one that is asked if it has something.
fn empty(meter: &mut Meter) {
    const EMPTY: &str = "read from an empty queue";
    const BLOCKING: &str = "read 60 B, blocking file";
    const POLL_EMPTY: &str = "poll an empty queue";
    const POLL: &str = "poll a queue with a frame";
    const BURST: usize = 32;

    if !meter.wants_any(&[EMPTY, BLOCKING, POLL_EMPTY, POLL], true) {
        return;
    }
    let segment = Segment::new();
    let tap = Tap::open(&segment.link);
    let bytes = VnetHeader::default().with(&incoming(60));
    let mut buffer = [0; 2048];
    let wanted = PollFlags::POLLIN | PollFlags::POLLOUT;
    for _ in 0..meter.rounds() {
        meter.repeat(EMPTY, BURST, || {
            assert_eq!(tap.read(&mut buffer), Err(Errno::EAGAIN));
        });
        meter.repeat(POLL_EMPTY, BURST, || {
            assert_eq!(wait::events_now(&tap, wanted), PollFlags::POLLOUT);
        });
        for _ in 0..BURST {
            segment.inject(&bytes);
        }
        meter.repeat(POLL, BURST, || {
            assert_eq!(wait::events_now(&tap, wanted), wanted);
        });
        tap.set_nonblocking(false);
        meter.repeat(BLOCKING, BURST, || {
            assert_eq!(tap.read(&mut buffer), Ok(bytes.len()));
        });
        tap.set_nonblocking(true);
    }
}

// SPDX-License-Identifier: GPL-2.0
//! The link's counters.

use netlink_packet_route::link::{LinkAttribute, Stats64};
use nix::errno::Errno;

use crate::cases;
use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol};
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::link::Macvtap;
use crate::sys::memory::UNMAPPED;
use crate::sys::packet::PacketSocket;
use crate::sys::tap::Tap;
use crate::vnet;

pub fn cases(driver: Driver) -> Vec<Case> {
    let mut cases = cases![
        new_link,
        received,
        received_gso,
        received_without_reader,
        received_into_a_full_ring,
        read_errors_are_not_the_links,
        transmitted,
        transmit_errors,
        transmitted_while_down,
    ];
    let counted = !driver.has_our_tap();
    cases.push(Case::new("received gso into a full ring", move || {
        received_gso_into_a_full_ring(!counted)
    }));
    cases.push(Case::new("dropped by a shorter ring", move || {
        dropped_by_a_shorter_ring(!counted)
    }));
    cases.push(Case::new("transmitted later", move || {
        transmitted_later(counted)
    }));
    cases
}

/// All of them: one that should not have moved is as wrong.
#[track_caller]
fn assert_counters(wire: &Wire, wanted: Stats64) {
    assert_eq!(nonzero(wire.link.statistics()), nonzero(wanted));
}

/// For a message that can be read.
fn nonzero(counters: Stats64) -> String {
    let text = format!("{counters:?}");
    let counters = text.split([',', '{', '}']).map(str::trim);
    let nonzero: Vec<_> = counters.filter(|text| !text.ends_with(": 0")).collect();
    nonzero.join(" ")
}

fn zero() -> Stats64 {
    Stats64::default()
}

fn new_link() {
    assert_counters(&Wire::new(), zero());
}

fn received() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for length in [60, 1000] {
        wire.peer.send(&frame::incoming(length));
        tap.receive();
    }
    let mut wanted = zero();
    wanted.rx_packets = 2;
    wanted.rx_bytes = 1060;
    assert_counters(&wire, wanted);
}

/// In C, segments that find no room behind others that did are lost without a
/// trace.
fn received_gso_into_a_full_ring(counted: bool) {
    let wire = Wire::with(Macvtap {
        attributes: vec![LinkAttribute::TxQueueLen(3)],
        ..Macvtap::default()
    });
    let tap = Tap::open(&wire.link);
    tap.set_offload(0).expect("TUNSETOFFLOAD");
    let (header, frame) = Packet::incoming(Protocol::Tcp4, 5000).build_gso(1000);
    wire.peer.send_with(header, &frame);
    for _ in 0..3 {
        tap.receive();
    }
    tap.assert_empty();
    let dropped = if counted { 2 } else { 0 };
    assert_eq!(wire.link.statistics().rx_dropped, dropped);
}

fn received_gso() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_offload(0).expect("TUNSETOFFLOAD");
    let (header, frame) = Packet::incoming(Protocol::Tcp4, 5000).build_gso(1000);
    wire.peer.send_with(header, &frame);
    for _ in 0..5 {
        tap.receive();
    }
    let mut wanted = zero();
    wanted.rx_packets = 1;
    wanted.rx_bytes = frame.len() as u64;
    assert_counters(&wire, wanted);
}

fn received_without_reader() {
    let wire = Wire::new();
    // Somebody in the host's stack takes it; if nobody did it would count as
    // dropped there.
    let host = PacketSocket::open(&wire.link, frame::ETHERTYPE);
    wire.peer.send(&frame::incoming(100));
    host.receive();
    let mut wanted = zero();
    wanted.rx_packets = 1;
    wanted.rx_bytes = 100;
    assert_counters(&wire, wanted);
}

/// It was received by then, and counts so.
fn received_into_a_full_ring() {
    let wire = Wire::with(Macvtap {
        attributes: vec![LinkAttribute::TxQueueLen(3)],
        ..Macvtap::default()
    });
    let tap = Tap::open(&wire.link);
    for _ in 0..10 {
        wire.peer.send(&frame::incoming(100));
    }
    wire.wait_received(10);
    for _ in 0..3 {
        tap.receive();
    }
    tap.assert_empty();
    let mut wanted = zero();
    wanted.rx_packets = 10;
    wanted.rx_bytes = 1000;
    wanted.rx_dropped = 7;
    wanted.rx_errors = 7;
    assert_counters(&wire, wanted);
}

/// Of two queues; a detached one keeps its frames, and its ring is made shorter, too.
fn dropped_by_a_shorter_ring(counted: bool) {
    let wire = Wire::new();
    let taps = [Tap::open(&wire.link), Tap::open(&wire.link)];
    for tap in &taps {
        for other in &taps {
            let _ = other.set_queue(libc::IFF_DETACH_QUEUE);
        }
        tap.set_queue(libc::IFF_ATTACH_QUEUE).expect("attach");
        for _ in 0..10 {
            wire.peer.send(&frame::incoming(100));
        }
        // All are in this ring when the next one gets its own.
        tap.wait_readable();
        wire.wait_received(10);
    }
    wire.wait_received(20);
    let dropped = |length, lost| {
        wire.link
            .set(LinkAttribute::TxQueueLen(length))
            .expect("another length");
        let mut wanted = zero();
        wanted.rx_packets = 20;
        wanted.rx_bytes = 2000;
        if counted {
            wanted.rx_dropped = lost;
            wanted.rx_errors = lost;
        }
        assert_counters(&wire, wanted);
    };
    dropped(10, 0);
    dropped(7, 6);
    dropped(1000, 6);
    dropped(0, 20);
    for tap in &taps {
        tap.assert_empty();
    }
}

fn read_errors_are_not_the_links() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    wire.peer.send(&frame::incoming(100));
    wire.peer.send(&frame::incoming(100));
    wire.wait_received(2);
    assert_eq!(tap.read(&mut [0; 5]), Err(Errno::EINVAL));
    assert_eq!(tap.read_at(UNMAPPED, 200), Err(Errno::EFAULT));
    let mut wanted = zero();
    wanted.rx_packets = 2;
    wanted.rx_bytes = 200;
    assert_counters(&wire, wanted);
}

fn transmitted() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for length in [60, 1000] {
        let bytes = vnet::plain(&frame::outgoing(length));
        assert_eq!(tap.write(&bytes), Ok(bytes.len()));
        wire.peer.receive();
    }
    let mut wanted = zero();
    wanted.tx_packets = 2;
    wanted.tx_bytes = 1060;
    assert_counters(&wire, wanted);
}

fn transmit_errors() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    assert_eq!(tap.write(&[0; 5]), Err(Errno::EINVAL));
    assert_eq!(tap.write(&[0; 20]), Err(Errno::EINVAL));
    assert_eq!(tap.write(&[0xff; 100]), Err(Errno::EINVAL));
    assert_eq!(tap.write_at(UNMAPPED, 100), Err(Errno::EFAULT));
    let mut wanted = zero();
    wanted.tx_dropped = 4;
    assert_counters(&wire, wanted);
}

/// In C, a write that is to be tried again counts as dropped.
fn transmitted_later(counted: bool) {
    let pair = Pair::new(libc::O_NONBLOCK);
    pair.fill();
    let before = pair.wire.link.statistics().tx_dropped;
    let frame = vnet::plain(&Pair::frame());
    assert_eq!(pair.near.write(&frame), Err(Errno::EAGAIN));
    let after = pair.wire.link.statistics().tx_dropped;
    assert_eq!(after - before, u64::from(counted));
}

fn transmitted_while_down() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    wire.link.set_up(false).expect("a link that is down");
    assert_eq!(tap.write(&vnet::plain(&frame::outgoing(100))), Ok(110));
    let statistics = wire.link.statistics();
    assert_eq!(statistics.tx_packets, 0);
    wire.peer.assert_empty();
}

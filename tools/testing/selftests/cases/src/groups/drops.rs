// SPDX-License-Identifier: GPL-2.0
//! What tracing says of packets that are dropped: operators look there when
//! some are missing.

use netlink_packet_route::link::LinkAttribute;
use nix::errno::Errno;

use crate::driver::Driver;
use crate::frame::{self, Packet, Protocol, ETHERNET_HEADER};
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::drops::Drops;
use crate::sys::link::Macvtap;
use crate::sys::memory::UNMAPPED;
use crate::sys::tap::Tap;
use crate::sys::tun::Tun;
use crate::vnet::{self, VnetHeader};

/// What the kernel says of a packet that is dropped without one.
const NONE: &str = "NOT_SPECIFIED";

const LENGTH: usize = 100;

struct Setup {
    wire: Wire,
    tap: Tap,
    drops: Drops,
}

impl Setup {
    fn receive(&self) {
        self.wire.peer.send(&frame::incoming(LENGTH));
        self.tap.wait_readable();
    }

    fn write(&self, header: VnetHeader) -> nix::Result<usize> {
        self.tap.write(&header.with(&frame::outgoing(LENGTH)))
    }
}

type Body = fn(&Setup);

/// What is done, the reason in C, and the one here.
const CASES: &[(&str, Body, &[&str], &[&str])] = &[
    ("frames that arrive", arrive, &[], &[]),
    ("full ring", full_ring, &["FULL_RING"], &["FULL_RING"]),
    ("shorter ring", shorter_ring, &[NONE], &["FULL_RING"]),
    ("closed with a frame", closed, &[NONE], &[NONE]),
    (
        "read to a bad address",
        read_to_a_bad_address,
        &[NONE],
        &["SKB_UCOPY_FAULT"],
    ),
    (
        "read without room for the header",
        read_without_room,
        &[NONE],
        &["DEV_HDR"],
    ),
    (
        "write from a bad address",
        write_from_a_bad_address,
        &["SKB_UCOPY_FAULT"],
        &["SKB_UCOPY_FAULT"],
    ),
    (
        "write with a bad header",
        write_with_a_bad_header,
        &["DEV_HDR"],
        &["DEV_HDR"],
    ),
    // Here, no packet is made of what nobody will send.
    ("write without link", write_without_link, &[NONE], &[]),
];

pub fn cases(driver: Driver) -> Vec<Case> {
    let case = |&(name, body, c, ours): &(&str, Body, &'static [_], &'static [_])| {
        let wanted = if driver.has_our_tap() { ours } else { c };
        Case::new(name, move || {
            let wire = Wire::with(Macvtap {
                attributes: vec![LinkAttribute::TxQueueLen(2)],
                ..Macvtap::default()
            });
            let tap = Tap::open(&wire.link);
            let drops = Drops::watch(frame::ETHERTYPE);
            let setup = Setup { wire, tap, drops };
            body(&setup);
            assert_eq!(setup.drops.reasons(), wanted);
        })
    };
    let mut cases: Vec<_> = CASES.iter().map(case).collect();
    let dropped = driver.has_our_tap();
    cases.push(Case::new("packet without Ethernet header", move || {
        without_ethernet_header(dropped);
    }));
    cases
}

fn arrive(setup: &Setup) {
    for _ in 0..2 {
        setup.receive();
        setup.tap.receive();
        assert_eq!(setup.write(VnetHeader::default()), Ok(110));
        setup.wire.peer.receive();
    }
}

fn full_ring(setup: &Setup) {
    for _ in 0..3 {
        setup.receive();
    }
    setup.wire.wait_received(3);
}

fn shorter_ring(setup: &Setup) {
    setup.receive();
    setup.receive();
    setup.wire.wait_received(2);
    let link = &setup.wire.link;
    link.set(LinkAttribute::TxQueueLen(1)).expect("one place");
}

fn closed(setup: &Setup) {
    let tap = Tap::open(&setup.wire.link);
    setup
        .tap
        .set_queue(libc::IFF_DETACH_QUEUE)
        .expect("detached");
    setup.wire.peer.send(&frame::incoming(LENGTH));
    tap.wait_readable();
    drop(tap);
}

fn read_to_a_bad_address(setup: &Setup) {
    setup.receive();
    assert_eq!(setup.tap.read_at(UNMAPPED, 1000), Err(Errno::EFAULT));
}

fn read_without_room(setup: &Setup) {
    setup.receive();
    let mut buffer = [0; vnet::SIZE - 1];
    assert_eq!(setup.tap.read(&mut buffer), Err(Errno::EINVAL));
}

fn write_from_a_bad_address(setup: &Setup) {
    setup.tap.set_bare();
    assert_eq!(setup.tap.write_at(UNMAPPED, LENGTH), Err(Errno::EFAULT));
}

fn write_with_a_bad_header(setup: &Setup) {
    let header = VnetHeader {
        gso_type: 0x7f,
        ..VnetHeader::default()
    };
    assert_eq!(setup.write(header), Err(Errno::EINVAL));
}

fn write_without_link(setup: &Setup) {
    setup.wire.link.delete().expect("the link to be deleted");
    assert_eq!(setup.write(VnetHeader::default()), Ok(110));
}

/// tc puts one into the link. In C, a reader gets what lies before it, which
/// may never have been written.
fn without_ethernet_header(dropped: bool) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (tun, device) = Tun::of_packets("mt-tun");
    device.silence();
    device.set_up(true).expect("a device that is up");
    device.redirect(&wire.link);
    let drops = Drops::watch(frame::ETHERTYPE);
    let before = wire.link.statistics().rx_dropped;
    let frame = Packet::incoming(Protocol::Udp4, LENGTH).build();
    let packet = &frame[ETHERNET_HEADER..];
    let bytes = vnet::plain(packet);
    assert_eq!(tun.send(&bytes), Ok(bytes.len()));
    if dropped {
        tap.assert_empty();
    } else {
        let (_, got) = tap.receive_frame();
        assert_eq!(got.len(), frame.len());
        frame::assert_same(&got[ETHERNET_HEADER..], packet);
    }
    let (count, reasons): (_, &[_]) = if dropped { (1, &["DEV_HDR"]) } else { (0, &[]) };
    assert_eq!(drops.reasons(), reasons);
    assert_eq!(wire.link.statistics().rx_dropped - before, count);
}

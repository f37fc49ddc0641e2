// SPDX-License-Identifier: GPL-2.0
//! Open files go on whatever happens to the link, and when the link goes, they
//! say so.

use std::os::fd::AsRawFd as _;

use netlink_packet_route::link::{InfoMacVtap, LinkAttribute, MacVlanFlags, MacVlanMode};
use nix::errno::Errno;
use nix::poll::PollFlags;

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::link::{info, Link, Mac, OTHER_MAC, PEER_MAC, TAP_MAC};
use crate::sys::netns::Netns;
use crate::sys::process::Blocked;
use crate::sys::tap::{IfReq, Tap};
use crate::sys::wait;
use crate::vnet;

/// A link's later name.
const RENAMED: &str = "mt-renamed";

/// What is done, and the link's name and address after it.
type Change = (&'static str, fn(&Wire), &'static str, Mac);

#[rustfmt::skip]
const CHANGES: &[Change] = &[
    ("shorter MTU", |wire| set(&wire.link, LinkAttribute::Mtu(500)), "mt-tap", TAP_MAC),
    ("shorter MTU below", |wire| set(&wire.lower, LinkAttribute::Mtu(500)), "mt-tap", TAP_MAC),
    ("renamed", |wire| set(&wire.link, LinkAttribute::IfName(RENAMED.into())), RENAMED, TAP_MAC),
    ("lower renamed", |wire| set(&wire.lower, LinkAttribute::IfName(RENAMED.into())), "mt-tap", TAP_MAC),
    ("down and up", |wire| down_and_up(wire, &wire.link), "mt-tap", TAP_MAC),
    ("lower down and up", |wire| down_and_up(wire, &wire.lower), "mt-tap", TAP_MAC),
    ("another address", |wire| set(&wire.link, LinkAttribute::Address(OTHER_MAC.to_vec())), "mt-tap", OTHER_MAC),
    ("mode private", |wire| set(&wire.link, info(vec![InfoMacVtap::Mode(MacVlanMode::Private)])), "mt-tap", TAP_MAC),
    ("mode vepa", |wire| set(&wire.link, info(vec![InfoMacVtap::Mode(MacVlanMode::Vepa)])), "mt-tap", TAP_MAC),
    ("flag nodst", |wire| set(&wire.link, info(vec![InfoMacVtap::Flags(MacVlanFlags::NoDst)])), "mt-tap", TAP_MAC),
    ("shorter ring", |wire| set(&wire.link, LinkAttribute::TxQueueLen(3)), "mt-tap", TAP_MAC),
    ("longer ring", |wire| set(&wire.link, LinkAttribute::TxQueueLen(5000)), "mt-tap", TAP_MAC),
    ("another group", |wire| set(&wire.link, LinkAttribute::Group(7)), "mt-tap", TAP_MAC),
    ("moved there and back", there_and_back, "mt-tap", TAP_MAC),
    ("a sibling comes and goes", |wire| drop(wire.second(MacVlanMode::Bridge)), "mt-tap", TAP_MAC),
];

/// How the link goes.
type End = (&'static str, fn(&Wire));

const ENDS: &[End] = &[
    ("link deleted", |wire| wire.link.delete().expect("the end")),
    ("lower deleted", |wire| {
        wire.lower.delete().expect("the end")
    }),
    ("namespace gone", gone_with_its_namespace),
];

pub fn cases(driver: Driver) -> Vec<Case> {
    let told = driver.has_our_tap();
    let mut cases = cases![blocked_reader_goes_on];
    for &(name, change, link, address) in CHANGES {
        cases.push(Case::new(name, move || {
            let (wire, tap, queued) = wire_with_queued_frame();
            change(&wire);
            // So that it is deleted under its name.
            let _link = Link::of_name(link).expect("the link");
            frame::assert_same(&tap.receive_frame().1, &queued);
            assert_all_works(&wire, &tap, link, address);
            drop(tap);
            assert_all_works(&wire, &Tap::open(&wire.link), link, address);
        }));
    }
    for &(name, end) in ENDS {
        cases.push(Case::new(name, move || {
            let (wire, tap, queued) = wire_with_queued_frame();
            end(&wire);
            assert_orphan(&tap, &queued, told);
        }));
    }
    cases
}

fn wire_with_queued_frame() -> (Wire, Tap, Vec<u8>) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frame = frame::incoming(80);
    wire.peer.send(&frame);
    tap.wait_readable();
    (wire, tap, frame)
}

fn set(link: &Link, attribute: LinkAttribute) {
    link.set(attribute).expect("a change");
}

fn down_and_up(wire: &Wire, link: &Link) {
    link.set_up(false).expect("a link that is down");
    link.set_up(true).expect("a link that is up");
    wire.wait_operational();
}

fn there_and_back(wire: &Wire) {
    let home = Netns::current();
    let there = Netns::another();
    set(&wire.link, LinkAttribute::NetNsFd(there.as_raw_fd()));
    // It keeps the index, which nobody has taken.
    there.enter();
    set(&wire.link, LinkAttribute::NetNsFd(home.as_raw_fd()));
    home.enter();
    wire.link.silence();
    wire.link.set_up(true).expect("a link that is up");
    wire.link.wait_operational();
}

/// Read, write, poll and the ioctls that ask or change the link.
fn assert_all_works(wire: &Wire, tap: &Tap, name: &str, address: Mac) {
    let everything = PollFlags::POLLIN | PollFlags::POLLOUT;
    assert_eq!(wait::events_now(tap, everything), PollFlags::POLLOUT);
    let frame = frame::raw(address, PEER_MAC, 200);
    wire.peer.send(&frame);
    tap.wait_readable();
    assert_eq!(wait::events_now(tap, everything), everything);
    frame::assert_same(&tap.receive_frame().1, &frame);
    let frame = frame::raw(PEER_MAC, address, 200);
    assert_eq!(tap.write(&vnet::plain(&frame)), Ok(210));
    frame::assert_same(&wire.peer.receive().frame, &frame);
    assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, name);
    assert_eq!(hardware_address(tap), Ok((name.into(), address)));
    assert_eq!(tap.set_offload(0x7), Ok(()));
    for flags in [libc::IFF_DETACH_QUEUE, libc::IFF_ATTACH_QUEUE] {
        assert_eq!(tap.set_queue(flags), Ok(()));
    }
    let own = &mut IfReq::with_address(libc::ARPHRD_ETHER, address);
    assert_eq!(tap.ioctl(libc::SIOCSIFHWADDR, own.address()), Ok(()));
    tap.assert_empty();
}

fn hardware_address(tap: &Tap) -> nix::Result<(String, Mac)> {
    let mut request = IfReq::new(0);
    tap.ioctl(libc::SIOCGIFHWADDR, request.address())?;
    let address = request.data[2..8].try_into().expect("six bytes");
    Ok((request.name(), address))
}

pub fn gone_with_its_namespace(wire: &Wire) {
    let there = Netns::another();
    set(&wire.link, LinkAttribute::NetNsFd(there.as_raw_fd()));
    drop(there);
    wait::until("the namespace to go", || {
        nix::sys::stat::stat(wire.link.node().as_str()).is_err()
    });
}

/// With our tap.ko, pollers are told until a reader has found nothing.
fn assert_orphan(tap: &Tap, queued: &[u8], told: bool) {
    let everything = PollFlags::POLLIN | PollFlags::POLLOUT | PollFlags::POLLPRI;
    let mut news = PollFlags::POLLOUT;
    news.set(PollFlags::POLLERR, told);
    assert_eq!(wait::events_now(tap, everything), news | PollFlags::POLLIN);
    frame::assert_same(&tap.receive_frame().1, queued);
    assert_eq!(wait::events_now(tap, everything), news);
    tap.assert_empty();
    assert_eq!(wait::events_now(tap, everything), PollFlags::POLLOUT);
    let error = if told { Errno::ENETDOWN } else { Errno::EAGAIN };
    assert_eq!(tap.read_nowait(&mut [0; 200]), Err(error));
    assert_eq!(tap.write(&vnet::plain(&frame::outgoing(100))), Ok(110));
    assert_eq!(tap.write(&[0; 23]), Err(Errno::EINVAL));
    assert_eq!(tap.name_and_flags(), Err(Errno::ENOLINK));
    assert_eq!(hardware_address(tap), Err(Errno::ENOLINK));
    assert_eq!(tap.set_offload(0), Err(Errno::ENOLINK));
    for flags in [libc::IFF_DETACH_QUEUE, libc::IFF_ATTACH_QUEUE] {
        assert_eq!(tap.set_queue(flags), Err(Errno::EINVAL));
    }
    assert_eq!(tap.set_number(libc::TUNSETSNDBUF, 1000), Ok(()));
    assert_eq!(tap.number(libc::TUNGETVNETHDRSZ), Ok(10));
}

/// It sleeps through all of this.
fn blocked_reader_goes_on() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let reader = Blocked::start(libc::SYS_read, move || tap.read(&mut [0; 300]));
    set(&wire.link, LinkAttribute::Mtu(600));
    set(&wire.link, LinkAttribute::TxQueueLen(12));
    down_and_up(&wire, &wire.link);
    there_and_back(&wire);
    set(&wire.link, LinkAttribute::IfName(RENAMED.into()));
    let _link = Link::of_name(RENAMED).expect("the link");
    reader.wait_asleep();
    wire.peer.send(&frame::incoming(200));
    assert_eq!(reader.result(), Ok(210));
}

// SPDX-License-Identifier: GPL-2.0
//! What the kernel tells unasked: to network managers by rtnetlink, to udev by
//! device events. Compared between the drivers message by message.

use std::os::fd::AsRawFd as _;

use netlink_packet_route::link::{InfoMacVtap, LinkAttribute, MacVlanMode};
use netlink_packet_route::RouteNetlinkMessage;

use crate::cases;
use crate::driver::Driver;
use crate::ktap::{self, Case};
use crate::show;
use crate::sys::link::{info, Link, Macvtap, TAP2};
use crate::sys::netlink::{self, Monitor};
use crate::sys::netns::Netns;
use crate::sys::tap::{IfReq, Tap};
use crate::sys::uevent::Uevents;

const MARKER: &str = "mt-marker";

pub fn cases(_: Driver) -> Vec<Case> {
    cases![
        made_and_deleted,
        refused,
        changed,
        renamed,
        moved,
        lower_deleted,
        opened_and_closed,
        changed_through_the_file,
    ]
}

/// Listens from before something happens.
struct Listener {
    monitor: Monitor,
    uevents: Uevents,
}

impl Listener {
    fn start() -> Listener {
        Listener {
            monitor: Monitor::open(),
            uevents: Uevents::open(),
        }
    }

    /// Shows what was heard so far.
    fn show(&self) {
        let marker = Link::dummy(MARKER);
        for message in self.monitor.heard_before(&marker) {
            match message {
                RouteNetlinkMessage::NewLink(link) => show::link("RTM_NEWLINK", &link),
                RouteNetlinkMessage::DelLink(link) => show::link("RTM_DELLINK", &link),
                other => ktap::data(format_args!("{other:?}")),
            }
        }
        for event in self.uevents.before(MARKER) {
            show::event(&event);
        }
    }
}

fn made_and_deleted() {
    let lower = show::lower();
    let listener = Listener::start();
    let link = show::macvtap().create(&lower).expect("a link");
    link.delete().expect("the link to be deleted");
    listener.show();
}

/// Nobody hears of a link that does not come to be.
fn refused() {
    let (link, lower) = show::links();
    let listener = Listener::start();
    let passthru = Macvtap {
        name: TAP2,
        mode: MacVlanMode::Passthrough,
        ..Macvtap::default()
    };
    netlink::create(passthru.message(&lower)).expect_err("passthru beside another");
    let zero = LinkAttribute::Address(vec![0; 6]);
    link.set(zero).expect_err("a zero address");
    listener.show();
}

fn changed() {
    let (link, lower) = show::links();
    let listener = Listener::start();
    for change in [
        info(vec![InfoMacVtap::Mode(MacVlanMode::Private)]),
        LinkAttribute::Address(vec![2, 0, 0, 0, 0, 0x55]),
        LinkAttribute::Mtu(1000),
        LinkAttribute::TxQueueLen(9),
        LinkAttribute::Group(3),
        LinkAttribute::GsoMaxSegs(4),
    ] {
        link.set(change).expect("a change");
    }
    lower.set(LinkAttribute::Mtu(900)).expect("a change");
    listener.show();
}

fn renamed() {
    let (link, _lower) = show::links();
    let listener = Listener::start();
    link.set(LinkAttribute::IfName(TAP2.into()))
        .expect("another name");
    listener.show();
}

fn moved() {
    let home = Netns::current();
    let there = Netns::enter_new();
    let in_there = Listener::start();
    home.enter();
    let (link, _lower) = show::links();
    let listener = Listener::start();
    link.set(LinkAttribute::NetNsFd(there.as_raw_fd()))
        .expect("a move");
    listener.show();
    there.enter();
    in_there.show();
}

fn lower_deleted() {
    let (_link, lower) = show::links();
    let listener = Listener::start();
    lower.delete().expect("the lower device to be deleted");
    listener.show();
}

/// These are the file's own matter.
fn opened_and_closed() {
    let (link, _lower) = show::links();
    let listener = Listener::start();
    let tap = Tap::open(&link);
    tap.set_bare();
    for flags in [libc::IFF_DETACH_QUEUE, libc::IFF_ATTACH_QUEUE] {
        tap.set_queue(flags).expect("TUNSETQUEUE");
    }
    drop(tap);
    listener.show();
}

fn changed_through_the_file() {
    let (link, _lower) = show::links();
    let tap = Tap::open(&link);
    let listener = Listener::start();
    let mut address = IfReq::with_address(libc::ARPHRD_ETHER, [2, 0, 0, 0, 0, 0x56]);
    tap.ioctl(libc::SIOCSIFHWADDR, address.address())
        .expect("SIOCSIFHWADDR");
    for offloads in [0, 1, 7, 0] {
        tap.set_offload(offloads).expect("TUNSETOFFLOAD");
    }
    listener.show();
}

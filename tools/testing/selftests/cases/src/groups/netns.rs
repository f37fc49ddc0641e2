// SPDX-License-Identifier: GPL-2.0
//! Links that are moved to another network namespace while a file is open.

use std::os::fd::AsRawFd;
use std::path::Path;

use netlink_packet_route::link::LinkAttribute;
use nix::errno::Errno;

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::link::Link;
use crate::sys::netns::{mount_sysfs, Netns};
use crate::sys::tap::Tap;
use crate::vnet;

pub fn cases(_: Driver) -> Vec<Case> {
    cases![
        node_comes_along,
        sysfs_comes_along,
        open_file_goes_on,
        open_file_survives_the_namespace,
    ]
}

/// Moves the link there, enters, and finds it.
fn move_to(wire: &Wire, netns: &Netns) -> Link {
    wire.link
        .set(LinkAttribute::NetNsFd(netns.as_raw_fd()))
        .expect("the link to be moved");
    assert_eq!(wire.link.get(), Err(Errno::ENODEV));
    netns.enter();
    let link = Link::of_name(&wire.link.name).expect("the link, there");
    link.set_up(true).expect("a link that is up");
    link.wait_operational();
    link
}

fn node_comes_along() {
    let wire = Wire::new();
    let home = Netns::current();
    let link = move_to(&wire, &Netns::another());
    let tap = Tap::open(&link);
    home.enter();
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
}

fn sysfs_comes_along() {
    let wire = Wire::new();
    let name = |link: &Link| format!("/sys/class/macvtap/tap{}", link.index);
    assert!(Path::new(&name(&wire.link)).exists());
    let old = name(&wire.link);
    let link = move_to(&wire, &Netns::another());
    assert!(!Path::new(&old).exists(), "in the old namespace");
    mount_sysfs();
    assert!(Path::new(&name(&link)).exists(), "in the new one");
    let symlink = format!("/sys/class/net/{0}/tap{1}/dev", link.name, link.index);
    assert!(Path::new(&symlink).exists());
}

fn open_file_goes_on() {
    let wire = Wire::new();
    let home = Netns::current();
    let tap = Tap::open(&wire.link);
    let queued = frame::incoming(99);
    wire.peer.send(&queued);
    tap.wait_readable();

    let there = Netns::another();
    let link = move_to(&wire, &there);
    home.enter();
    frame::assert_same(&tap.receive_frame().1, &queued);
    assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, link.name);
    wire.assert_both_ways(&tap);
    there.enter();
}

/// With its last process the namespace goes, and the link in it.
fn open_file_survives_the_namespace() {
    let wire = Wire::new();
    let home = Netns::current();
    let tap = Tap::open(&wire.link);
    let there = Netns::another();
    let link = move_to(&wire, &there);
    home.enter();
    drop(there);
    std::mem::forget(link);
    crate::sys::wait::until("the namespace to go", || {
        tap.name_and_flags() == Err(Errno::ENOLINK)
    });
    assert_eq!(tap.write(&vnet::plain(&frame::outgoing(100))), Ok(110));
}

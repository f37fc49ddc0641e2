// SPDX-License-Identifier: GPL-2.0
//! Queues come and go with files, nodes with links.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use netlink_packet_route::link::MacVtapMode;
use nix::errno::Errno;
use nix::sys::stat::{major, makedev, mknod, Mode, SFlag};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Lone, Pair, Wire};
use crate::sys::link::{Link, Macvtap, LOWER, PEER_MAC, TAP2_MAC};
use crate::sys::netns::Netns;
use crate::sys::process::{self, Blocked};
use crate::sys::tap::Tap;
use crate::sys::uevent::Uevents;
use crate::vnet;

const LIMIT: usize = 256;

pub fn cases(driver: Driver) -> Vec<Case> {
    let waits = !driver.has_our_tap();
    let mut cases = vec![Case::new("close and waiting", move || {
        close_and_waiting(waits);
    })];
    cases.extend(cases![
        open_close_and_open_again,
        node_belongs_to_root,
        node_goes_with_the_link,
        node_elsewhere_is_as_good,
        node_without_link,
        node_with_minor_0,
        device_events,
        queue_limit,
        detached_queues_count_for_the_limit,
        duplicate_descriptor_keeps_the_queue,
        open_from_another_network_namespace,
        delete_with_open_file,
        delete_with_blocked_reader,
        delete_with_blocked_writer,
        delete_with_many_files,
        orphan_keeps_its_frames,
        orphan_does_not_reach_a_new_link,
        remove_lower_device_with_open_file,
        unknown_mode,
    ]);
    cases
}

/// In C, each close() sleeps for a grace period of RCU.
fn close_and_waiting(waits: bool) {
    const COUNT: i64 = 50;
    let lone = Lone::new();
    let taps: Vec<_> = (0..COUNT).map(|_| Tap::open(&lone.link)).collect();
    let before = process::sleeps();
    drop(taps);
    let sleeps = process::sleeps() - before;
    if waits {
        assert!(sleeps >= COUNT, "{sleeps} sleeps");
    } else {
        // Somebody else may hold RTNL now and then.
        assert!(sleeps < COUNT / 5, "{sleeps} sleeps");
    }
}

fn open_close_and_open_again() {
    let wire = Wire::new();
    for _ in 0..3 {
        let tap = Tap::open(&wire.link);
        wire.assert_both_ways(&tap);
    }
}

fn node_belongs_to_root() {
    let lone = Lone::new();
    let node = fs::metadata(lone.link.node()).expect("the node");
    assert!(node.file_type().is_char_device());
    assert_eq!(
        (node.uid(), node.gid(), node.mode() & 0o7777),
        (0, 0, 0o600)
    );
}

/// A node in a directory of its own, removed at the end.
struct Node {
    path: String,
}

impl Node {
    fn new(number: u64) -> Node {
        let path = format!("/dev/mt-node-{}", std::process::id());
        mknod(path.as_str(), SFlag::S_IFCHR, Mode::S_IRUSR, number).expect("mknod");
        Node { path }
    }

    fn open(&self) -> nix::Result<Tap> {
        Tap::open_path(&self.path, libc::O_NONBLOCK)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        fs::remove_file(&self.path).expect("the node to be removed");
    }
}

fn number_of(link: &Link) -> u64 {
    fs::metadata(link.node()).expect("the node").rdev()
}

fn node_goes_with_the_link() {
    let lone = Lone::new();
    let node = lone.link.node();
    let copy = Node::new(number_of(&lone.link));
    assert!(Path::new(&node).exists());
    lone.link.delete().expect("the link to be deleted");
    assert!(!Path::new(&node).exists());
    assert_eq!(copy.open().err(), Some(Errno::ENODEV));
}

fn node_elsewhere_is_as_good() {
    let lone = Lone::new();
    let copy = Node::new(number_of(&lone.link));
    let tap = copy.open().expect("a queue");
    assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, lone.link.name);
}

fn node_without_link() {
    let lone = Lone::new();
    let node = Node::new(makedev(major(number_of(&lone.link)), 777_777));
    assert_eq!(node.open().err(), Some(Errno::ENODEV));
}

fn node_with_minor_0() {
    let lone = Lone::new();
    let node = Node::new(makedev(major(number_of(&lone.link)), 0));
    assert_eq!(node.open().err(), Some(Errno::ENODEV));
}

fn device_events() {
    let lower = Link::dummy(LOWER);
    let events = Uevents::open();
    let link = Macvtap::default().create(&lower).expect("a link");
    let number = number_of(&link);
    let node = format!("tap{}", link.index);
    link.delete().expect("the link to be deleted");

    for action in ["add", "remove"] {
        let event = events.next_of("macvtap");
        assert_eq!(event["ACTION"], action);
        assert_eq!(event["DEVNAME"], node);
        assert_eq!(event["MAJOR"], nix::sys::stat::major(number).to_string());
        assert_eq!(event["MINOR"], nix::sys::stat::minor(number).to_string());
        let path = format!("/{}/macvtap/{node}", link.name);
        assert!(event["DEVPATH"].ends_with(&path), "{}", event["DEVPATH"]);
    }
}

fn open_many(link: &Link, count: usize) -> Vec<Tap> {
    (0..count).map(|_| Tap::open(link)).collect()
}

fn open_more(link: &Link) -> nix::Result<Tap> {
    Tap::open_path(link.node(), 0)
}

fn queue_limit() {
    let lone = Lone::new();
    let mut taps = open_many(&lone.link, LIMIT - 1);
    assert_eq!(open_more(&lone.link).err(), Some(Errno::EBUSY));
    taps.pop();
    taps.push(open_more(&lone.link).expect("the queue that was freed"));
    assert_eq!(open_more(&lone.link).err(), Some(Errno::EBUSY));
}

fn detached_queues_count_for_the_limit() {
    let lone = Lone::new();
    let taps = open_many(&lone.link, LIMIT - 1);
    for tap in &taps {
        tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    }
    assert_eq!(open_more(&lone.link).err(), Some(Errno::EBUSY));
}

fn duplicate_descriptor_keeps_the_queue() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let duplicate = tap.duplicate();
    drop(tap);
    wire.assert_both_ways(&duplicate);
}

fn open_from_another_network_namespace() {
    let wire = Wire::new();
    let home = Netns::current();
    Netns::enter_new();
    let tap = Tap::open(&wire.link);
    home.enter();
    wire.assert_both_ways(&tap);
}

fn delete_with_open_file() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    wire.link.delete().expect("the link to be deleted");
    assert_eq!(wire.link.get(), Err(Errno::ENODEV));
    assert_eq!(tap.name_and_flags(), Err(Errno::ENOLINK));
    // It says that it was sent, as for a link that is down.
    assert_eq!(tap.write(&vnet::plain(&frame::outgoing(60))), Ok(70));
    assert_eq!(tap.write(&[0; 23]), Err(Errno::EINVAL));
    drop(tap);
    wire.peer.assert_empty();
}

/// What it is told is in group gone. That the link can be deleted and the process
/// can end has to be so anyway.
fn delete_with_blocked_reader() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let _reader = Blocked::start(libc::SYS_read, move || tap.read(&mut [0; 100]));
    wire.link.delete().expect("the link to be deleted");
}

fn delete_with_blocked_writer() {
    let pair = Pair::new(0);
    pair.fill();
    let near = pair.near.duplicate();
    let _writer = Blocked::start(libc::SYS_write, move || {
        near.write(&vnet::plain(&Pair::frame()))
    });
    pair.wire.link.delete().expect("the link to be deleted");
}

fn delete_with_many_files() {
    let wire = Wire::new();
    let taps = open_many(&wire.link, 20);
    for tap in &taps[..10] {
        tap.set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    }
    wire.link.delete().expect("the link to be deleted");
    for tap in &taps {
        assert_eq!(tap.name_and_flags(), Err(Errno::ENOLINK));
    }
}

fn orphan_keeps_its_frames() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let frames = [frame::incoming(100), frame::incoming(1000)];
    for frame in &frames {
        wire.peer.send(frame);
    }
    wire.link.delete().expect("the link to be deleted");
    for frame in &frames {
        frame::assert_same(&tap.receive_frame().1, frame);
    }
}

fn orphan_does_not_reach_a_new_link() {
    let wire = Wire::new();
    let orphan = Tap::open(&wire.link);
    wire.link.delete().expect("the link to be deleted");

    let link = wire.second(MacVtapMode::Bridge);
    let tap = Tap::open(&link);
    assert_eq!(orphan.write(&vnet::plain(&frame::outgoing(60))), Ok(70));
    let frame = frame::outgoing(61);
    assert_eq!(tap.write(&vnet::plain(&frame)), Ok(71));
    frame::assert_same(&wire.peer.receive().frame, &frame);

    wire.peer.send(&frame::incoming(60));
    let frame = frame::raw(TAP2_MAC, PEER_MAC, 61);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
    tap.assert_empty();
    orphan.assert_empty();
}

fn remove_lower_device_with_open_file() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let node = wire.link.node();
    wire.lower.delete().expect("the lower device to be deleted");
    assert_eq!(wire.link.get(), Err(Errno::ENODEV));
    assert!(!Path::new(&node).exists());
    assert_eq!(tap.name_and_flags(), Err(Errno::ENOLINK));
}

fn unknown_mode() {
    let lower = Link::dummy(LOWER);
    for mode in [0, 3, 5, 6, 7, 9, 17, 32] {
        let link = Macvtap {
            mode: MacVtapMode::Other(mode),
            ..Macvtap::default()
        };
        assert_eq!(
            link.create(&lower).err(),
            Some(Errno::EINVAL),
            "mode {mode}"
        );
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Faults while links are made, changed, moved and deleted, and while the module is loaded.

use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use netlink_packet_route::link::{LinkAttribute, LinkMessage, MacVtapMode};
use nix::errno::Errno::{EFAULT, EINVAL, ENOBUFS, ENOLINK, ENOMEM, EPERM};

use super::{each_fault, INDEX, NEW_LINK, NO_MEMORY};
use crate::frame;
use crate::groups::filter::{self, some};
use crate::holdings::Holdings;
use crate::ktap;
use crate::setup::Wire;
use crate::sys::fault::{Faults, Objector, Quiet};
use crate::sys::filter::Filter;
use crate::sys::link::{info, Link, Macvtap, LOWER, OTHER_MAC, PEER_MAC, TAP, TAP2, TAP2_MAC};
use crate::sys::log::Log;
use crate::sys::module;
use crate::sys::netlink::Request;
use crate::sys::netns::Netns;
use crate::sys::tap::Tap;
use crate::vnet;

pub(super) fn new_link_with_filter() {
    let lower = Link::dummy(LOWER);
    lower.set_up(true).expect("a link that is up");
    let holdings = Holdings::settled();
    each_fault(Faults::here(), NEW_LINK, 100, |trial| {
        let wanted = some();
        let message = filter::message_of(&lower, MacVtapMode::Passthrough, wanted.attribute());
        let result = trial.ask(Request::create(message));
        match Link::of_name(TAP) {
            Ok(link) => {
                assert!(matches!(result, Ok(()) | Err(ENOBUFS)), "{result:?}");
                assert_eq!(Filter::of(&link), Some(wanted.clone()));
                link.set_up(true).expect("a link that is up");
                filter::assert_asked(&lower, &wanted);
            }
            Err(_) => assert!(result.is_err(), "no link"),
        }
        filter::assert_asked(&lower, &Filter::default());
        holdings.assert_back();
    });
}

/// It is the old one or the new one, as a whole, and so is what the lower device was asked for.
pub(super) fn receive_filter() {
    let lower = Link::dummy(LOWER);
    let link = filter::create(&lower, Some(&some()));
    link.set_up(true).expect("a link that is up");
    let holdings = Holdings::settled();
    let other = Filter::new(&[OTHER_MAC, TAP2_MAC], &[[1, 0, 0x5e, 0, 0, 0xcc]]);
    each_fault(Faults::here(), NO_MEMORY, 10, |trial| {
        let mut message = link.message();
        message.attributes.push(info(vec![other.attribute()]));
        let result = trial.ask(Request::change(message));
        let now = Filter::of(&link).expect("a filter");
        let allowed = match result {
            Ok(()) => vec![other.clone()],
            Err(ENOBUFS) => vec![other.clone(), some()],
            Err(_) => vec![some()],
        };
        assert!(allowed.contains(&now), "{now:?} after {result:?}");
        // macvlan tells nobody if it has no memory to pass an address on, but does so next time.
        if result.is_err() || !trial.injected {
            filter::assert_asked(&lower, &now);
        }
        filter::set(&link, &some());
        filter::assert_asked(&lower, &some());
        holdings.assert_back();
    });
}

/// All rings have the new length, or all the old one, and the link says which. If
/// it is the queueing discipline, which comes last, that has no memory, the
/// network stack takes back what the link says, and does not tell the driver.
pub(super) fn resize() {
    const SHORT: u32 = 6;
    const LONG: u32 = 9;
    const QUEUES: usize = 3;
    let wire = Wire::new();
    let taps: Vec<_> = (0..QUEUES).map(|_| Tap::open(&wire.link)).collect();
    let holdings = Holdings::settled();
    let allowed = &[ENOMEM, ENOBUFS, EFAULT, EPERM];
    each_fault(Faults::here(), allowed, 3 * QUEUES as u32, |trial| {
        // In two steps: the driver is told of what changes.
        for length in [SHORT + 1, SHORT] {
            let length = LinkAttribute::TxQueueLen(length);
            wire.link.set(length).expect("a length");
        }
        let mut message = wire.link.message();
        message.attributes.push(LinkAttribute::TxQueueLen(LONG));
        let result = trial.ask(Request::change(message));
        let rings: Vec<_> = taps.iter().map(|tap| room(&wire, &taps, tap)).collect();
        let expected: &[[u32; 2]] = match result {
            Ok(()) => &[[LONG, LONG]],
            Err(ENOBUFS) => &[[LONG, LONG], [SHORT, SHORT]],
            Err(ENOMEM) => &[[SHORT, SHORT], [SHORT, LONG]],
            Err(_) => &[[SHORT, SHORT]],
        };
        let seen = [length_of(&wire.link), rings[0]];
        assert!(expected.contains(&seen), "{seen:?} instead of {expected:?}");
        assert_eq!(rings, [rings[0]; QUEUES]);
        holdings.assert_back();
    });
}

fn length_of(link: &Link) -> u32 {
    let link = link.get().expect("the link");
    link.attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::TxQueueLen(length) => Some(length),
            _ => None,
        })
        .expect("the link's queue length")
}

/// How many frames fit into the ring of one of the queues.
fn room(wire: &Wire, taps: &[Tap], tap: &Tap) -> u32 {
    const FRAMES: u64 = 12;
    for other in taps {
        let _ = other.set_queue(libc::IFF_DETACH_QUEUE);
    }
    tap.set_queue(libc::IFF_ATTACH_QUEUE).expect("attach");
    let before = wire.link.statistics();
    for _ in 0..FRAMES {
        wire.peer.send(&frame::incoming(100));
    }
    wire.wait_received(before.rx_packets + FRAMES);
    let mut room = 0;
    while tap.read(&mut [0; 200]).is_ok() {
        room += 1;
    }
    let dropped = wire.link.statistics().rx_dropped - before.rx_dropped;
    assert_eq!(dropped, FRAMES - u64::from(room));
    for other in taps {
        let _ = other.set_queue(libc::IFF_ATTACH_QUEUE);
    }
    room
}

fn another(lower: &Link) -> LinkMessage {
    let link = Macvtap {
        name: TAP2,
        address: TAP2_MAC,
        index: INDEX,
        ..Macvtap::default()
    };
    link.message(lower)
}

fn make_another(lower: &Link) -> Link {
    Request::create(another(lower))
        .send()
        .expect("a request for a link");
    Link::of_name(TAP2).expect("another link")
}

fn node() -> String {
    format!("/dev/tap{INDEX}")
}

fn number() -> u64 {
    fs::metadata(node()).expect("the node").rdev()
}

/// It carries frames, beside the other link.
fn assert_works(wire: &Wire, link: &Link) {
    link.set_up(true).expect("a link that is up");
    link.wait_operational();
    let tap = Tap::open(link);
    let frame = frame::raw(TAP2_MAC, PEER_MAC, 100);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
    let frame = frame::raw(PEER_MAC, TAP2_MAC, 100);
    assert_eq!(tap.write(&vnet::plain(&frame)), Ok(110));
    frame::assert_same(&wire.peer.receive().frame, &frame);
}

/// There is a link with its node, or there is nothing.
pub(super) fn new_link() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let holdings = Holdings::settled();
    let link = make_another(&wire.lower);
    let expected = number();
    drop(link);
    holdings.assert_back();
    each_fault(Faults::here(), NEW_LINK, 100, |trial| {
        let result = trial.ask(Request::create(another(&wire.lower)));
        match Link::of_name(TAP2) {
            Ok(link) => {
                assert!(matches!(result, Ok(()) | Err(ENOBUFS)), "{result:?}");
                assert_eq!(number(), expected);
                assert_works(&wire, &link);
            }
            Err(_) => assert!(result.is_err(), "no link"),
        }
        holdings.assert_back();
        wire.assert_both_ways(&tap);
    });
}

pub(super) fn link_deleted() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let holdings = Holdings::settled();
    each_fault(Faults::here(), NO_MEMORY, 10, |trial| {
        let link = make_another(&wire.lower);
        assert_works(&wire, &link);
        let orphan = Tap::open(&link);
        let result = trial.ask(Request::delete(link.message()));
        let known = orphan.name_and_flags().map(drop);
        drop(orphan);
        if link.get().is_ok() {
            assert!(result.is_err(), "the link is there");
            assert_eq!(known, Ok(()));
            assert_works(&wire, &link);
        } else {
            assert!(matches!(result, Ok(()) | Err(ENOBUFS)), "{result:?}");
            assert_eq!(known, Err(ENOLINK));
            assert!(!Path::new(&node()).exists());
        }
        drop(link);
        holdings.assert_back();
        wire.assert_both_ways(&tap);
    });
}

/// In another network namespace. That one's node stays, and only that one.
pub(super) fn taken_index() {
    let wire = Wire::new();
    let (home, there) = (Netns::current(), Netns::another());
    there.enter();
    let other_lower = Link::dummy(LOWER);
    let other = make_another(&other_lower);
    home.enter();
    let expected = number();
    let holdings = Holdings::settled();
    each_fault(Faults::here(), NEW_LINK, 100, |trial| {
        let result = trial.ask(Request::create(another(&wire.lower)));
        let link = Link::of_name(TAP2);
        if link.is_ok() {
            assert!(matches!(result, Ok(()) | Err(ENOBUFS)), "{result:?}");
        } else {
            assert!(result.is_err(), "no link");
        }
        drop(link);
        holdings.assert_back();
    });
    each_fault(Faults::here(), NO_MEMORY, 10, |trial| {
        let link = make_another(&wire.lower);
        let result = trial.ask(Request::delete(link.message()));
        let gone = link.get().is_err();
        assert!(gone || result.is_err(), "the link is there");
        drop(link);
        holdings.assert_back();
    });
    assert_eq!(number(), expected);
    there.enter();
    drop((other, other_lower));
    home.enter();
}

/// What nodes are made of. The network stack itself does not expect that there
/// may be no memory while it moves a link, and complains.
const CACHES: &[&str] = &["maple_node", "radix_tree_node", "kernfs_node_cache"];

/// It may have no node there, because nobody asks the driver whether it may be
/// moved. The log may say so, and when it is moved again it has one.
pub(super) fn moved(logged: bool) {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let (home, there) = (Netns::current(), Netns::another());
    let holdings = Holdings::settled();
    let mut log = Log::open();
    let mut without_node = 0;
    each_fault(Faults::in_caches(CACHES), NO_MEMORY, 3, |trial| {
        let link = make_another(&wire.lower);
        let queue = Tap::open(&link);
        let mut message = link.message();
        let target = LinkAttribute::NetNsFd(there.as_raw_fd());
        message.attributes.push(target);
        let result = trial.ask(Request::change(message));
        assert_eq!(queue.name_and_flags().expect("TUNGETIFF").0, TAP2);
        drop(queue);
        if link.get().is_ok() {
            assert!(result.is_err(), "not moved");
        } else {
            assert!(matches!(result, Ok(()) | Err(ENOBUFS)), "{result:?}");
            if !Path::new(&node()).exists() {
                assert!(trial.injected, "no node");
                without_node += 1;
            }
            there.enter();
            link.set(LinkAttribute::NetNsFd(home.as_raw_fd()))
                .expect("the way back");
            home.enter();
            link.silence();
        }
        assert_works(&wire, &link);
        drop(link);
        holdings.assert_back();
        wire.assert_both_ways(&tap);
    });
    ktap::figures(format!("{without_node} times, without a node there"));
    assert!(without_node > 0);
    let told = log.count("has no node");
    assert_eq!(told, if logged { without_node } else { 0 });
}

/// What a link does that somebody else may object to.
type Step = (&'static str, fn(&Wire) -> nix::Result<()>);

const NEW: fn(&Wire) -> nix::Result<()> = |wire| {
    let link = Macvtap {
        name: TAP2,
        address: TAP2_MAC,
        index: INDEX,
        ..Macvtap::default()
    };
    link.create(&wire.lower).map(drop)
};

#[rustfmt::skip]
const STEPS: &[Step] = &[
    ("NETDEV_POST_INIT", NEW),
    ("NETDEV_REGISTER", NEW),
    ("NETDEV_PRECHANGEUPPER", NEW),
    ("NETDEV_CHANGEUPPER", NEW),
    ("NETDEV_PRECHANGEMTU", |wire| wire.link.set(LinkAttribute::Mtu(1400))),
    ("NETDEV_CHANGEMTU", |wire| wire.link.set(LinkAttribute::Mtu(1400))),
    ("NETDEV_CHANGENAME", |wire| wire.link.set(LinkAttribute::IfName(TAP2.into()))),
    ("NETDEV_PRE_UP", |wire| wire.second(MacVtapMode::Bridge).set_up(true)),
];

pub(super) fn objections(before: bool) {
    let objector = Objector::load(before);
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let holdings = Holdings::settled();
    for &(event, step) in STEPS {
        if event == "NETDEV_PRE_UP" {
            wire.link.set_up(false).expect("a link that is down");
            let refused = objector.during(event, EINVAL, || wire.link.set_up(true));
            assert_eq!(refused, Err(EINVAL), "{event}");
            wire.link.set_up(true).expect("a link that is up");
            wire.wait_operational();
        } else {
            let refused = objector.during(event, EINVAL, || step(&wire));
            assert_eq!(refused, Err(EINVAL), "{event}");
        }
        assert!(Link::of_name(TAP2).is_err(), "{event}");
        assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, TAP);
        holdings.assert_back();
        wire.assert_both_ways(&tap);
        assert_works(&wire, &make_another(&wire.lower));
        holdings.assert_back();
    }
    objected_move(&objector, &wire);
    holdings.assert_back();
    wire.assert_both_ways(&tap);
}

/// The network stack moves a link whoever objects, and does not tell the others.
fn objected_move(objector: &Objector, wire: &Wire) {
    let (home, there) = (Netns::current(), Netns::another());
    let link = make_another(&wire.lower);
    let moved = objector.during("NETDEV_REGISTER", EINVAL, || {
        link.set(LinkAttribute::NetNsFd(there.as_raw_fd()))
    });
    assert_eq!(moved, Ok(()));
    there.enter();
    link.set(LinkAttribute::NetNsFd(home.as_raw_fd()))
        .expect("the way back");
    home.enter();
    link.silence();
    assert_works(wire, &link);
}

/// The module is there with all that it registers, or there is nothing of it.
pub(super) fn load() {
    module::unload("macvtap");
    let file = File::open(module::file("macvtap")).expect("the module's file");
    let quiet = Quiet::new();
    each_fault(Faults::here(), NO_MEMORY, 50, |trial| {
        if trial.result_of(|| module::load_here(&file)).is_ok() {
            module::unload("macvtap");
        }
        assert!(!module::is_loaded("macvtap"));
        assert!(!Path::new("/sys/class/macvtap").exists());
        let devices = fs::read_to_string("/proc/devices").expect("majors");
        assert!(!devices.contains("macvtap"));
    });
    drop(quiet);
    module::load("macvtap", &[]);
    let wire = Wire::new();
    wire.assert_both_ways(&Tap::open(&wire.link));
}

// SPDX-License-Identifier: GPL-2.0
//! The numbers of the device nodes.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::sys::stat::{makedev, minor, mknod, Mode, SFlag};
use nix::unistd::unlink;

use crate::driver::{Driver, Minors};
use crate::frame;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::link::{Link, Macvtap, LOWER};
use crate::sys::netns::{mount_sysfs, Netns};
use crate::sys::tap::Tap;

/// Free in every network namespace of the test.
const INDEX: u32 = 5001;
/// The highest minor that there is.
const LAST: u32 = (1 << 20) - 1;
const UPPER_HALF: u32 = 1 << 19;

pub fn cases(driver: Driver) -> Vec<Case> {
    let rule = driver.minors();
    let case = |name: &str, body: fn(Minors)| Case::new(name, move || body(rule));
    vec![
        case("follow the rule", follow_the_rule),
        case("are reused", are_reused),
        case("of a chosen index", of_a_chosen_index),
        case("of an index too high for one", of_an_index_too_high),
        case("of one index in two network namespaces", of_one_index_twice),
        case("nodes of one index", nodes_of_one_index),
        case("nodes of one index that is too high", nodes_of_high_index),
        case("free again after the other namespace's link", free_again),
    ]
}

fn macvtap(name: &'static str, index: u32) -> Macvtap {
    let [a, b, c, d] = index.to_be_bytes();
    Macvtap {
        name,
        index,
        address: [0x02, name.len() as u8, a, b, c, d],
        ..Macvtap::default()
    }
}

/// As sysfs tells, in the current network namespace.
fn number_of(link: &Link) -> (u64, u32) {
    let path = format!("/sys/class/macvtap/tap{}/dev", link.index);
    let text = fs::read_to_string(path).expect("the device's number");
    let (major, minor) = text.trim().split_once(':').expect("major:minor");
    let (major, minor) = (major.parse().expect("major"), minor.parse().expect("minor"));
    (major, minor)
}

fn minor_of(link: &Link) -> u32 {
    let minor = number_of(link).1;
    assert!((1..=LAST).contains(&minor), "minor {minor}");
    minor
}

fn follow_the_rule(rule: Minors) {
    let lower = Link::dummy(LOWER);
    let create = |name| macvtap(name, 0).create(&lower).expect("a link");
    let links = ["mt-a", "mt-b", "mt-c"].map(create);
    for (number, link) in (1..).zip(&links) {
        let wanted = match rule {
            Minors::LowestFree => number,
            Minors::Ifindex => link.index,
        };
        assert_eq!(minor_of(link), wanted);
        let node = fs::metadata(link.node()).expect("the node");
        assert_eq!(minor(node.rdev()), u64::from(wanted));
    }
}

fn are_reused(rule: Minors) {
    let lower = Link::dummy(LOWER);
    let create = |name| macvtap(name, 0).create(&lower).expect("a link");
    let [_first, second, _third] = ["mt-a", "mt-b", "mt-c"].map(create);
    let (index, freed) = (second.index, minor_of(&second));
    drop(second);
    // Another index: the lowest number is free all the same.
    let fourth = create("mt-d");
    match rule {
        Minors::LowestFree => assert_eq!(minor_of(&fourth), freed),
        Minors::Ifindex => assert_eq!(minor_of(&fourth), fourth.index),
    }
    drop(fourth);
    // And the same index.
    let again = macvtap("mt-b", index).create(&lower).expect("a link");
    assert_eq!(minor_of(&again), freed);
}

fn of_a_chosen_index(rule: Minors) {
    let lower = Link::dummy(LOWER);
    for index in [INDEX, LAST - 1, LAST] {
        let link = macvtap("mt-a", index).create(&lower).expect("a link");
        assert_eq!(link.index, index);
        if rule == Minors::Ifindex {
            assert_eq!(minor_of(&link), index);
        }
        let tap = Tap::open(&link);
        assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, "mt-a");
    }
}

fn of_an_index_too_high(rule: Minors) {
    let lower = Link::dummy(LOWER);
    for index in [LAST + 1, LAST + 2, i32::MAX as u32] {
        let link = macvtap("mt-a", index).create(&lower).expect("a link");
        assert_eq!(link.index, index);
        let minor = minor_of(&link);
        if rule == Minors::Ifindex {
            assert_eq!(minor, UPPER_HALF);
        }
        let tap = Tap::open(&link);
        assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, "mt-a");
    }
}

/// A queue of the link with this number, by a node made for it: devtmpfs, which
/// knows no network namespaces, has a node for one of several only.
fn open_number((major, minor): (u64, u32)) -> nix::Result<Tap> {
    let node = format!("/dev/mt-node-{}", std::process::id());
    let number = makedev(major, minor.into());
    mknod(node.as_str(), SFlag::S_IFCHR, Mode::S_IRUSR, number).expect("mknod");
    let tap = Tap::open_path(&node, libc::O_NONBLOCK);
    unlink(node.as_str()).expect("unlink");
    tap
}

/// A wire in a network namespace of its own, entered, and its link's number.
fn wire_of_index(name: &'static str) -> (Netns, Wire, (u64, u32)) {
    let netns = Netns::enter_new();
    mount_sysfs();
    let macvtap = Macvtap {
        name,
        index: INDEX,
        ..Macvtap::default()
    };
    let wire = Wire::with(macvtap);
    assert_eq!(wire.link.index, INDEX);
    let number = number_of(&wire.link);
    (netns, wire, number)
}

fn assert_reaches(number: (u64, u32), wire: &Wire) {
    let tap = open_number(number).expect("a queue");
    assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, wire.link.name);
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
}

fn of_one_index_twice(rule: Minors) {
    let (home, first, first_number) = wire_of_index("mt-first");
    let (_, second, second_number) = wire_of_index("mt-second");
    assert_ne!(first_number, second_number);
    if rule == Minors::Ifindex {
        assert_eq!(first_number.1, INDEX);
    }
    assert_reaches(first_number, &first);
    assert_reaches(second_number, &second);

    drop(second);
    assert_eq!(open_number(second_number).err(), Some(Errno::ENODEV));
    assert_reaches(first_number, &first);
    home.enter();
    drop(first);
    assert_eq!(open_number(first_number).err(), Some(Errno::ENODEV));
}

/// A link alone in a network namespace, and the node that sysfs says is its own.
struct Hermit {
    netns: Netns,
    link: Link,
    lower: Link,
    node: String,
    number: (u64, u32),
}

impl Hermit {
    fn new(name: &'static str, index: u32) -> Hermit {
        Netns::enter_new();
        mount_sysfs();
        let lower = Link::dummy(LOWER);
        let link = macvtap(name, index).create(&lower).expect("a link");
        let path = format!("/sys/class/macvtap/tap{index}/uevent");
        let text = fs::read_to_string(path).expect("what udev is told");
        let name = text.lines().find_map(|line| line.strip_prefix("DEVNAME="));
        Hermit {
            netns: Netns::current(),
            node: format!("/dev/{}", name.expect("DEVNAME")),
            number: number_of(&link),
            link,
            lower,
        }
    }

    /// Whether that node is there, and not another link's.
    fn has_node(&self) -> bool {
        let (major, minor) = self.number;
        let number = makedev(major, minor.into());
        fs::metadata(&self.node).is_ok_and(|node| node.rdev() == number)
    }

    fn assert_opens(&self) {
        self.netns.enter();
        let tap = Tap::open_path(&self.node, libc::O_NONBLOCK).expect("a queue");
        assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, self.link.name);
    }

    fn leave(self) {
        self.netns.enter();
        drop((self.link, self.lower));
        assert!(fs::metadata(&self.node).is_err(), "the node is left");
    }
}

/// There is one `/dev` for all namespaces. In C, whoever comes second has no node,
/// and sysfs says that the first one's is it.
fn assert_nodes(rule: Minors, index: u32) {
    let home = Netns::current();
    let [first, second, third] =
        ["mt-first", "mt-second", "mt-third"].map(|name| Hermit::new(name, index));
    // Whoever knows the index only finds the first.
    assert_eq!(first.node, first.link.node());
    first.assert_opens();
    for other in [&second, &third] {
        assert_eq!(other.has_node(), rule == Minors::Ifindex);
    }
    if rule == Minors::Ifindex {
        second.assert_opens();
        third.assert_opens();
        first.leave();
        second.assert_opens();
        second.leave();
        // The name is free again.
        let fourth = Hermit::new("mt-fourth", index);
        assert_eq!(fourth.node, fourth.link.node());
        fourth.assert_opens();
        third.assert_opens();
    }
    home.enter();
}

fn nodes_of_one_index(rule: Minors) {
    assert_nodes(rule, INDEX);
}

fn nodes_of_high_index(rule: Minors) {
    assert_nodes(rule, LAST + 5);
}

fn free_again(rule: Minors) {
    let (home, first, number) = wire_of_index("mt-first");
    let (_, second, _) = wire_of_index("mt-second");
    let here = Netns::current();
    home.enter();
    drop(first);
    here.enter();
    drop(second);
    let (_, third, third_number) = wire_of_index("mt-third");
    if rule == Minors::Ifindex {
        assert_eq!(third_number, number);
    }
    assert_reaches(third_number, &third);
}

// SPDX-License-Identifier: GPL-2.0
//! The receive filter of a link in mode passthru: what its lower device is asked to
//! receive. Only our macvtap.ko has it; the kernel's does not look at the attribute.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use netlink_packet_route::link::{
    InfoMacVtap, LinkAttribute, LinkMessage, MacVlanFlags, MacVlanMode,
};
use nix::errno::Errno::{self, EINVAL, ENOSPC, EOPNOTSUPP, ERANGE};

use crate::driver::Driver;
use crate::ktap::Case;
use crate::sys::filter::{
    addresses, attribute, filter, no_filter, set_of, Filter, ADDRESS, FLAGS, MULTICAST, NESTED,
    UNICAST, VLAN,
};
use crate::sys::link::{self, info, Link, Mac, Macvtap, LOWER};
use crate::sys::netlink::{self, Refusal};
use crate::sys::netns::Netns;
use crate::sys::trace::{self, Probes, Trace};
use crate::sys::wait;
use MacVlanMode::{Bridge, Passthrough, Private, Source, Vepa};

/// How many addresses a list may have.
const MAX: u16 = 512;

const PROMISC: u32 = libc::IFF_PROMISC as u32;
const ALLMULTI: u32 = libc::IFF_ALLMULTI as u32;

const A: Mac = [2, 0, 0, 0, 0, 0xaa];
const B: Mac = [2, 0, 0, 0, 0, 0xbb];
const C: Mac = [2, 0, 0, 0, 0, 0xcc];
const M: Mac = [1, 0, 0x5e, 0, 0, 0xaa];
const N: Mac = [1, 0, 0x5e, 0, 0, 0xbb];

pub fn cases(driver: Driver) -> Vec<Case> {
    if !driver.has_our_macvtap() {
        return vec![Case::new("ignored", ignored)];
    }
    let mut cases = crate::cases![
        at_creation,
        later,
        as_a_whole,
        kept_when_down,
        dropped_with_the_link,
        dropped_with_the_lower_device,
        kept_in_another_namespace,
        dumped,
        promiscuous_as_the_filter_says,
        flags_beside_a_filter,
        all_multicast,
        as_many_as_there_may_be,
        the_link_s_own_lists_stay,
        macvlan_refuses,
    ];
    if Probes::are_possible() {
        cases.extend(crate::cases![vlans]);
    }
    for (name, attribute, error, message) in refused() {
        let refusal = move || Err(Refusal::new(error, message));
        let given = attribute.clone();
        cases.push(Case::new(
            format!("refused at creation: {name}"),
            move || {
                let lower = Link::dummy(LOWER);
                let message = message_of(&lower, Passthrough, given.clone());
                assert_eq!(netlink::create(message), refusal());
                assert!(Link::of_name(Macvtap::default().name).is_err());
                assert_eq!(asked(&lower), none());
            },
        ));
        cases.push(Case::new(format!("refused later: {name}"), move || {
            let lower = Link::dummy(LOWER);
            let link = create(&lower, Some(&some()));
            link.set_up(true).expect("a link that is up");
            assert_eq!(change(&link, vec![attribute.clone()]), refusal());
            assert_eq!(Filter::of(&link), Some(some()));
            assert_asked(&lower, &some());
        }));
    }
    for mode in [Private, Vepa, Bridge, Source] {
        cases.push(Case::new(format!("not in mode {mode:?}"), move || {
            not_in_mode(mode)
        }));
    }
    cases
}

pub(super) fn some() -> Filter {
    Filter::new(&[A, B], &[M])
}

/// `count` addresses that begin with `first`.
fn many(first: u8, count: u16) -> Vec<Mac> {
    (0..count)
        .map(|n| {
            let [high, low] = n.to_be_bytes();
            [first, 0, 1, 0, high, low]
        })
        .collect()
}

pub(super) fn message_of(lower: &Link, mode: MacVlanMode, filter: InfoMacVtap) -> LinkMessage {
    let macvtap = Macvtap {
        mode,
        data: vec![filter],
        ..Macvtap::default()
    };
    macvtap.message(lower)
}

pub(super) fn create(lower: &Link, filter: Option<&Filter>) -> Link {
    let macvtap = Macvtap {
        mode: Passthrough,
        data: filter.map(Filter::attribute).into_iter().collect(),
        ..Macvtap::default()
    };
    lower.set_up(true).expect("a link that is up");
    macvtap.create(lower).expect("a link")
}

fn change(link: &Link, data: Vec<InfoMacVtap>) -> Result<(), Refusal> {
    let mut message = link.message();
    message.attributes.push(info(data));
    netlink::change(message)
}

pub(super) fn set(link: &Link, filter: &Filter) {
    assert_eq!(change(link, vec![filter.attribute()]), Ok(()));
    assert_eq!(Filter::of(link).as_ref(), Some(filter));
}

fn macvlan_flags(link: &Link) -> MacVlanFlags {
    let message = link.get().expect("the link");
    link::data(&message)
        .iter()
        .find_map(|attribute| match attribute {
            InfoMacVtap::Flags(flags) => Some(*flags),
            _ => None,
        })
        .expect("flags")
}

/// The addresses of these tests that a device was asked for, unicast and multicast.
type Asked = (BTreeSet<String>, BTreeSet<String>);

fn none() -> Asked {
    Asked::default()
}

fn asked(device: &Link) -> Asked {
    let output = Command::new("bridge")
        .args(["fdb", "show", "dev", &device.name])
        .output()
        .expect("bridge");
    let text = String::from_utf8(output.stdout).expect("text");
    let unicast = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|address| address.starts_with("02:00:"))
        .map(|address| address.replace(':', ""));
    let table = fs::read_to_string("/proc/net/dev_mcast").expect("groups");
    let multicast = table.lines().filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let ours = fields[1] == device.name && fields[4].ends_with(['a', 'b', 'c']);
        (ours && fields[4].starts_with("01005e0000")).then(|| fields[4].to_owned())
    });
    (unicast.collect(), multicast.collect())
}

fn hex(list: &[Mac]) -> BTreeSet<String> {
    let hex = |address: &Mac| {
        let [a, b, c, d, e, f] = address;
        format!("{a:02x}{b:02x}{c:02x}{d:02x}{e:02x}{f:02x}")
    };
    list.iter().map(hex).collect()
}

/// A device works through what it is asked for a little later.
#[track_caller]
pub(super) fn assert_asked(device: &Link, filter: &Filter) {
    let wanted = (hex(&filter.unicast), hex(&filter.multicast));
    wait::until(&format!("{wanted:?} of {}", device.name), || {
        asked(device) == wanted
    });
}

/// The device's flag is set, a little later.
#[track_caller]
fn assert_flag(device: &Link, flag: u32, wanted: bool) {
    let path = format!("/sys/class/net/{}/flags", device.name);
    wait::until(&format!("flag {flag:#x} to be {wanted}"), || {
        let text = fs::read_to_string(&path).expect("flags");
        let flags = u32::from_str_radix(text.trim().trim_start_matches("0x"), 16);
        (flags.expect("a number") & flag != 0) == wanted
    });
}

fn ignored() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Some(&some()));
    link.set_up(true).expect("a link that is up");
    assert_eq!(change(&link, vec![some().attribute()]), Ok(()));
    assert_eq!(Filter::of(&link), None);
    assert_eq!(asked(&lower), none());
    assert_flag(&lower, PROMISC, true);
}

fn at_creation() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Some(&some()));
    assert_eq!(Filter::of(&link), Some(some()));
    link.set_up(true).expect("a link that is up");
    assert_asked(&lower, &some());
}

fn later() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, None);
    assert_eq!(Filter::of(&link), None);
    // Before it is up, and while it is.
    set(&link, &some());
    link.set_up(true).expect("a link that is up");
    assert_asked(&lower, &some());
    set(&link, &Filter::new(&[C], &[]));
    assert_asked(&lower, &Filter::new(&[C], &[]));
    assert_eq!(change(&link, vec![no_filter()]), Ok(()));
    assert_eq!(Filter::of(&link), None);
    assert_asked(&lower, &Filter::default());
    // There was none.
    assert_eq!(change(&link, vec![no_filter()]), Ok(()));
    assert_eq!(Filter::of(&link), None);
}

/// What the new one does not have is gone, and what both have is there all the time.
fn as_a_whole() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Some(&some()));
    link.set_up(true).expect("a link that is up");
    for filter in [
        Filter::new(&[B, C], &[M, N]),
        Filter::new(&[C, A], &[N]),
        Filter::new(&[], &[M]),
        Filter::new(&[A, A, A], &[N, N]),
        Filter::new(&[A], &[]),
        Filter::default(),
        some(),
    ] {
        set(&link, &filter);
        assert_asked(&lower, &filter);
    }
}

fn kept_when_down() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Some(&some()));
    for _ in 0..2 {
        link.set_up(true).expect("a link that is up");
        assert_asked(&lower, &some());
        link.set_up(false).expect("a link that is down");
        assert_asked(&lower, &Filter::default());
        assert_eq!(Filter::of(&link), Some(some()));
    }
}

fn dropped_with_the_link() {
    let lower = Link::dummy(LOWER);
    for up in [true, false] {
        let mut filter = some();
        filter.flags = ALLMULTI;
        let link = create(&lower, Some(&filter));
        link.set_up(up).expect("a link");
        link.delete().expect("a link to delete");
        assert_asked(&lower, &Filter::default());
        for flag in [PROMISC, ALLMULTI] {
            assert_flag(&lower, flag, false);
        }
    }
    assert_eq!(Filter::of(&create(&lower, None)), None);
}

fn dropped_with_the_lower_device() {
    let lower = Link::dummy(LOWER);
    let mut filter = some();
    filter.flags = ALLMULTI;
    filter.vlans = [5, 6].into();
    let link = create(&lower, Some(&filter));
    link.set_up(true).expect("a link that is up");
    lower.delete().expect("a link to delete");
    assert!(Link::of_name(&link.name).is_err());
}

/// The kernel empties the lists of a device that moves.
fn kept_in_another_namespace() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Some(&some()));
    let (home, other) = (Netns::current(), Netns::another());
    link.set(LinkAttribute::NetNsFd(std::os::fd::AsRawFd::as_raw_fd(
        &other,
    )))
    .expect("a link that moves");
    other.enter();
    let moved = Link::of_name(&link.name).expect("the link");
    assert_eq!(Filter::of(&moved), Some(some()));
    moved.set_up(true).expect("a link that is up");
    home.enter();
    assert_asked(&lower, &some());
    other.enter();
    moved.delete().expect("a link to delete");
    home.enter();
    assert_asked(&lower, &Filter::default());
}

fn dumped() {
    let lower = Link::dummy(LOWER);
    let mut filter = Filter::new(&many(2, MAX), &many(1, MAX));
    filter.vlans = (1..4095).collect();
    let link = create(&lower, Some(&filter));
    let dump = netlink::dump().expect("a list of links");
    let told = dump
        .iter()
        .find(|message| message.header.index == link.index)
        .expect("the link");
    assert_eq!(Filter::in_message(told), Some(filter));
}

fn promiscuous_as_the_filter_says() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, None);
    link.set_up(true).expect("a link that is up");
    assert_flag(&lower, PROMISC, true);
    for (flags, promiscuous) in [(0, false), (PROMISC, true), (ALLMULTI, false)] {
        set(&link, &Filter::with_flags(flags));
        assert_flag(&lower, PROMISC, promiscuous);
        assert_eq!(macvlan_flags(&link).is_empty(), promiscuous);
    }
    link.set_up(false).expect("a link that is down");
    link.set_up(true).expect("a link that is up");
    assert_flag(&lower, PROMISC, false);
    assert_eq!(change(&link, vec![no_filter()]), Ok(()));
    assert_flag(&lower, PROMISC, true);
    assert_eq!(macvlan_flags(&link), MacVlanFlags::empty());
}

/// They count when there is no filter any more.
fn flags_beside_a_filter() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, None);
    link.set_up(true).expect("a link that is up");
    let flags = |flags| InfoMacVtap::Flags(flags);
    let (nodst, both) = (
        MacVlanFlags::NoDst,
        MacVlanFlags::NoDst | MacVlanFlags::NoPromisc,
    );
    for (given, with_filter, without) in [
        (
            MacVlanFlags::NoPromisc,
            MacVlanFlags::NoPromisc,
            MacVlanFlags::NoPromisc,
        ),
        (
            MacVlanFlags::empty(),
            MacVlanFlags::NoPromisc,
            MacVlanFlags::empty(),
        ),
        (nodst, both, nodst),
        (both, both, both),
    ] {
        let filter = Filter::new(&[], &[M]);
        // With the filter, and then once more.
        assert_eq!(
            change(&link, vec![flags(given), filter.attribute()]),
            Ok(())
        );
        assert_eq!(macvlan_flags(&link), with_filter);
        assert_eq!(change(&link, vec![flags(given)]), Ok(()));
        assert_eq!(macvlan_flags(&link), with_filter);
        set(&link, &Filter::new(&[], &[N]));
        assert_flag(&lower, PROMISC, false);
        assert_eq!(change(&link, vec![no_filter()]), Ok(()));
        assert_eq!(macvlan_flags(&link), without);
        let promiscuous = !without.contains(MacVlanFlags::NoPromisc);
        assert_flag(&lower, PROMISC, promiscuous);
    }
    // Both at once.
    set(&link, &some());
    assert_eq!(
        change(&link, vec![flags(MacVlanFlags::empty()), no_filter()]),
        Ok(())
    );
    assert_flag(&lower, PROMISC, true);
}

fn all_multicast() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Some(&Filter::with_flags(ALLMULTI)));
    assert_flag(&lower, ALLMULTI, true);
    set(&link, &Filter::with_flags(ALLMULTI));
    assert_flag(&lower, ALLMULTI, true);
    set(&link, &some());
    assert_flag(&lower, ALLMULTI, false);
    set(&link, &Filter::with_flags(ALLMULTI | PROMISC));
    assert_flag(&lower, ALLMULTI, true);
    link.delete().expect("a link to delete");
    assert_flag(&lower, ALLMULTI, false);
}

/// Nothing but the driver of a device that filters by VLANs shows which these are.
fn vlans() {
    let _probes = Probes::new(
        "mtvlan",
        &[
            ("add", "vlan_vid_add vlan=%dx:u16"),
            ("del", "vlan_vid_del vlan=%dx:u16"),
        ],
    );
    // The kernel itself asks for VLAN 0.
    let trace = Trace::of("mtvlan", "vlan > 0");
    let mut had = BTreeSet::new();
    let mut assert_told = |wanted: &[u16]| {
        for line in trace.lines() {
            let id = trace::number(&line, "vlan") as u16;
            if line.contains(" add: ") {
                // Those that both filters have are there twice meanwhile.
                had.insert((id, had.contains(&(id, false))));
            } else if !had.remove(&(id, true)) {
                assert!(had.remove(&(id, false)), "{line}");
            }
        }
        // All that is left is there once.
        let ids: BTreeSet<u16> = had.iter().map(|&(id, _)| id).collect();
        assert_eq!(ids.len(), had.len());
        assert_eq!(ids, wanted.iter().copied().collect());
    };
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Some(&Filter::with_vlans(&[1, 7, 8, 4094])));
    assert_told(&[1, 7, 8, 4094]);
    set(&link, &Filter::with_vlans(&[8, 9]));
    assert_told(&[8, 9]);
    link.set_up(true).expect("a link that is up");
    link.set_up(false).expect("a link that is down");
    assert_told(&[8, 9]);
    assert_eq!(change(&link, vec![no_filter()]), Ok(()));
    assert_told(&[]);
    set(&link, &Filter::with_vlans(&[5]));
    link.delete().expect("a link to delete");
    assert_told(&[]);
}

fn as_many_as_there_may_be() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, None);
    for (first, make) in [
        (2, (|list| Filter::new(list, &[])) as fn(&[Mac]) -> Filter),
        (1, |list| Filter::new(&[], list)),
    ] {
        set(&link, &make(&many(first, MAX)));
        let too_many = make(&many(first, MAX + 1));
        let refusal = Refusal::new(ENOSPC, "Too many addresses in the receive filter");
        assert_eq!(change(&link, vec![too_many.attribute()]), Err(refusal));
        assert_eq!(Filter::of(&link), Some(make(&many(first, MAX))));
    }
}

/// What a user has added with "bridge fdb add" is none of the filter's.
fn the_link_s_own_lists_stay() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, None);
    link.set_up(true).expect("a link that is up");
    let status = Command::new("bridge")
        .args(["fdb", "add", "02:00:00:00:00:aa", "dev", &link.name])
        .status()
        .expect("bridge");
    assert!(status.success());
    set(&link, &some());
    assert_asked(&lower, &some());
    assert_eq!(change(&link, vec![no_filter()]), Ok(()));
    assert_asked(&lower, &Filter::new(&[A], &[]));
}

/// Then the filter stays as it was, too.
fn macvlan_refuses() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Some(&some()));
    link.set_up(true).expect("a link that is up");
    let other = Filter::new(&[C], &[N]).attribute();
    let refused = change(&link, vec![InfoMacVtap::Mode(Bridge), other]);
    assert_eq!(refused, Err(EINVAL.into()));
    assert_eq!(Filter::of(&link), Some(some()));
    assert_asked(&lower, &some());
    assert_flag(&lower, ALLMULTI, false);
}

fn not_in_mode(mode: MacVlanMode) {
    let message = "Only links in mode passthru have a receive filter";
    let refusal = || Err(Refusal::new(EOPNOTSUPP, message));
    let lower = Link::dummy(LOWER);
    for attribute in [some().attribute(), no_filter()] {
        let asked_for = message_of(&lower, mode, attribute.clone());
        assert_eq!(netlink::create(asked_for), refusal());
        assert!(Link::of_name(Macvtap::default().name).is_err());
        let macvtap = Macvtap {
            mode,
            ..Macvtap::default()
        };
        let link = macvtap.create(&lower).expect("a link");
        assert_eq!(change(&link, vec![attribute]), refusal());
        assert_eq!(Filter::of(&link), None);
        link.delete().expect("a link to delete");
    }
}

type Refused = (&'static str, InfoMacVtap, Errno, &'static str);

#[rustfmt::skip]
fn refused() -> Vec<Refused> {
    const LENGTH: &str = "Invalid length of an attribute in the receive filter";
    const FLAGS_SIZE: &str = "The flags of a receive filter have 32 bits";
    const FLAGS_BITS: &str = "The flags of a receive filter are IFF_PROMISC and IFF_ALLMULTI";
    const UNKNOWN: &str = "Unknown attribute in the receive filter";
    const INVALID: &str = "Invalid address in the receive filter";
    const SET_SIZE: &str = "The VLANs of a receive filter are 4096 bits";
    const SET_BITS: &str = "VLANs in a receive filter are 1 to 4094";
    let flags = |bits: u32| filter(&attribute(FLAGS, &bits.to_ne_bytes()));
    let unicast = |list: &[Mac]| filter(&addresses(UNICAST, list));
    let multicast = |list: &[Mac]| filter(&addresses(MULTICAST, list));
    let vlans = |ids: &[u16]| filter(&attribute(VLAN, &set_of(ids.iter().copied())));
    let entry = |kind, payload: &[u8]| filter(&attribute(UNICAST | NESTED, &attribute(kind, payload)));
    vec![
        ("one byte", filter(&[0]), ERANGE, "Attribute failed policy validation"),
        ("cut header", filter(&[8, 0, 1, 0, 0, 0, 0, 0, 8, 0]), EINVAL, LENGTH),
        ("shorter than a header", filter(&[3, 0, 1, 0]), EINVAL, LENGTH),
        ("longer than there is", filter(&[8, 0, 1, 0, 0, 0]), EINVAL, LENGTH),
        ("attribute 0", filter(&attribute(0, &[])), EINVAL, UNKNOWN),
        ("attribute 5", filter(&attribute(5, &[0; 4])), EINVAL, UNKNOWN),
        ("something wrong behind something right", filter(&[addresses(UNICAST, &[C]), attribute(9, &[])].concat()), EINVAL, UNKNOWN),
        ("empty flags", filter(&attribute(FLAGS, &[])), EINVAL, FLAGS_SIZE),
        ("short flags", filter(&attribute(FLAGS, &[0; 3])), EINVAL, FLAGS_SIZE),
        ("long flags", filter(&attribute(FLAGS, &[0; 8])), EINVAL, FLAGS_SIZE),
        ("flag IFF_UP", flags(1), EINVAL, FLAGS_BITS),
        ("all flags", flags(u32::MAX), EINVAL, FLAGS_BITS),
        ("unicast: multicast address", unicast(&[A, M]), EINVAL, INVALID),
        ("unicast: broadcast address", unicast(&[[0xff; 6]]), EINVAL, INVALID),
        ("unicast: zero address", unicast(&[[0; 6]]), EINVAL, INVALID),
        ("multicast: unicast address", multicast(&[M, A]), EINVAL, INVALID),
        ("multicast: zero address", multicast(&[[0; 6]]), EINVAL, INVALID),
        ("short address", entry(ADDRESS, &A[..5]), EINVAL, INVALID),
        ("long address", entry(ADDRESS, &[2; 7]), EINVAL, INVALID),
        ("no address", entry(ADDRESS, &[]), EINVAL, INVALID),
        ("another attribute in a list", entry(2, &A), EINVAL, INVALID),
        ("list that ends in the middle", filter(&attribute(UNICAST, &[10, 0, 1, 0, 2, 0])), EINVAL, INVALID),
        ("no VLANs", filter(&attribute(VLAN, &[])), EINVAL, SET_SIZE),
        ("too few VLANs", filter(&attribute(VLAN, &[0; 511])), EINVAL, SET_SIZE),
        ("too many VLANs", filter(&attribute(VLAN, &[0; 513])), EINVAL, SET_SIZE),
        ("VLAN 0", vlans(&[0, 1]), EINVAL, SET_BITS),
        ("VLAN 4095", vlans(&[4094, 4095]), EINVAL, SET_BITS),
    ]
}

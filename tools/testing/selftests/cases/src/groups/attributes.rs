// SPDX-License-Identifier: GPL-2.0
//! macvlan's attributes, which macvtap has as well: when a link is made, when
//! it is changed, and as the kernel tells them.

use netlink_packet_core::DefaultNla;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVtap, LinkAttribute, LinkInfo, LinkMessage, MacVlanFlags,
    MacVlanMacAddressMode, MacVlanMode,
};
use nix::errno::Errno::{self, EADDRNOTAVAIL, EINVAL, EPERM, ERANGE};
use InfoMacVtap::{BcCutoff, BcQueueLen, Flags, MacAddr, MacAddrData, MacAddrMode, Mode};
use MacVlanMacAddressMode::{Add, Del, Flush, Set};
use MacVlanMode::{Bridge, Passthrough, Private, Source, Vepa};

use crate::cases;
use crate::driver::Driver;
use crate::ktap::Case;
use crate::sys::link::{self, info, Link, Mac, Macvtap, LOWER, TAP2};
use crate::sys::netlink::{self, Refusal};
use crate::sys::release;
use crate::sys::userns;

const MODE: u16 = 1;
const FLAGS: u16 = 2;
const MACADDR_MODE: u16 = 3;
const MACADDR: u16 = 4;
const MACADDR_DATA: u16 = 5;
const BC_QUEUE_LEN: u16 = 7;
const BC_CUTOFF: u16 = 9;

const A: Mac = [2, 0, 0, 0, 0, 0xaa];
const B: Mac = [2, 0, 0, 0, 0, 0xbb];
const C: Mac = [2, 0, 0, 0, 0, 0xcc];
const MULTICAST: Mac = [1, 0, 0, 0, 0, 1];

/// macvlan's for a lower device whose links ask for no other.
const DEFAULT_BC_QUEUE_LEN: u32 = 1000;

const POLICY: &str = "Attribute failed policy validation";
const LONG_QUEUE: &str =
    "bc_queue_len above the default requires CAP_NET_ADMIN in the initial user namespace";
const SHARED: &str = "Changing shared macvlan port settings requires CAP_NET_ADMIN in the lower \
                      device network namespace";
const FOREIGN_LOWER: &str = "Creating a macvlan on a lower device in another network namespace \
                             requires CAP_NET_ADMIN in that namespace";

/// What the kernel tells of a link.
#[derive(Debug, PartialEq, Eq)]
struct Info {
    mode: MacVlanMode,
    flags: MacVlanFlags,
    count: u32,
    /// In their own order: the kernel's is that of a hash.
    addresses: Vec<Mac>,
    bc_queue_len: u32,
    bc_queue_len_used: u32,
    bc_cutoff: Option<i32>,
}

impl Info {
    /// Of a link that was given nothing else.
    fn of_mode(mode: MacVlanMode) -> Info {
        Info {
            mode,
            flags: MacVlanFlags::empty(),
            count: 0,
            addresses: vec![],
            bc_queue_len: DEFAULT_BC_QUEUE_LEN,
            bc_queue_len_used: DEFAULT_BC_QUEUE_LEN,
            bc_cutoff: None,
        }
    }

    fn set_addresses(&mut self, addresses: &[Mac]) {
        self.addresses = addresses.to_vec();
        self.count = addresses.len() as u32;
    }

    fn with_addresses(mut self, addresses: &[Mac]) -> Info {
        self.set_addresses(addresses);
        self
    }

    fn set_bc_queue_len(&mut self, length: u32) {
        self.bc_queue_len = length;
        self.bc_queue_len_used = length;
    }

    fn of(link: &Link) -> Info {
        let mut info = Info::of_mode(MacVlanMode::Other(0));
        for attribute in link::data(&link.get().expect("the link")) {
            match attribute {
                Mode(mode) => info.mode = *mode,
                Flags(flags) => info.flags = *flags,
                InfoMacVtap::MacAddrCount(count) => info.count = *count,
                MacAddrData(addresses) => info.addresses = sorted(addresses),
                BcQueueLen(length) => info.bc_queue_len = *length,
                InfoMacVtap::BcQueueLenUsed(length) => info.bc_queue_len_used = *length,
                BcCutoff(cutoff) => info.bc_cutoff = Some(*cutoff),
                other => panic!("unknown attribute {other:?}"),
            }
        }
        info
    }
}

fn sorted(addresses: &[InfoMacVtap]) -> Vec<Mac> {
    let address = |attribute: &InfoMacVtap| match attribute {
        MacAddr(address) => *address,
        other => panic!("{other:?} instead of an address"),
    };
    let mut addresses: Vec<Mac> = addresses.iter().map(address).collect();
    addresses.sort();
    addresses
}

/// An attribute that is not what its type says.
fn raw(kind: u16, value: &[u8]) -> InfoMacVtap {
    InfoMacVtap::Other(DefaultNla::new(kind, value.to_vec()))
}

fn addresses(list: &[Mac]) -> InfoMacVtap {
    MacAddrData(list.iter().copied().map(MacAddr).collect())
}

fn flags(bits: u16) -> InfoMacVtap {
    Flags(MacVlanFlags::from_bits_retain(bits))
}

/// What a link of this mode is given, and what it then shows.
type Accepted = (&'static str, MacVlanMode, Vec<InfoMacVtap>, fn(&mut Info));

#[rustfmt::skip]
fn accepted() -> Vec<Accepted> {
    vec![
        ("nothing", Vepa, vec![], |_| ()),
        ("mode private", Vepa, vec![Mode(Private)], |info| info.mode = Private),
        ("mode bridge", Vepa, vec![Mode(Bridge)], |info| info.mode = Bridge),
        ("mode source", Vepa, vec![Mode(Source)], |info| info.mode = Source),
        ("mode vepa", Bridge, vec![Mode(Vepa)], |info| info.mode = Vepa),
        ("mode passthru again", Passthrough, vec![Mode(Passthrough)], |_| ()),
        ("mode in too many bytes", Vepa, vec![raw(MODE, &[4, 0, 0, 0, 9, 9, 9, 9])], |info| info.mode = Bridge),
        ("mode twice", Vepa, vec![Mode(Private), Mode(Bridge)], |info| info.mode = Bridge),
        ("flags 0", Vepa, vec![flags(0)], |_| ()),
        ("flag nopromisc", Vepa, vec![flags(1)], |info| info.flags = MacVlanFlags::NoPromisc),
        ("flag nopromisc in passthru mode", Passthrough, vec![flags(1)], |info| info.flags = MacVlanFlags::NoPromisc),
        ("flag nodst", Source, vec![flags(2)], |info| info.flags = MacVlanFlags::NoDst),
        ("flag nodst in another mode", Bridge, vec![flags(2)], |info| info.flags = MacVlanFlags::NoDst),
        ("both flags", Source, vec![flags(3)], |info| info.flags = MacVlanFlags::from_bits_retain(3)),
        ("flags in too many bytes", Source, vec![raw(FLAGS, &[1, 0, 0xff, 0xff])], |info| info.flags = MacVlanFlags::NoPromisc),
        ("address added", Source, vec![MacAddrMode(Add), MacAddr(A)],
            |info| info.set_addresses(&[A])),
        ("address deleted that is not there", Source, vec![MacAddrMode(Del), MacAddr(A)], |_| ()),
        ("addresses flushed", Source, vec![MacAddrMode(Flush)], |_| ()),
        ("addresses set", Source, vec![MacAddrMode(Set), addresses(&[C, A, B])],
            |info| info.set_addresses(&[A, B, C])),
        ("addresses set, and one alone", Source, vec![MacAddrMode(Set), MacAddr(C), addresses(&[A, B])],
            |info| info.set_addresses(&[A, B, C])),
        ("addresses set to one twice", Source, vec![MacAddrMode(Set), addresses(&[A, A])],
            |info| info.set_addresses(&[A])),
        ("addresses set to none", Source, vec![MacAddrMode(Set)], |_| ()),
        ("addresses set to an empty list", Source, vec![MacAddrMode(Set), addresses(&[])], |_| ()),
        ("addresses that end in the middle", Source,
            vec![MacAddrMode(Set), raw(MACADDR_DATA, &[10, 0, 4, 0, 2, 0, 0, 0, 0, 0xaa, 0, 0, 10, 0, 4, 0, 2])],
            |info| info.set_addresses(&[A])),
        ("address without its mode", Source, vec![MacAddr(A)], |_| ()),
        ("address without its mode in another mode", Bridge, vec![MacAddr(A)], |_| ()),
        ("broadcast queue of 0", Bridge, vec![BcQueueLen(0)],
            |info| info.set_bc_queue_len(0)),
        ("short broadcast queue", Bridge, vec![BcQueueLen(7)],
            |info| info.set_bc_queue_len(7)),
        ("long broadcast queue", Bridge, vec![BcQueueLen(1001)],
            |info| info.set_bc_queue_len(1001)),
        ("longest broadcast queue", Bridge, vec![BcQueueLen(u32::MAX)],
            |info| info.set_bc_queue_len(u32::MAX)),
        ("broadcast queue in too many bytes", Bridge, vec![raw(BC_QUEUE_LEN, &[9, 0, 0, 0, 1])],
            |info| info.set_bc_queue_len(9)),
        ("broadcast cutoff -1", Bridge, vec![BcCutoff(-1)], |info| info.bc_cutoff = Some(-1)),
        ("broadcast cutoff 0", Bridge, vec![BcCutoff(0)], |info| info.bc_cutoff = Some(0)),
        // The default is not told.
        ("broadcast cutoff 1", Bridge, vec![BcCutoff(1)], |_| ()),
        ("broadcast cutoff 2", Bridge, vec![BcCutoff(2)], |info| info.bc_cutoff = Some(2)),
        ("highest broadcast cutoff", Bridge, vec![BcCutoff(i32::MAX)], |info| info.bc_cutoff = Some(i32::MAX)),
        ("lowest broadcast cutoff", Bridge, vec![BcCutoff(i32::MIN)], |info| info.bc_cutoff = Some(i32::MIN)),
        ("attribute 0", Bridge, vec![raw(0, &[1, 2, 3, 4])], |_| ()),
        ("unknown attribute", Bridge, vec![raw(10, &[1, 2, 3, 4])], |_| ()),
        ("unknown attribute of the highest number", Bridge, vec![raw(0x3fff, &[])], |_| ()),
    ]
}

type Refused = (
    &'static str,
    MacVlanMode,
    Vec<InfoMacVtap>,
    Errno,
    &'static str,
);

#[rustfmt::skip]
fn refused() -> Vec<Refused> {
    let mut rows = vec![
        ("empty mode", Vepa, vec![raw(MODE, &[])], ERANGE, POLICY),
        ("short mode", Vepa, vec![raw(MODE, &[4, 0, 0])], ERANGE, POLICY),
        ("empty flags", Vepa, vec![raw(FLAGS, &[])], ERANGE, POLICY),
        ("short flags", Vepa, vec![raw(FLAGS, &[1])], ERANGE, POLICY),
        ("address added in another mode", Bridge, vec![MacAddrMode(Add), MacAddr(A)], EINVAL, ""),
        ("addresses flushed in another mode", Bridge, vec![MacAddrMode(Flush)], EINVAL, ""),
        ("addresses set in another mode", Vepa, vec![MacAddrMode(Set), addresses(&[A])], EINVAL, ""),
        ("address mode 4", Source, vec![MacAddrMode(MacVlanMacAddressMode::Other(4))], EINVAL, ""),
        ("highest address mode", Source, vec![MacAddrMode(MacVlanMacAddressMode::Other(u32::MAX))], EINVAL, ""),
        ("short address mode", Source, vec![raw(MACADDR_MODE, &[0])], ERANGE, POLICY),
        ("no address added", Source, vec![MacAddrMode(Add)], EINVAL, ""),
        ("no address deleted", Source, vec![MacAddrMode(Del)], EINVAL, ""),
        ("addresses added", Source, vec![MacAddrMode(Add), addresses(&[A])], EINVAL, ""),
        ("multicast address", Source, vec![MacAddrMode(Add), MacAddr(MULTICAST)], EADDRNOTAVAIL, ""),
        ("broadcast address", Source, vec![MacAddrMode(Add), MacAddr([0xff; 6])], EADDRNOTAVAIL, ""),
        ("zero address", Source, vec![MacAddrMode(Add), MacAddr([0; 6])], EADDRNOTAVAIL, ""),
        ("multicast address in another mode", Bridge, vec![MacAddr(MULTICAST)], EADDRNOTAVAIL, ""),
        ("short address", Source, vec![MacAddrMode(Add), raw(MACADDR, &[2, 0, 0, 0, 0])], EINVAL, ""),
        ("long address", Source, vec![MacAddrMode(Add), raw(MACADDR, &[2; 7])], EINVAL, ""),
        ("address beyond any", Source, vec![MacAddrMode(Add), raw(MACADDR, &[2; 33])], ERANGE, POLICY),
        ("cut list of addresses", Source, vec![MacAddrMode(Set), raw(MACADDR_DATA, &[10, 0, 4])], ERANGE, POLICY),
        ("list of something else", Source, vec![MacAddrMode(Set), MacAddrData(vec![MacAddr(A), Mode(Vepa)])], EINVAL, ""),
        ("short address in the list", Source, vec![MacAddrMode(Set), MacAddrData(vec![MacAddr(A), raw(MACADDR, &[2])])], EINVAL, ""),
        ("multicast address in the list", Source, vec![MacAddrMode(Set), addresses(&[A, MULTICAST])], EADDRNOTAVAIL, ""),
        ("count of addresses", Source, vec![InfoMacVtap::MacAddrCount(0)], EINVAL, ""),
        ("short broadcast queue's length", Bridge, vec![raw(BC_QUEUE_LEN, &[1, 0])], ERANGE, POLICY),
        ("used broadcast queue", Bridge, vec![InfoMacVtap::BcQueueLenUsed(1000)], EINVAL, POLICY),
        ("short broadcast cutoff", Bridge, vec![raw(BC_CUTOFF, &[1, 0, 0])], ERANGE, POLICY),
    ];
    for mode in [0, 3, 5, 6, 7, 9, 12, 15, 17, 32, 0x100, u32::MAX] {
        rows.push(("unknown mode", Vepa, vec![Mode(MacVlanMode::Other(mode))], EINVAL, ""));
    }
    for bits in [4, 7, 0x100, 0x8000, 0xffff] {
        rows.push(("unknown flags", Vepa, vec![flags(bits)], EINVAL, ""));
    }
    rows
}

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, mode, given, change) in accepted() {
        let shown = move || {
            let mut info = Info::of_mode(mode);
            change(&mut info);
            info
        };
        let data = given.clone();
        cases.push(Case::new(format!("{name} at creation"), move || {
            let lower = Link::dummy(LOWER);
            assert_eq!(Info::of(&create(&lower, mode, &data)), shown());
        }));
        cases.push(Case::new(format!("{name} later"), move || {
            let lower = Link::dummy(LOWER);
            let link = create(&lower, mode, &[]);
            assert_eq!(change_to(&link, &given), Ok(()));
            assert_eq!(Info::of(&link), shown());
        }));
    }
    for (name, mode, given, error, message) in refused() {
        let shown = given.iter().map(|attribute| format!("{attribute:?}"));
        let name = format!("{name}: {}", shown.collect::<Vec<_>>().join(", "));
        let refusal = move || Err(Refusal::new(error, message));
        let data = given.clone();
        cases.push(Case::new(
            format!("refused at creation: {name}"),
            move || {
                let lower = Link::dummy(LOWER);
                assert_eq!(netlink::create(message_of(&lower, mode, &data)), refusal());
                assert!(Link::of_name(Macvtap::default().name).is_err());
            },
        ));
        cases.push(Case::new(format!("refused later: {name}"), move || {
            let lower = Link::dummy(LOWER);
            let link = create(&lower, mode, &[]);
            assert_eq!(change_to(&link, &given), refusal());
            assert_eq!(Info::of(&link), Info::of_mode(mode));
        }));
    }
    cases.extend(cases![
        made_without_attributes,
        attributes_that_end_in_the_middle,
        passthru_stays,
        source_addresses_come_and_go,
        source_addresses_go_with_the_mode,
        many_source_addresses,
        refused_list_empties_nothing,
        broadcast_queue_is_the_lowers,
        broadcast_cutoff_is_the_lowers,
        promiscuous_follows_the_flag,
    ]);
    // macvlan.ko checks that since 7.3.
    if release::at_least(7, 3) {
        cases.extend(cases![
            long_queue_needs_capability,
            foreign_lower_needs_capability,
        ]);
    }
    cases
}

fn message_of(lower: &Link, mode: MacVlanMode, data: &[InfoMacVtap]) -> LinkMessage {
    let macvtap = Macvtap {
        mode,
        data: data.to_vec(),
        ..Macvtap::default()
    };
    macvtap.message(lower)
}

fn create(lower: &Link, mode: MacVlanMode, data: &[InfoMacVtap]) -> Link {
    netlink::create(message_of(lower, mode, data)).expect("a link");
    Link::of_name(Macvtap::default().name).expect("the link")
}

fn second(lower: &Link, data: Vec<InfoMacVtap>) -> Link {
    let macvtap = Macvtap {
        name: TAP2,
        data,
        ..Macvtap::default()
    };
    macvtap.create(lower).expect("a second link")
}

fn change_to(link: &Link, data: &[InfoMacVtap]) -> Result<(), Refusal> {
    let mut message = link.message();
    message.attributes.push(info(data.to_vec()));
    netlink::change(message)
}

fn made_without_attributes() {
    let lower = Link::dummy(LOWER);
    let kind = LinkInfo::Kind(InfoKind::MacVtap);
    for info in [
        vec![kind.clone()],
        vec![kind, LinkInfo::Data(InfoData::Other(vec![]))],
    ] {
        let mut message = message_of(&lower, Bridge, &[]);
        message.attributes.push(LinkAttribute::LinkInfo(info));
        netlink::create(message).expect("a link");
        let link = Link::of_name(Macvtap::default().name).expect("the link");
        assert_eq!(Info::of(&link), Info::of_mode(Vepa));
    }
}

fn attributes_that_end_in_the_middle() {
    let lower = Link::dummy(LOWER);
    let with = |data: &[u8]| {
        let mut message = message_of(&lower, Bridge, &[]);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVtap),
            LinkInfo::Data(InfoData::Other(data.to_vec())),
        ]));
        message
    };
    assert_eq!(netlink::create(with(&[8, 0, 1])), Err(ERANGE.into()));
    // What is not whole is not there.
    netlink::create(with(&[6, 0, 2, 0, 1, 0, 0, 0, 8, 0, 1, 0, 4, 0])).expect("a link");
    let link = Link::of_name(Macvtap::default().name).expect("the link");
    let shown = Info::of(&link);
    assert_eq!((shown.mode, shown.flags), (Vepa, MacVlanFlags::NoPromisc));
}

fn passthru_stays() {
    let lower = Link::dummy(LOWER);
    for from in [Private, Vepa, Bridge, Passthrough, Source] {
        let link = create(&lower, from, &[]);
        for to in [Private, Vepa, Bridge, Passthrough, Source] {
            let changed = change_to(&link, &[Mode(to)]);
            let allowed = (from == Passthrough) == (to == Passthrough);
            let wanted = if allowed { Ok(()) } else { Err(EINVAL.into()) };
            assert_eq!(changed, wanted, "{from:?} to {to:?}");
            if allowed {
                assert_eq!(Info::of(&link), Info::of_mode(to));
            }
        }
    }
}

fn source_addresses_come_and_go() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Source, &[]);
    let assert_has = |addresses: &[Mac]| {
        let wanted = Info::of_mode(Source).with_addresses(addresses);
        assert_eq!(Info::of(&link), wanted);
    };
    for (data, addresses) in [
        (vec![MacAddrMode(Add), MacAddr(B)], &[B][..]),
        (vec![MacAddrMode(Add), MacAddr(A)], &[A, B]),
        // It is there already.
        (vec![MacAddrMode(Add), MacAddr(B)], &[A, B]),
        (vec![MacAddrMode(Del), MacAddr(C)], &[A, B]),
        (vec![MacAddrMode(Del), MacAddr(B)], &[A]),
        (vec![MacAddrMode(Set), addresses(&[B, C])], &[B, C]),
        (vec![MacAddrMode(Set), MacAddr(A)], &[A]),
        (vec![MacAddrMode(Flush), MacAddr(A)], &[]),
        (vec![MacAddrMode(Add), MacAddr(A)], &[A]),
        (vec![MacAddrMode(Set)], &[]),
    ] {
        assert_eq!(change_to(&link, &data), Ok(()), "{data:?}");
        assert_has(addresses);
    }
}

fn source_addresses_go_with_the_mode() {
    let lower = Link::dummy(LOWER);
    let set = [MacAddrMode(Set), addresses(&[A, B])];
    let link = create(&lower, Source, &set);
    assert_eq!(change_to(&link, &[Mode(Bridge)]), Ok(()));
    assert_eq!(Info::of(&link), Info::of_mode(Bridge));
    assert_eq!(change_to(&link, &[Mode(Source)]), Ok(()));
    assert_eq!(Info::of(&link), Info::of_mode(Source));
    // Mode and addresses in one request.
    assert_eq!(change_to(&link, &[Mode(Bridge)]), Ok(()));
    let all = [&[Mode(Source)], &set[..]].concat();
    assert_eq!(change_to(&link, &all), Ok(()));
    assert_eq!(
        Info::of(&link),
        Info::of_mode(Source).with_addresses(&[A, B])
    );
}

fn many_source_addresses() {
    let lower = Link::dummy(LOWER);
    let many: Vec<Mac> = (0..1000u16)
        .map(|number| [2, 0, 0, 1, (number >> 8) as u8, number as u8])
        .collect();
    let link = create(&lower, Source, &[MacAddrMode(Set), addresses(&many)]);
    assert_eq!(Info::of(&link), Info::of_mode(Source).with_addresses(&many));
}

fn refused_list_empties_nothing() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Source, &[MacAddrMode(Set), addresses(&[A])]);
    let bad = [MacAddrMode(Set), addresses(&[B, MULTICAST])];
    assert_eq!(change_to(&link, &bad), Err(EADDRNOTAVAIL.into()));
    assert_eq!(Info::of(&link), Info::of_mode(Source).with_addresses(&[A]));
}

/// It is as long as the longest that one of the links asks for.
fn broadcast_queue_is_the_lowers() {
    let lower = Link::dummy(LOWER);
    let first = create(&lower, Bridge, &[BcQueueLen(10)]);
    let other = second(&lower, vec![BcQueueLen(2000)]);
    let lengths = |link: &Link| {
        let info = Info::of(link);
        (info.bc_queue_len, info.bc_queue_len_used)
    };
    assert_eq!(
        (lengths(&first), lengths(&other)),
        ((10, 2000), (2000, 2000))
    );
    assert_eq!(change_to(&other, &[BcQueueLen(5)]), Ok(()));
    assert_eq!((lengths(&first), lengths(&other)), ((10, 10), (5, 10)));
    drop(first);
    assert_eq!(lengths(&other), (5, 5));
}

fn broadcast_cutoff_is_the_lowers() {
    let lower = Link::dummy(LOWER);
    let first = create(&lower, Bridge, &[BcCutoff(8)]);
    let other = second(&lower, vec![]);
    assert_eq!(Info::of(&other).bc_cutoff, Some(8));
    assert_eq!(change_to(&other, &[BcCutoff(1)]), Ok(()));
    assert_eq!(Info::of(&first).bc_cutoff, None);
}

fn promiscuity(link: &Link) -> u32 {
    let message = link.get().expect("the link");
    let found = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Promiscuity(count) => Some(*count),
            _ => None,
        });
    found.expect("the link's promiscuity")
}

fn promiscuous_follows_the_flag() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Passthrough, &[]);
    lower.set_up(true).expect("a link that is up");
    assert_eq!(promiscuity(&lower), 0);
    link.set_up(true).expect("a link that is up");
    for (bits, count) in [(0, 1), (1, 0), (1, 0), (3, 0), (2, 1), (0, 1)] {
        assert_eq!(change_to(&link, &[flags(bits)]), Ok(()));
        assert_eq!(promiscuity(&lower), count, "flags {bits}");
    }
    link.set_up(false).expect("a link that is down");
    assert_eq!(promiscuity(&lower), 0);
}

fn long_queue_needs_capability() {
    userns::run(
        |_| (),
        || {
            let lower = Link::dummy(LOWER);
            let refusal = || Err(Refusal::new(EPERM, LONG_QUEUE));
            let long = message_of(&lower, Bridge, &[BcQueueLen(1001)]);
            assert_eq!(netlink::create(long), refusal());
            let link = create(&lower, Bridge, &[BcQueueLen(1000)]);
            assert_eq!(change_to(&link, &[BcQueueLen(u32::MAX)]), refusal());
            assert_eq!(change_to(&link, &[BcQueueLen(999), BcCutoff(3)]), Ok(()));
            let shown = Info::of(&link);
            assert_eq!((shown.bc_queue_len, shown.bc_cutoff), (999, Some(3)));
        },
    );
}

fn foreign_lower_needs_capability() {
    let lower = Link::dummy(LOWER);
    let link = create(&lower, Source, &[]);
    userns::run(
        |netns| {
            let attribute = LinkAttribute::NetNsFd(std::os::fd::AsRawFd::as_raw_fd(netns));
            link.set(attribute).expect("the link to be moved");
        },
        || {
            let link = Link::of_name(Macvtap::default().name).expect("the link");
            let refusal = || Err(Refusal::new(EPERM, SHARED));
            assert_eq!(change_to(&link, &[BcQueueLen(10)]), refusal());
            assert_eq!(change_to(&link, &[BcCutoff(10)]), refusal());
            assert_eq!(Info::of(&link), Info::of_mode(Source));
            // What is the link's own may be changed.
            let own = [Mode(Bridge), flags(1)];
            assert_eq!(change_to(&link, &own), Ok(()));
            let above = Macvtap {
                name: TAP2,
                ..Macvtap::default()
            };
            let refusal = Refusal::new(EPERM, FOREIGN_LOWER);
            assert_eq!(netlink::create(above.message(&link)), Err(refusal));
            assert!(Link::of_name(TAP2).is_err());
        },
    );
}

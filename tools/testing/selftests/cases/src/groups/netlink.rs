// SPDX-License-Identifier: GPL-2.0
//! Links as rtnetlink makes, changes and refuses them. Attributes of macvtap's
//! own are in a group of their own.

use std::fs;
use std::os::fd::AsRawFd as _;

use netlink_packet_core::DefaultNla;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkInfo, LinkMessage, MacVlanMode, MacVtapMode,
};
use nix::errno::Errno::{
    self, EADDRNOTAVAIL, EBADF, EBUSY, EEXIST, EINVAL, ENODEV, EOPNOTSUPP, ERANGE,
};
use LinkAttribute::{
    Address, Carrier, Controller, GroMaxSize, GsoMaxSegs, GsoMaxSize, IfName, IfNetnsId,
    LinkNetNsId, Mtu, NetNsFd, NumRxQueues, NumTxQueues, TxQueueLen,
};
use MacVlanMode::{Bridge, Passthrough};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::link::{Link, Macvtap, LOWER, OTHER_MAC, TAP, TAP2, TAP_MAC};
use crate::sys::netlink::{self, Refusal};
use crate::sys::netns::{mount_sysfs, Netns};
use crate::sys::tap::Tap;
use crate::vnet;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_TXQLEN: u16 = 13;

/// The index of the loopback device, in every network namespace.
const LOOPBACK: u32 = 1;
/// Nobody's.
const NO_INDEX: u32 = 77_777;
const NO_FD: i32 = 777;
const NO_ID: i32 = 77;

const POLICY: &str = "Attribute failed policy validation";

fn raw(kind: u16, value: &[u8]) -> LinkAttribute {
    LinkAttribute::Other(DefaultNla::new(kind, value.to_vec()))
}

fn of_kind(kind: InfoKind) -> LinkAttribute {
    let data = InfoData::Other(vec![]);
    LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind), LinkInfo::Data(data)])
}

fn name(name: &str) -> LinkAttribute {
    IfName(name.into())
}

type Refused = (&'static str, LinkAttribute, Errno, &'static str);

/// On a lower device with an MTU of 1500.
#[rustfmt::skip]
fn refused_at_creation() -> Vec<Refused> {
    vec![
        ("unknown lower", LinkAttribute::Link(NO_INDEX), ENODEV, ""),
        ("lower 0", LinkAttribute::Link(0), ENODEV, ""),
        ("loopback as lower", LinkAttribute::Link(LOOPBACK), EINVAL, ""),
        ("short lower", raw(IFLA_LINK, &[1, 0]), ERANGE, POLICY),
        ("MTU above the lower's", Mtu(1501), EINVAL, ""),
        ("MTU below any", Mtu(67), EINVAL, "mtu less than device minimum"),
        ("MTU 0", Mtu(0), EINVAL, "mtu less than device minimum"),
        ("MTU above any", Mtu(65_536), EINVAL, "mtu greater than device maximum"),
        ("negative MTU", Mtu(u32::MAX), EINVAL, "mtu less than device minimum"),
        ("short MTU", raw(IFLA_MTU, &[0]), ERANGE, POLICY),
        ("name of another", name(LOWER), EEXIST, ""),
        ("long name", name("mt-0123456789abc"), ERANGE, POLICY),
        ("empty name", name(""), EINVAL, ""),
        ("name with a slash", name("mt-a/b"), EINVAL, ""),
        ("name with a colon", name("mt-a:b"), EINVAL, ""),
        ("name with a space", name("mt-a b"), EINVAL, ""),
        ("name is a directory", name(".."), EINVAL, ""),
        ("template with two numbers", name("mt-%d%d"), EINVAL, ""),
        ("template of a string", name("mt-%s"), EINVAL, ""),
        ("name without end", raw(IFLA_IFNAME, &[]), ERANGE, POLICY),
        ("short address", Address(vec![2; 5]), EINVAL, ""),
        ("long address", Address(vec![2; 7]), EINVAL, ""),
        ("address beyond any", raw(IFLA_ADDRESS, &[2; 33]), ERANGE, POLICY),
        ("multicast address", Address(vec![1, 0, 0, 0, 0, 1]), EADDRNOTAVAIL, ""),
        ("broadcast address", Address(vec![0xff; 6]), EADDRNOTAVAIL, ""),
        ("zero address", Address(vec![0; 6]), EADDRNOTAVAIL, ""),
        ("short broadcast address", LinkAttribute::Broadcast(vec![2; 5]), EINVAL, ""),
        ("transmit queue too long", TxQueueLen(32_768), ERANGE, "integer out of range"),
        ("transmit queue of negative length", TxQueueLen(u32::MAX), ERANGE, "integer out of range"),
        ("short transmit queue's length", raw(IFLA_TXQLEN, &[1]), ERANGE, POLICY),
        ("no transmit queues", NumTxQueues(0), EINVAL, "Invalid number of transmit queues"),
        ("too many transmit queues", NumTxQueues(4097), EINVAL, "Invalid number of transmit queues"),
        ("no receive queues", NumRxQueues(0), EINVAL, "Invalid number of receive queues"),
        ("too many receive queues", NumRxQueues(4097), EINVAL, "Invalid number of receive queues"),
        ("short segments", GsoMaxSize(1), ERANGE, "integer out of range"),
        ("long packets to segment", GsoMaxSize(524_281), EINVAL, "too big gso_max_size"),
        ("many segments", GsoMaxSegs(65_536), EINVAL, "too big gso_max_segs"),
        ("long merged packets", GroMaxSize(524_281), EINVAL, "too big gro_max_size"),
        ("unknown network namespace", NetNsFd(NO_FD), EBADF, ""),
        ("unknown network namespace's id", IfNetnsId(NO_ID), EINVAL, ""),
        ("unknown network namespace of the lower", LinkNetNsId(NO_ID), EINVAL, "Unknown network namespace id"),
        ("permanent address", LinkAttribute::PermAddress(vec![2; 6]), EINVAL, POLICY),
        ("unknown master", Controller(NO_INDEX), EINVAL, ""),
    ]
}

/// Of a link that is down, on a lower device with an MTU of 1500.
#[rustfmt::skip]
fn refused_later() -> Vec<Refused> {
    vec![
        ("MTU above the lower's", Mtu(1501), EINVAL, ""),
        ("MTU below any", Mtu(67), EINVAL, "mtu less than device minimum"),
        ("MTU above any", Mtu(65_536), EINVAL, ""),
        ("name of another", name(LOWER), EEXIST, ""),
        ("name with a slash", name("mt-a/b"), EINVAL, ""),
        ("template with two numbers", name("mt-%d%d"), EINVAL, ""),
        ("short address", Address(vec![2; 5]), EINVAL, ""),
        ("multicast address", Address(vec![1, 0, 0, 0, 0, 1]), EADDRNOTAVAIL, ""),
        ("zero address", Address(vec![0; 6]), EADDRNOTAVAIL, ""),
        ("transmit queue too long", TxQueueLen(32_768), ERANGE, "integer out of range"),
        ("carrier off", Carrier(0), EOPNOTSUPP, ""),
        ("carrier on", Carrier(1), EOPNOTSUPP, ""),
        ("long packets to segment", GsoMaxSize(524_281), EINVAL, "too big gso_max_size"),
        ("many segments", GsoMaxSegs(65_536), EINVAL, "too big gso_max_segs"),
        ("unknown network namespace", NetNsFd(NO_FD), EBADF, ""),
        ("attributes of another kind", of_kind(InfoKind::MacVlan), EOPNOTSUPP, ""),
        ("attributes of an unknown kind", of_kind(InfoKind::Other("mt".into())), EOPNOTSUPP, ""),
        ("unknown master", Controller(NO_INDEX), EINVAL, ""),
    ]
}

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, attribute, error, message) in refused_at_creation() {
        let name = format!("refused at creation: {name}");
        cases.push(Case::new(name, move || {
            let lower = Link::dummy(LOWER);
            let macvtap = Macvtap {
                attributes: vec![attribute.clone()],
                ..Macvtap::default()
            };
            assert_refused(macvtap.message(&lower), error, message);
        }));
    }
    for (name, attribute, error, message) in refused_later() {
        let name = format!("refused later: {name}");
        cases.push(Case::new(name, move || {
            let lower = Link::dummy(LOWER);
            let link = Macvtap::default().create(&lower).expect("a link");
            let before = link.get();
            let mut request = link.message();
            request.attributes.push(attribute.clone());
            let refusal = Refusal::new(error, message);
            assert_eq!(netlink::change(request), Err(refusal));
            assert_eq!(link.get(), before);
        }));
    }
    cases.extend(cases![
        without_lower,
        without_kind,
        index_of_another,
        negative_index,
        on_a_bridge_port,
        on_a_bridge,
        on_a_macvtap,
        on_a_macvlan,
        on_a_vlan,
        into_a_bridge_at_once,
        into_a_bridge_later,
        second_beside_passthru,
        passthru_as_the_second,
        passthru_takes_the_lowers_address,
        without_address,
        without_name,
        name_of_another_namespaces_link,
        in_another_namespace_by_file,
        in_another_namespace_by_id,
        on_a_lower_of_another_namespace,
        between_two_other_namespaces,
        index_that_is_taken_there,
        deleted_by_index,
        deleted_twice,
    ]);
    cases
}

/// Nor has it left anything behind.
#[track_caller]
fn assert_refused(request: LinkMessage, error: Errno, message: &str) {
    assert_eq!(netlink::create(request), Err(Refusal::new(error, message)));
    assert_eq!(devices(), [""; 0]);
    assert!(Link::of_name(TAP).is_err());
}

/// Of macvtap links in the network namespace that /sys shows.
fn devices() -> Vec<String> {
    fs::read_dir("/sys/class/macvtap")
        .expect("the class")
        .map(|entry| {
            entry
                .expect("a device")
                .file_name()
                .into_string()
                .expect("its name")
        })
        .collect()
}

fn without_lower() {
    let lower = Link::dummy(LOWER);
    let mut request = Macvtap::default().message(&lower);
    request
        .attributes
        .retain(|attribute| !matches!(attribute, LinkAttribute::Link(_)));
    assert_refused(request, EINVAL, "");
}

fn without_kind() {
    let lower = Link::dummy(LOWER);
    let macvtap = Macvtap {
        attributes: vec![LinkAttribute::LinkInfo(vec![])],
        ..Macvtap::default()
    };
    assert_refused(macvtap.message(&lower), EOPNOTSUPP, "Unknown device type");
}

fn index_of_another() {
    let lower = Link::dummy(LOWER);
    let macvtap = Macvtap {
        index: lower.index,
        ..Macvtap::default()
    };
    assert_refused(macvtap.message(&lower), EEXIST, "");
}

fn negative_index() {
    let lower = Link::dummy(LOWER);
    for index in [1 << 31, u32::MAX] {
        let macvtap = Macvtap {
            index,
            ..Macvtap::default()
        };
        assert_refused(macvtap.message(&lower), EINVAL, "ifindex can't be negative");
    }
}

fn bridge() -> Link {
    Link::create("mt-bridge", InfoKind::Bridge, None, vec![]).expect("a bridge")
}

fn on_a_bridge_port() {
    let bridge = bridge();
    let lower = Link::dummy(LOWER);
    lower.set(Controller(bridge.index)).expect("a port");
    assert_refused(Macvtap::default().message(&lower), EBUSY, "");
    lower.set(Controller(0)).expect("no port");
    Macvtap::default().create(&lower).expect("a link");
}

fn on_a_bridge() {
    let bridge = bridge();
    let link = Macvtap::default().create(&bridge).expect("a link");
    assert_eq!(lower_of(&link), Some(bridge.index));
}

/// As the link shows it.
fn lower_of(link: &Link) -> Option<u32> {
    let message = link.get().expect("the link");
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Link(index) => Some(*index),
            _ => None,
        })
}

/// It is put on the same lower device.
fn on_a_macvtap() {
    let lower = Link::dummy(LOWER);
    let first = Macvtap::default().create(&lower).expect("a link");
    let second = second(Bridge).create(&first).expect("a second link");
    assert_eq!(lower_of(&second), Some(lower.index));
    first.delete().expect("the first to be deleted");
    assert_eq!(lower_of(&second), Some(lower.index));
    Tap::open(&second);
}

fn on_a_macvlan() {
    let lower = Link::dummy(LOWER);
    let under = LinkAttribute::Link(lower.index);
    let macvlan =
        Link::create("mt-vlan", InfoKind::MacVlan, None, vec![under]).expect("a macvlan link");
    let link = Macvtap::default().create(&macvlan).expect("a link");
    assert_eq!(lower_of(&link), Some(lower.index));
}

fn on_a_vlan() {
    let lower = Link::dummy(LOWER);
    let under = LinkAttribute::Link(lower.index);
    let data = InfoData::Vlan(vec![InfoVlan::Id(7)]);
    let vlan = Link::create("mt-vlan", InfoKind::Vlan, Some(data), vec![under]).expect("a VLAN");
    let link = Macvtap::default().create(&vlan).expect("a link");
    assert_eq!(lower_of(&link), Some(vlan.index));
}

/// The link is made, and goes when it cannot become a port.
fn into_a_bridge_at_once() {
    let bridge = bridge();
    let lower = Link::dummy(LOWER);
    let macvtap = Macvtap {
        attributes: vec![Controller(bridge.index)],
        ..Macvtap::default()
    };
    assert_refused(macvtap.message(&lower), EBUSY, "");
    Macvtap::default().create(&lower).expect("a link");
}

fn into_a_bridge_later() {
    let bridge = bridge();
    let lower = Link::dummy(LOWER);
    let link = Macvtap::default().create(&lower).expect("a link");
    for port in [&link, &lower] {
        assert_eq!(port.set(Controller(bridge.index)), Err(EBUSY));
    }
}

fn second(mode: MacVtapMode) -> Macvtap {
    Macvtap {
        name: TAP2,
        address: OTHER_MAC,
        mode,
        ..Macvtap::default()
    }
}

fn second_beside_passthru() {
    let lower = Link::dummy(LOWER);
    let passthru = Macvtap {
        mode: Passthrough,
        ..Macvtap::default()
    };
    let link = passthru.create(&lower).expect("a link");
    for mode in [Bridge, Passthrough] {
        let refusal = Refusal::new(EINVAL, "");
        assert_eq!(netlink::create(second(mode).message(&lower)), Err(refusal));
    }
    assert_eq!(devices(), [format!("tap{}", link.index)]);
    drop(link);
    second(Bridge).create(&lower).expect("a link");
}

fn passthru_as_the_second() {
    let lower = Link::dummy(LOWER);
    let link = Macvtap::default().create(&lower).expect("a link");
    let refusal = Refusal::new(EINVAL, "");
    assert_eq!(
        netlink::create(second(Passthrough).message(&lower)),
        Err(refusal)
    );
    assert_eq!(devices(), [format!("tap{}", link.index)]);
}

/// And gives it back one that it had.
fn passthru_takes_the_lowers_address() {
    let lower = Link::dummy(LOWER);
    let before = lower.address();
    let passthru = Macvtap {
        mode: Passthrough,
        ..Macvtap::default()
    };
    let link = passthru.create(&lower).expect("a link");
    assert_eq!(link.address(), before);
    link.set(Address(TAP_MAC.to_vec())).expect("an address");
    assert_eq!((link.address(), lower.address()), (TAP_MAC, TAP_MAC));
    drop(link);
    assert_eq!(lower.address(), before);
}

fn without_address() {
    let lower = Link::dummy(LOWER);
    let mut request = Macvtap::default().message(&lower);
    request
        .attributes
        .retain(|attribute| !matches!(attribute, Address(_)));
    netlink::create(request).expect("a link");
    let link = Link::of_name(TAP).expect("the link");
    let address = link.address();
    assert_eq!(address[0] & 3, 2, "local, of one: {address:x?}");
    // NET_ADDR_RANDOM.
    let kind = fs::read_to_string(format!("/sys/class/net/{TAP}/addr_assign_type"));
    assert_eq!(kind.expect("the address's kind"), "1\n");
}

fn without_name() {
    let lower = Link::dummy(LOWER);
    let mut request = Macvtap::default().message(&lower);
    request
        .attributes
        .retain(|attribute| !matches!(attribute, IfName(_)));
    netlink::create(request).expect("a link");
    let index = nix::net::if_::if_nametoindex("macvtap0").expect("the link");
    let mut message = LinkMessage::default();
    message.header.index = index;
    netlink::delete(message).expect("the link to be deleted");
}

fn name_of_another_namespaces_link() {
    let lower = Link::dummy(LOWER);
    let first = Macvtap::default().create(&lower).expect("a link");
    let home = Netns::current();
    let there = Netns::another();
    first.set(NetNsFd(there.as_raw_fd())).expect("a move");
    let second = Macvtap::default().create(&lower).expect("another link");
    there.enter();
    let first = Link::of_name(TAP).expect("the link");
    // No place for two of a name.
    home.enter();
    assert_eq!(second.set(NetNsFd(there.as_raw_fd())), Err(EEXIST));
    Tap::open(&second);
    there.enter();
    drop(first);
    home.enter();
    second.set(NetNsFd(there.as_raw_fd())).expect("a move");
}

/// Frames go both ways between the link of another namespace and the wire.
fn assert_connected(wire: &Wire, link: &Link) {
    link.set_up(true).expect("a link that is up");
    link.wait_operational();
    let tap = Tap::open(link);
    assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, link.name);
    let frame = frame::raw(OTHER_MAC, crate::sys::link::PEER_MAC, 100);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
    let frame = frame::raw(crate::sys::link::PEER_MAC, OTHER_MAC, 100);
    assert_eq!(tap.write(&vnet::plain(&frame)), Ok(110));
    frame::assert_same(&wire.peer.receive().frame, &frame);
}

fn assert_made_there(wire: &Wire, there: &Netns, attribute: LinkAttribute) {
    let macvtap = Macvtap {
        attributes: vec![attribute],
        ..second(Bridge)
    };
    netlink::create(macvtap.message(&wire.lower)).expect("a link");
    assert!(Link::of_name(TAP2).is_err(), "the link is here");
    assert_eq!(devices(), [format!("tap{}", wire.link.index)]);
    there.enter();
    let link = Link::of_name(TAP2).expect("the link");
    assert_connected(wire, &link);
    mount_sysfs();
    assert_eq!(devices(), [format!("tap{}", link.index)]);
}

fn in_another_namespace_by_file() {
    let wire = Wire::new();
    let there = Netns::another();
    let attribute = NetNsFd(there.as_raw_fd());
    assert_made_there(&wire, &there, attribute);
}

fn in_another_namespace_by_id() {
    let wire = Wire::new();
    let there = Netns::another();
    netlink::number_netns(&there, 42);
    assert_made_there(&wire, &there, IfNetnsId(42));
}

fn on_a_lower_of_another_namespace() {
    let home = Netns::current();
    let wire = Wire::new();
    Netns::enter_new();
    netlink::number_netns(&home, 42);
    let macvtap = Macvtap {
        attributes: vec![LinkNetNsId(42)],
        ..second(Bridge)
    };
    let link = macvtap.create(&wire.lower).expect("a link");
    let message = link.get().expect("the link");
    assert!(message.attributes.contains(&LinkNetNsId(42)));
    assert_eq!(lower_of(&link), Some(wire.lower.index));
    assert_connected(&wire, &link);
}

fn between_two_other_namespaces() {
    let home = Netns::current();
    let wire = Wire::new();
    let there = Netns::enter_new();
    // Numbers count where the link comes to be.
    netlink::number_netns(&home, 42);
    let third = Netns::enter_new();
    let macvtap = Macvtap {
        attributes: vec![NetNsFd(there.as_raw_fd()), LinkNetNsId(42)],
        ..second(Bridge)
    };
    netlink::create(macvtap.message(&wire.lower)).expect("a link");
    there.enter();
    let link = Link::of_name(TAP2).expect("the link");
    assert_connected(&wire, &link);
    drop(third);
}

fn index_that_is_taken_there() {
    let wire = Wire::new();
    let there = Netns::another();
    // The loopback device's.
    let macvtap = Macvtap {
        attributes: vec![NetNsFd(there.as_raw_fd())],
        index: LOOPBACK,
        ..second(Bridge)
    };
    let refusal = Refusal::new(EEXIST, "");
    assert_eq!(netlink::create(macvtap.message(&wire.lower)), Err(refusal));
    assert_eq!(devices(), [format!("tap{}", wire.link.index)]);
}

fn deleted_by_index() {
    let lower = Link::dummy(LOWER);
    let link = Macvtap::default().create(&lower).expect("a link");
    netlink::delete(link.message()).expect("the link to be deleted");
    assert_eq!(devices(), [""; 0]);
}

fn deleted_twice() {
    let lower = Link::dummy(LOWER);
    let link = Macvtap::default().create(&lower).expect("a link");
    for result in [Ok(()), Err(Refusal::new(ENODEV, ""))] {
        assert_eq!(netlink::delete(link.message()), result);
    }
}

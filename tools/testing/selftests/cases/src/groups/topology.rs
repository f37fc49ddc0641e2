// SPDX-License-Identifier: GPL-2.0
//! What the modes promise in a network: who gets which frame, and how often.
//!
//! ```text
//!  macvtap A ------\
//!  macvtap B -------+- lower device ==wire== adjacent switch ---- outside host
//!  host's macvlan -/                         (a bridge)
//! ```
//!
//! The switch and the outside host are in another network namespace. Its port on the wire
//! is in hairpin mode or not: whether a frame may leave by where it came in.

use std::collections::HashSet;
use std::os::fd::AsRawFd as _;
use std::thread;
use std::time::{Duration, Instant};

use netlink_packet_route::link::{
    InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoMacVtap, InfoPortData, InfoPortKind,
    LinkAttribute, LinkFlags, LinkInfo, MacVlanMode, MacVtapFlags, MacVtapMacAddressMode,
};
use nix::errno::Errno;

use crate::driver::Driver;
use crate::ktap::{self, Case};
use crate::sys::link::{
    self, Link, Mac, Macvtap, LOWER, OTHER_MAC, PEER, PEER_MAC, TAP, TAP2, TAP2_MAC, TAP_MAC,
};
use crate::sys::netlink;
use crate::sys::netns::Netns;
use crate::sys::packet::{PacketSocket, ALL};
use crate::sys::tap::Tap;
use crate::sys::wait::DEADLINE;
use crate::{frame, vnet};

use MacVlanMode::{Bridge, Passthrough, Private, Source, Vepa};
use Place::{Host, Lower, Outside, Wire, A, B};

const BROADCAST: Mac = [0xff; 6];
const MULTICAST: Mac = [0x01, 0, 0x5e, 0x01, 0x02, 0x03];
const OUTSIDE_MAC: Mac = [0x02, 0, 0, 0, 0, 0x70];
const HOST_MAC: Mac = [0x02, 0, 0, 0, 0, 0x40];
const LOWER_MAC: Mac = [0x02, 0, 0, 0, 0, 0x50];
/// The sender of frames that only tell that those before them have passed.
const MARKER_MAC: Mac = [0x02, 0, 0, 0, 0, 0x60];

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = vec![];
    for mode in [Vepa, Bridge, Private, Passthrough, Source] {
        for hairpin in [false, true] {
            let name = format!("{mode:?}, {}hairpin", if hairpin { "" } else { "no " });
            cases.push(Case::new(name.to_lowercase(), move || {
                assert_promise(mode, hairpin)
            }));
        }
    }
    cases.extend(crate::cases![passthru_promiscuous_or_not]);
    cases
}

/// Where frames are seen, and but for the wire, sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    A,
    B,
    /// A macvlan, by which the host takes part.
    Host,
    /// The host's own stack, on the lower device.
    Lower,
    Outside,
    /// What leaves the lower device.
    Wire,
}

impl Place {
    fn address(self) -> Mac {
        match self {
            A => TAP_MAC,
            B => TAP2_MAC,
            Host => HOST_MAC,
            Lower => LOWER_MAC,
            Outside => OUTSIDE_MAC,
            Wire => unreachable!("nobody has the wire's address"),
        }
    }
}

/// A frame's destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum To {
    Broadcast,
    Multicast,
    /// Whom the switch does not know.
    Unknown,
    Known(Place),
}

impl To {
    fn is_group(self) -> bool {
        matches!(self, To::Broadcast | To::Multicast)
    }
}

/// What is expected, by the mode of all links on the lower device.
#[derive(Clone, Copy)]
struct Promise {
    mode: MacVlanMode,
    hairpin: bool,
}

impl Promise {
    /// The links on the lower device.
    fn links(self) -> &'static [Place] {
        match self.mode {
            Passthrough => &[A],
            _ => &[A, B, Host],
        }
    }

    /// Whose frames a link in source mode takes.
    fn sources(self, link: Place) -> &'static [Place] {
        match (self.mode, link) {
            (Source, A) => &[Outside, Host],
            (Source, B) => &[A],
            (Source, Host) => &[B],
            _ => &[],
        }
    }

    /// The lower device's address is that of a link in passthru mode, which takes all
    /// that is sent to it.
    fn address(self, place: Place) -> Mac {
        match self.mode {
            Passthrough if place == A => Lower.address(),
            _ => place.address(),
        }
    }

    fn senders(self) -> Vec<Place> {
        let lower: &[_] = if self.mode == Passthrough {
            &[]
        } else {
            &[Lower]
        };
        [self.links(), lower, &[Outside]].concat()
    }

    fn destinations(self) -> Vec<To> {
        // By kernel, links in bridge mode get a multicast again that a switch returns, or
        // not: Linux 7.3 takes it for another sender's with the same address.
        let groups: &[_] = match self {
            Promise {
                mode: Bridge,
                hairpin: true,
            } => &[],
            _ => &[To::Broadcast, To::Multicast],
        };
        let known = self.senders().into_iter().map(To::Known);
        groups
            .iter()
            .copied()
            .chain([To::Unknown])
            .chain(known)
            .collect()
    }

    /// Who sees a frame, in order, and as often as it is seen.
    fn seen(self, from: Place, to: To) -> Vec<Place> {
        let mut seen = vec![];
        if from == Outside || self.stays(from, to) {
            seen.extend(self.arrives(from, to));
        } else {
            if self.mode == Bridge && from != Lower && to.is_group() {
                seen.extend(self.links().iter().filter(|&&link| link != from));
            }
            seen.push(Wire);
            let floods = to.is_group() || to == To::Unknown;
            if floods || to == To::Known(Outside) {
                seen.push(Outside);
            }
            if self.hairpin && to != To::Known(Outside) {
                seen.extend(self.arrives(from, to));
            }
        }
        seen.sort();
        seen
    }

    /// Links in bridge mode reach each other without the switch.
    fn stays(self, from: Place, to: To) -> bool {
        let is_link = |place| self.links().contains(&place);
        let to_link = matches!(to, To::Known(place) if is_link(place));
        self.mode == Bridge && is_link(from) && to_link
    }

    /// Who gets what comes in by the wire.
    fn arrives(self, from: Place, to: To) -> Vec<Place> {
        let links = || self.links().iter().copied();
        let mut seen: Vec<_> = links()
            .filter(|&link| self.sources(link).contains(&from))
            .collect();
        let from_link = self.links().contains(&from);
        match (to, self.mode) {
            // Others must not have it, but it is not lost either: the sender gets it.
            (To::Broadcast | To::Multicast, Private | Passthrough | Source) if from_link => {
                seen.push(from);
            }
            (To::Broadcast | To::Multicast, Source) => seen.push(Lower),
            (To::Broadcast | To::Multicast, _) => {
                seen.extend(links().filter(|&link| link != from));
                seen.push(Lower);
            }
            (_, Passthrough) => seen.push(A),
            (_, Source) => seen.push(Lower),
            // Private is about broadcasts: who knows an address, and whose switch returns
            // the frame, reaches it.
            (To::Known(link), _) if self.links().contains(&link) => seen.push(link),
            _ => seen.push(Lower),
        }
        seen
    }
}

struct Network {
    taps: Vec<(Place, Tap)>,
    sockets: Vec<(Place, PacketSocket)>,
    lower: Link,
    _links: Vec<Link>,
    _switch: Netns,
}

impl Network {
    fn new(promise: Promise) -> Network {
        let (lower, port) = Link::veth();
        let address = LinkAttribute::Address(LOWER_MAC.to_vec());
        lower.set(address).expect("the lower device's address");
        lower.set_up(true).expect("a link that is up");
        let (switch, [wire, outside]) = plug_in(port, promise.hairpin);

        let mut taps = vec![];
        let mut sockets = vec![(Wire, wire), (Outside, outside)];
        let mut links = vec![];
        for &place in promise.links() {
            let link = add_link(place, promise, &lower);
            if place == Host {
                sockets.push((place, PacketSocket::open(&link, ALL)));
            } else {
                taps.push((place, Tap::open(&link)));
            }
            links.push(link);
        }
        // What the links do not take.
        sockets.push((Lower, PacketSocket::open(&lower, frame::ETHERTYPE)));
        for link in links.iter().chain([&lower]) {
            link.wait_operational();
        }
        Network {
            taps,
            sockets,
            lower,
            _links: links,
            _switch: switch,
        }
    }

    fn socket(&self, place: Place) -> &PacketSocket {
        let socket = self.sockets.iter().find(|(known, _)| *known == place);
        &socket.expect("a packet socket").1
    }

    fn tap(&self, place: Place) -> Option<&Tap> {
        let tap = self.taps.iter().find(|(known, _)| *known == place);
        tap.map(|(_, tap)| tap)
    }

    fn send(&self, from: Place, frame: &[u8]) {
        match self.tap(from) {
            Some(tap) => {
                let bytes = vnet::plain(frame);
                assert_eq!(tap.write(&bytes), Ok(bytes.len()));
            }
            None => self.socket(from).send(frame),
        }
    }

    /// The next frame there.
    fn take(&self, place: Place) -> Option<Vec<u8>> {
        match self.tap(place) {
            Some(tap) => {
                let mut buffer = vec![0; 2000];
                match tap.read(&mut buffer) {
                    Ok(length) => Some(buffer[vnet::SIZE..length].to_vec()),
                    Err(error) => {
                        assert_eq!(error, Errno::EAGAIN);
                        None
                    }
                }
            }
            // Also what the kernel hands on to a link on top of the lower device passes
            // there, as that one's.
            None if place == Lower => loop {
                let received = self.socket(place).receive_now()?;
                if received.link == self.lower.index {
                    return Some(received.frame);
                }
            },
            None => Some(self.socket(place).receive_now()?.frame),
        }
    }

    fn places(&self) -> Vec<Place> {
        let taps = self.taps.iter().map(|(place, _)| *place);
        taps.chain(self.sockets.iter().map(|(place, _)| *place))
            .collect()
    }

    /// What is seen, and where, when all that was sent before has passed: when markers have
    /// arrived everywhere, which were sent later on all ways. They overtake nothing, but
    /// what is handed on by a thread of the kernel's. Therefore `enough` are waited for.
    fn gather(&self, length: usize, enough: usize) -> Vec<(Place, Vec<u8>)> {
        let marker = frame::raw(BROADCAST, MARKER_MAC, length);
        self.send(Outside, &marker);
        self.send(Lower, &marker);
        let (mut seen, mut marked) = (vec![], HashSet::new());
        let end = Instant::now() + DEADLINE;
        while (seen.len() < enough || marked.len() < self.places().len()) && Instant::now() < end {
            for place in self.places() {
                while let Some(frame) = self.take(place) {
                    if frame == marker {
                        marked.insert(place);
                    } else if frame[6..12] != MARKER_MAC {
                        seen.push((place, frame));
                    }
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(marked.len(), self.places().len(), "{marked:?} only");
        seen
    }
}

/// Makes the switch with the lower device's other end, and has it say what comes in by the
/// wire, and to the outside host.
fn plug_in(port: Link, hairpin: bool) -> (Netns, [PacketSocket; 2]) {
    let home = Netns::current();
    let switch = Netns::another();
    let there = LinkAttribute::NetNsFd(switch.as_raw_fd());
    port.set(there).expect("the link to be moved");
    switch.enter();
    let port = Link::of_name(PEER).expect("the switch's port");
    let data = InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)]);
    let bridge = Link::create("mt-switch", InfoKind::Bridge, Some(data), vec![]).expect("a bridge");
    let (second, outside) = Link::veth_named("mt-port", "mt-outside", OUTSIDE_MAC);
    for port in [&port, &second] {
        let controller = LinkAttribute::Controller(bridge.index);
        port.set(controller).expect("a port of the switch");
    }
    port.set(LinkAttribute::LinkInfo(vec![
        LinkInfo::PortKind(InfoPortKind::Bridge),
        LinkInfo::PortData(InfoPortData::BridgePort(vec![InfoBridgePort::HairpinMode(
            hairpin,
        )])),
    ]))
    .expect("the hairpin mode");
    let links = [port, second, outside, bridge];
    for link in &links {
        link.set_up(true).expect("a link that is up");
    }
    for link in &links[..3] {
        link.wait_operational();
    }
    let sockets = [&links[0], &links[2]].map(|link| PacketSocket::open(link, ALL));
    // They go with the namespace.
    std::mem::forget(links);
    home.enter();
    (switch, sockets)
}

/// Makes this link on the lower device, up and open for all multicasts, as libvirt has it.
fn add_link(place: Place, promise: Promise, lower: &Link) -> Link {
    let mut data = vec![InfoMacVtap::Mode(promise.mode)];
    if promise.mode == Source {
        let sources = promise.sources(place).iter();
        let allowed = sources.map(|source| source.address()).chain([MARKER_MAC]);
        data.push(InfoMacVtap::MacAddrMode(MacVtapMacAddressMode::Set));
        data.push(InfoMacVtap::MacAddrData(
            allowed.map(InfoMacVtap::MacAddr).collect(),
        ));
    }
    let kind = match place {
        Host => InfoKind::MacVlan,
        _ => InfoKind::MacVtap,
    };
    // Both kinds have the same attributes.
    let info = vec![
        LinkInfo::Kind(kind),
        LinkInfo::Data(InfoData::MacVtap(data)),
    ];
    let link = Macvtap {
        name: match place {
            A => TAP,
            B => TAP2,
            _ => "mt-host",
        },
        address: promise.address(place),
        attributes: vec![LinkAttribute::LinkInfo(info)],
        ..Macvtap::default()
    };
    let link = link.create(lower).expect("a link on the lower device");
    let mut message = link.message();
    message.header.flags = LinkFlags::Up | LinkFlags::Allmulti;
    message.header.change_mask = message.header.flags;
    netlink::change(message).expect("a link that is up");
    link
}

/// Sends a frame from everyone to everyone, and looks everywhere.
fn assert_promise(mode: MacVlanMode, hairpin: bool) {
    let promise = Promise { mode, hairpin };
    let network = Network::new(promise);
    // So that the switch knows them.
    for place in promise.senders() {
        network.send(place, &frame::raw(BROADCAST, promise.address(place), 60));
    }
    network.gather(60, 0);
    let mut length = 100;
    for from in promise.senders() {
        for to in promise.destinations() {
            if to == To::Known(from) {
                continue;
            }
            let destination = match to {
                To::Broadcast => BROADCAST,
                To::Multicast => MULTICAST,
                To::Unknown => OTHER_MAC,
                To::Known(place) => promise.address(place),
            };
            let frame = frame::raw(destination, promise.address(from), length);
            let expected = promise.seen(from, to);
            network.send(from, &frame);
            let mut seen = vec![];
            for (place, taken) in network.gather(length, expected.len()) {
                frame::assert_same(&taken, &frame);
                seen.push(place);
            }
            seen.sort();
            ktap::data(format_args!("{from:?} to {to:?}: {seen:?}"));
            assert_eq!(seen, expected, "from {from:?} to {to:?}");
            length += 1;
        }
    }
}

/// A lower device that looks at addresses: a bridge, as the host is one of its members.
fn passthru_promiscuous_or_not() {
    let lower = Link::create(LOWER, InfoKind::Bridge, None, vec![]).expect("a bridge");
    let (port, peer_link) = Link::veth_named("mt-port", PEER, PEER_MAC);
    let controller = LinkAttribute::Controller(lower.index);
    port.set(controller).expect("a port of the bridge");
    let link = Macvtap {
        mode: Passthrough,
        ..Macvtap::default()
    };
    let link = link.create(&lower).expect("a link in passthru mode");
    for link in [&port, &peer_link, &lower, &link] {
        link.set_up(true).expect("a link that is up");
    }
    for link in [&peer_link, &lower, &link] {
        link.wait_operational();
    }
    let peer = PacketSocket::open(&peer_link, ALL);
    let tap = Tap::open(&link);
    let own = frame::raw(link.address(), PEER_MAC, 100);
    let other = frame::raw(OTHER_MAC, PEER_MAC, 101);
    let broadcast = frame::raw(BROADCAST, PEER_MAC, 102);
    for flags in [MacVtapFlags::empty(), MacVtapFlags::NoPromisc] {
        let info = vec![InfoMacVtap::Mode(Passthrough), InfoMacVtap::Flags(flags)];
        link.set(link::info(info)).expect("other flags");
        for frame in [&other, &broadcast, &own] {
            peer.send(frame);
        }
        if flags.is_empty() {
            frame::assert_same(&tap.receive_frame().1, &other);
        }
        // Multicasts are handed on by a thread.
        let mut got = [tap.receive_frame().1, tap.receive_frame().1];
        got.sort_by_key(Vec::len);
        frame::assert_same(&got[0], &own);
        frame::assert_same(&got[1], &broadcast);
        tap.assert_empty();
    }
}

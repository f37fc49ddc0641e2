// SPDX-License-Identifier: GPL-2.0
//! Network links. A [`Link`] is deleted when it goes out of scope.

use std::fs;
use std::net::Ipv4Addr;
use std::process::Command;

use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVtap, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
    MacVtapMode, State, Stats64,
};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::AddressFamily;
use nix::errno::Errno;

use super::{netlink, wait};

pub type Mac = [u8; 6];

/// Every link of the tests begins with this, so that those which a killed test
/// left behind can be told from the machine's own.
const PREFIX: &str = "mt-";

pub const LOWER: &str = "mt-lower";
pub const PEER: &str = "mt-peer";
pub const TAP: &str = "mt-tap";
pub const TAP2: &str = "mt-tap2";

pub const PEER_MAC: Mac = [0x02, 0, 0, 0, 0, 0x01];
pub const TAP_MAC: Mac = [0x02, 0, 0, 0, 0, 0x10];
pub const TAP2_MAC: Mac = [0x02, 0, 0, 0, 0, 0x20];
/// Nobody's.
pub const OTHER_MAC: Mac = [0x02, 0, 0, 0, 0, 0x30];

#[derive(Debug)]
pub struct Link {
    pub index: u32,
    pub name: String,
}

impl Link {
    pub fn create(
        name: &str,
        kind: InfoKind,
        data: Option<InfoData>,
        attributes: Vec<LinkAttribute>,
    ) -> nix::Result<Link> {
        let mut info = vec![LinkInfo::Kind(kind)];
        info.extend(data.map(LinkInfo::Data));
        let mut message = LinkMessage::default();
        message.attributes = attributes;
        message.attributes.push(LinkAttribute::IfName(name.into()));
        message.attributes.push(LinkAttribute::LinkInfo(info));
        netlink::create(message)?;
        Link::of_name(name)
    }

    /// The link that already has this name. It is deleted at the end, too.
    pub fn of_name(name: &str) -> nix::Result<Link> {
        assert!(name.starts_with(PREFIX));
        let index = nix::net::if_::if_nametoindex(name)?;
        let name = name.to_owned();
        let link = Link { index, name };
        link.silence();
        Ok(link)
    }

    /// The host's stack must not talk where a test counts frames. It is to be
    /// said again in another network namespace.
    pub fn silence(&self) {
        let _ = fs::write(
            format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", self.name),
            "1\n",
        );
    }

    pub fn dummy(name: &str) -> Link {
        Link::create(name, InfoKind::Dummy, None, vec![]).expect("a dummy link")
    }

    /// The same with an index and an address that are always the same.
    pub fn dummy_of(name: &str, index: u32, address: Mac) -> Link {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes = vec![
            LinkAttribute::IfName(name.into()),
            LinkAttribute::Address(address.to_vec()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Dummy)]),
        ];
        netlink::create(message).expect("a dummy link");
        Link::of_name(name).expect("the dummy link")
    }

    /// A lower device with LRO, which it needs no hardware for.
    pub fn bond(name: &str) -> Link {
        Link::create(name, InfoKind::Bond, None, vec![]).expect("a bond")
    }

    /// Two ends of a wire: what is sent on one is received on the other.
    pub fn veth() -> (Link, Link) {
        Link::veth_named(LOWER, PEER, PEER_MAC)
    }

    /// The same with other names, and the second end's address.
    pub fn veth_named(near: &str, far: &str, far_mac: Mac) -> (Link, Link) {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(far.into()),
            LinkAttribute::Address(far_mac.to_vec()),
        ];
        let data = InfoData::Veth(InfoVeth::Peer(peer));
        let near =
            Link::create(near, InfoKind::Veth, Some(data), vec![]).expect("a pair of veth links");
        (near, Link::of_name(far).expect("the other veth link"))
    }

    pub fn message(&self) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = self.index;
        message
    }

    pub fn get(&self) -> nix::Result<LinkMessage> {
        Ok(netlink::get(self.message())?)
    }

    pub fn set(&self, attribute: LinkAttribute) -> nix::Result<()> {
        let mut message = self.message();
        message.attributes.push(attribute);
        Ok(netlink::change(message)?)
    }

    pub fn set_up(&self, up: bool) -> nix::Result<()> {
        let mut message = self.message();
        message.header.change_mask = LinkFlags::Up;
        if up {
            message.header.flags = LinkFlags::Up;
        }
        Ok(netlink::change(message)?)
    }

    /// Until then its frames go to the no-op queueing discipline.
    pub fn wait_operational(&self) {
        wait::until("the link to become operational", || {
            let link = self.get().expect("the link");
            link.attributes
                .contains(&LinkAttribute::OperState(State::Up))
        });
    }

    /// By its name, which only the tests use: a test that fails may be in
    /// another network namespace, where the index is somebody else's.
    pub fn delete(&self) -> nix::Result<()> {
        let mut message = LinkMessage::default();
        message
            .attributes
            .push(LinkAttribute::IfName(self.name.clone()));
        Ok(netlink::delete(message)?)
    }

    pub fn statistics(&self) -> Stats64 {
        let link = self.get().expect("the link");
        link.attributes
            .into_iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::Stats64(statistics) => Some(statistics),
                _ => None,
            })
            .expect("the link's statistics")
    }

    pub fn address(&self) -> Mac {
        let link = self.get().expect("the link");
        link.attributes
            .into_iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::Address(address) => address.try_into().ok(),
                _ => None,
            })
            .expect("the link's address")
    }

    pub fn add_address(&self, address: Ipv4Addr, prefix_len: u8) {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.prefix_len = prefix_len;
        message.header.index = self.index;
        message.attributes = vec![AddressAttribute::Local(address.into())];
        netlink::add_address(message).expect("an address of the link");
    }

    /// Whom the link's segment has, so that nobody asks.
    pub fn add_neighbour(&self, address: Ipv4Addr, mac: Mac) {
        let mut message = NeighbourMessage::default();
        message.header.family = AddressFamily::Inet;
        message.header.ifindex = self.index;
        message.header.state = NeighbourState::Permanent;
        message.attributes = vec![
            NeighbourAttribute::Destination(address.into()),
            NeighbourAttribute::LinkLayerAddress(mac.to_vec()),
        ];
        netlink::add_neighbour(message).expect("a neighbour of the link");
    }

    /// What is sent through the link waits in its queueing discipline before it
    /// leaves.
    pub fn delay(&self, milliseconds: u32) {
        let delay = format!("{milliseconds}ms");
        self.qdisc(&[
            "replace", "root", "netem", "delay", &delay, "limit", "10000",
        ]);
    }

    /// Whether something waits there.
    pub fn delays(&self) -> bool {
        !self.qdisc(&["show"]).contains("backlog 0b 0p")
    }

    /// What is received is received by another link instead.
    pub fn redirect(&self, to: &Link) {
        self.qdisc(&["add", "clsact"]);
        let redirect = ["mirred", "ingress", "redirect", "dev", &to.name];
        self.tc(
            "filter",
            &[&["add", "ingress", "matchall", "action"], &redirect[..]].concat(),
        );
    }

    fn qdisc(&self, arguments: &[&str]) -> String {
        self.tc("qdisc", arguments)
    }

    fn tc(&self, object: &str, arguments: &[&str]) -> String {
        let (verb, rest) = arguments.split_first().expect("a verb");
        let command = ["-statistics", object, verb, "dev", &self.name];
        let ended = Command::new("tc").args(command).args(rest).output();
        let ended = ended.expect("tc");
        assert!(ended.status.success(), "{ended:?}");
        String::from_utf8_lossy(&ended.stdout).into_owned()
    }

    pub fn node(&self) -> String {
        format!("/dev/tap{}", self.index)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        match self.delete() {
            // Gone with its lower device or its peer, or by the test itself.
            Ok(()) | Err(Errno::ENODEV) => (),
            Err(error) => eprintln!("cannot delete {}: {error}", self.name),
        }
    }
}

/// What a macvtap link is made of; the tests name what they want otherwise.
pub struct Macvtap {
    pub name: &'static str,
    pub mode: MacVtapMode,
    pub address: Mac,
    pub data: Vec<InfoMacVtap>,
    pub attributes: Vec<LinkAttribute>,
    /// 0 lets the kernel choose.
    pub index: u32,
}

impl Default for Macvtap {
    fn default() -> Self {
        Macvtap {
            name: TAP,
            mode: MacVtapMode::Bridge,
            address: TAP_MAC,
            data: vec![],
            attributes: vec![],
            index: 0,
        }
    }
}

impl Macvtap {
    pub fn create(self, lower: &Link) -> nix::Result<Link> {
        let name = self.name;
        netlink::create(self.message(lower))?;
        Link::of_name(name)
    }

    /// What asks the kernel to make it. Of an attribute that is there twice the
    /// last one counts, so that the tests' own go last.
    pub fn message(self, lower: &Link) -> LinkMessage {
        self.message_on(lower.index)
    }

    /// The same by the lower device's index.
    pub fn message_on(self, lower: u32) -> LinkMessage {
        let mut data = vec![InfoMacVtap::Mode(self.mode)];
        data.extend(self.data);
        let mut message = LinkMessage::default();
        message.header.index = self.index;
        message.attributes = vec![
            LinkAttribute::IfName(self.name.into()),
            LinkAttribute::Link(lower),
            LinkAttribute::Address(self.address.to_vec()),
            info(data),
        ];
        message.attributes.extend(self.attributes);
        message
    }
}

/// Attributes of macvtap's own.
pub fn info(data: Vec<InfoMacVtap>) -> LinkAttribute {
    LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::MacVtap),
        LinkInfo::Data(InfoData::MacVtap(data)),
    ])
}

/// What the kernel tells of macvtap's own.
pub fn data(message: &LinkMessage) -> &[InfoMacVtap] {
    message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::LinkInfo(info) => Some(info),
            _ => None,
        })
        .and_then(|info| {
            info.iter().find_map(|info| match info {
                LinkInfo::Data(InfoData::MacVtap(data)) => Some(data),
                _ => None,
            })
        })
        .expect("macvtap's attributes")
}

/// Deletes what a test left behind that did not come to its end.
pub fn delete_leftovers() {
    for link in netlink::dump().expect("the list of links") {
        let name = link
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name),
                _ => None,
            });
        if name.is_some_and(|name| name.starts_with(PREFIX)) {
            let mut message = LinkMessage::default();
            message.header.index = link.header.index;
            let _ = netlink::delete(message);
        }
    }
}

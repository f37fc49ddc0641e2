// SPDX-License-Identifier: GPL-2.0
//! macvtap links, as the kernel describes them.

use netlink_packet_core::{DefaultNla, Nla as _};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVtap, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
    Stats64,
};
use rustix::io::Errno;

use crate::error::{Error, Result, NO_LINK};
use crate::filter::{Filter, IFLA_MACVTAP_RX_FILTER};
use crate::mac::Mac;
use crate::netlink::Netlink;

const IFLA_ALT_IFNAME: u16 = 53;

/// A link, of which nothing is known that the kernel did not say.
#[derive(Debug)]
pub struct Link {
    /// The interface index.
    pub index: u32,
    /// The interface name.
    pub name: String,
    /// As ip-link names it.
    pub mode: String,
    /// Its address.
    pub mac: Option<Mac>,
    /// Whether it is up, in one word.
    pub state: String,
    /// The interface index of the lower device, in its namespace.
    pub lower: Option<u32>,
    /// The number of that namespace, if it is another one.
    pub lower_namespace: Option<i32>,
    /// What it has counted.
    pub statistics: Stats64,
    /// The value of the attribute, if there is a receive filter.
    filter: Option<Vec<u8>>,
}

impl Link {
    /// All of this namespace.
    pub fn all(netlink: &Netlink) -> Result<Vec<Link>> {
        let mut wanted = LinkMessage::default();
        wanted.attributes = vec![LinkAttribute::LinkInfo(vec![LinkInfo::Kind(
            InfoKind::MacVtap,
        )])];
        let links = netlink
            .links(wanted)
            .map_err(|said| Error::failed(format!("cannot list links: {said}")))?;
        let links = links
            .into_iter()
            .filter(|link| kind(link) == Some(&InfoKind::MacVtap));
        Ok(links.map(Link::from_message).collect())
    }

    /// The one of this name, which can also be an alternative one.
    pub fn named(netlink: &Netlink, name: &str) -> Result<Link> {
        let link = netlink
            .link(wanted(name))
            .map_err(|said| match said.errno {
                // A name may be too long, or empty.
                Errno::NODEV | Errno::INVAL | Errno::RANGE => Error::new(
                    NO_LINK,
                    format!(
                        "there is no link {name} in this network namespace: see \"macvtap list\""
                    ),
                ),
                _ => Error::failed(format!("cannot look {name} up: {said}")),
            })?;
        let other = match kind(&link) {
            Some(InfoKind::MacVtap) => return Ok(Link::from_message(link)),
            Some(kind) => format!("it is a {kind}"),
            None => "it is a hardware or loopback device".to_owned(),
        };
        let message = format!("{name} is not a macvtap link: {other}");
        Err(Error::new(NO_LINK, message))
    }

    /// Its receive filter, if there is one.
    pub fn filter(&self) -> Result<Option<Filter>> {
        let filter = self.filter.as_deref().map(Filter::from_attribute);
        filter
            .transpose()
            .map_err(|error| Error::failed(format!("{}: the kernel's answer: {error}", self.name)))
    }

    /// What sets this attribute of macvtap's own.
    pub fn change(&self, attribute: DefaultNla) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = self.index;
        link.attributes = vec![LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVtap),
            LinkInfo::Data(InfoData::MacVtap(vec![InfoMacVtap::Other(attribute)])),
        ])];
        link
    }

    fn from_message(message: LinkMessage) -> Link {
        let is_up = message.header.flags.contains(LinkFlags::Up);
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            mode: String::new(),
            mac: None,
            state: String::new(),
            lower: None,
            lower_namespace: None,
            statistics: Stats64::default(),
            filter: None,
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Address(mac) => link.mac = mac.try_into().ok().map(Mac),
                LinkAttribute::Link(index) => link.lower = Some(index),
                LinkAttribute::LinkNetNsId(id) => link.lower_namespace = Some(id),
                LinkAttribute::OperState(state) => link.state = word(is_up, state),
                LinkAttribute::Stats64(statistics) => link.statistics = statistics,
                LinkAttribute::LinkInfo(info) => link.take_info(info),
                _ => {}
            }
        }
        link
    }

    fn take_info(&mut self, info: Vec<LinkInfo>) {
        let data = info.into_iter().filter_map(|info| match info {
            LinkInfo::Data(InfoData::MacVtap(data)) => Some(data),
            _ => None,
        });
        for attribute in data.flatten() {
            match attribute {
                InfoMacVtap::Mode(mode) => self.mode = mode.to_string(),
                InfoMacVtap::Other(other) if is_filter(&other) => {
                    let mut value = vec![0; other.value_len()];
                    other.emit_value(&mut value);
                    self.filter = Some(value);
                }
                _ => {}
            }
        }
    }
}

/// The name of a link in the namespace of that number.
pub fn name_of(netlink: &Netlink, index: u32, namespace: Option<i32>) -> Option<String> {
    let mut wanted = LinkMessage::default();
    wanted.header.index = index;
    wanted.attributes = namespace
        .map(LinkAttribute::IfNetnsId)
        .into_iter()
        .collect();
    let link = netlink.link(wanted).ok()?;
    link.attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name),
            _ => None,
        })
}

/// Looks among all names, for which there is more room.
fn wanted(name: &str) -> LinkMessage {
    let mut wanted = LinkMessage::default();
    let name = [name.as_bytes(), &[0]].concat();
    wanted.attributes = vec![LinkAttribute::Other(DefaultNla::new(IFLA_ALT_IFNAME, name))];
    wanted
}

fn is_filter(attribute: &DefaultNla) -> bool {
    attribute.kind() & !netlink_packet_core::NLA_F_NESTED == IFLA_MACVTAP_RX_FILTER
}

fn kind(link: &LinkMessage) -> Option<&InfoKind> {
    let info = link
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::LinkInfo(info) => Some(info),
            _ => None,
        });
    info.into_iter().flatten().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind),
        _ => None,
    })
}

/// The kernel's word, unless the administrator took the link down.
fn word(is_up: bool, state: State) -> String {
    if is_up {
        state.to_string().to_lowercase()
    } else {
        "down".to_owned()
    }
}

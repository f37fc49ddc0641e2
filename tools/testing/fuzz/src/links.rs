// SPDX-License-Identifier: GPL-2.0
//! Requests on rtnetlink: macvtap links that are made, changed and deleted with
//! attributes that nobody should send.

use arbitrary::{Result, Unstructured};
use macvtap_selftests::sys::link::{Macvtap, LOWER, TAP2, TAP2_MAC};
use netlink_packet_core::{
    DefaultNla, Emitable as _, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE,
};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVtap, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVtapMode,
};
use netlink_packet_route::RouteNetlinkMessage;

use crate::world::{LINK_INDEX, LOWER_INDEX, OTHER_INDEX};

/// `IFLA_MACVTAP_RX_FILTER`.
const FILTER: u16 = 32;

#[derive(Debug)]
pub struct Request {
    pub message: RouteNetlinkMessage,
    pub flags: u16,
}

impl Request {
    /// Of the link that it is about.
    pub fn index(&self) -> u32 {
        match &self.message {
            RouteNetlinkMessage::NewLink(link)
            | RouteNetlinkMessage::SetLink(link)
            | RouteNetlinkMessage::DelLink(link) => link.header.index,
            other => unreachable!("{other:?}"),
        }
    }
}

pub fn request(u: &mut Unstructured<'_>) -> Result<Request> {
    const FLAGS: [u16; 5] = [
        NLM_F_CREATE | NLM_F_EXCL,
        0,
        NLM_F_CREATE,
        NLM_F_REPLACE,
        NLM_F_CREATE | NLM_F_REPLACE | NLM_F_APPEND,
    ];
    let verb = u.int_in_range(0..=7)?;
    let mut message = match verb {
        0..=2 => another(),
        _ => LinkMessage::default(),
    };
    if message.header.index == 0 {
        message.header.index = *u.choose(&[OTHER_INDEX, LINK_INDEX])?;
    }
    if u.ratio(1, 4)? {
        message.header.change_mask = LinkFlags::from_bits_retain(u.arbitrary()?);
        message.header.flags = LinkFlags::from_bits_retain(u.arbitrary()?);
    }
    for _ in 0..u.int_in_range(0..=3)? {
        message.attributes.push(attribute(u)?);
    }
    Ok(Request {
        flags: *u.choose(&FLAGS)?,
        message: match verb {
            0..=4 => RouteNetlinkMessage::NewLink(message),
            5 | 6 => RouteNetlinkMessage::SetLink(message),
            _ => RouteNetlinkMessage::DelLink(message),
        },
    })
}

/// What makes a second link, as long as nothing is added to it.
fn another() -> LinkMessage {
    let mut message = Macvtap {
        name: TAP2,
        address: TAP2_MAC,
        mode: MacVtapMode::Bridge,
        index: OTHER_INDEX,
        ..Macvtap::default()
    }
    .message_on(LOWER_INDEX);
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    message
}

fn attribute(u: &mut Unstructured<'_>) -> Result<LinkAttribute> {
    Ok(match u.int_in_range(0..=9)? {
        0..=3 => LinkAttribute::LinkInfo(info(u)?),
        4 => LinkAttribute::Link(*u.choose(&[LOWER_INDEX, LINK_INDEX, OTHER_INDEX, 1, 0])?),
        5 => LinkAttribute::TxQueueLen(*u.choose(&[0, 1, 32_767, 32_768, u32::MAX])?),
        6 => LinkAttribute::Mtu(*u.choose(&[0, 68, 1500, 65_535, u32::MAX])?),
        7 => LinkAttribute::Address(bytes(u)?),
        8 => LinkAttribute::IfName((*u.choose(&[TAP2, LOWER, "", "mt-%d", "a/b"])?).into()),
        _ => LinkAttribute::Other(any(70, u)?),
    })
}

fn info(u: &mut Unstructured<'_>) -> Result<Vec<LinkInfo>> {
    let mut info = vec![];
    // Others have the kernel look for modules of such names.
    match u.int_in_range(0..=7)? {
        0 => (),
        1 => info.push(LinkInfo::Kind(InfoKind::MacVlan)),
        _ => info.push(LinkInfo::Kind(InfoKind::MacVtap)),
    }
    match u.int_in_range(0..=7)? {
        0 => (),
        1 => info.push(LinkInfo::Data(InfoData::Other(bytes(u)?))),
        2 => info.push(LinkInfo::Other(any(6, u)?)),
        _ => {
            let attributes = u.int_in_range(0..=3)?;
            let data = (0..attributes).map(|_| own(u)).collect::<Result<_>>()?;
            info.push(LinkInfo::Data(InfoData::MacVtap(data)));
        }
    }
    Ok(info)
}

/// An attribute of macvtap's own: `IFLA_MACVLAN_...`, or the receive filter.
fn own(u: &mut Unstructured<'_>) -> Result<InfoMacVtap> {
    Ok(match u.int_in_range(0..=7)? {
        0..=3 => {
            let mode = 1u32 << u.int_in_range(0..=5)?;
            InfoMacVtap::Mode(MacVtapMode::from(mode))
        }
        4 => InfoMacVtap::BcQueueLen(u.arbitrary()?),
        5 => InfoMacVtap::MacAddrData(vec![InfoMacVtap::MacAddr(TAP2_MAC)]),
        6 => InfoMacVtap::Other(DefaultNla::new(FILTER, filter(u)?)),
        _ => InfoMacVtap::Other(any(12, u)?),
    })
}

/// What is in a receive filter, more or less: lists of addresses, flags, VLANs.
fn filter(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut parts = Vec::new();
    for _ in 0..u.int_in_range(0..=3)? {
        let part = match u.int_in_range(0..=3)? {
            0 => any(5, u)?,
            1 => DefaultNla::new(4, vec![u.arbitrary()?; 512]),
            _ => {
                let mut list = Vec::new();
                for _ in 0..u.int_in_range(0..=2)? {
                    append(&mut list, &any(1, u)?);
                }
                DefaultNla::new(u.int_in_range(2..=3)?, list)
            }
        };
        append(&mut parts, &part);
    }
    Ok(parts)
}

fn append(bytes: &mut Vec<u8>, attribute: &DefaultNla) {
    let start = bytes.len();
    bytes.resize(start + attribute.buffer_len(), 0);
    attribute.emit(&mut bytes[start..]);
}

/// An attribute of a type up to this, of any length.
fn any(largest: u16, u: &mut Unstructured<'_>) -> Result<DefaultNla> {
    Ok(DefaultNla::new(u.int_in_range(0..=largest)?, bytes(u)?))
}

fn bytes(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let length = *u.choose(&[6, 4, 0, 1, 2, 3, 5, 8, 12, 32])?;
    Ok(u.bytes(length)?.to_vec())
}

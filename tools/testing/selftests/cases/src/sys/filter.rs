// SPDX-License-Identifier: GPL-2.0
//! Receive filters as netlink has them: include/uapi/linux/if_macvtap.h.

use std::collections::BTreeSet;

use netlink_packet_core::{DefaultNla, Nla as _};
use netlink_packet_route::link::{InfoMacVtap, LinkMessage};

use super::link::{self, Link, Mac};

pub const NESTED: u16 = 1 << 15;
const FILTER: u16 = 32;
pub const FLAGS: u16 = 1;
pub const UNICAST: u16 = 2;
pub const MULTICAST: u16 = 3;
pub const VLAN: u16 = 4;
pub const ADDRESS: u16 = 1;

/// What the kernel is told of a filter, and tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub flags: u32,
    pub unicast: Vec<Mac>,
    pub multicast: Vec<Mac>,
    pub vlans: BTreeSet<u16>,
}

impl Filter {
    pub fn new(unicast: &[Mac], multicast: &[Mac]) -> Filter {
        Filter {
            unicast: unicast.to_vec(),
            multicast: multicast.to_vec(),
            ..Filter::default()
        }
    }

    pub fn with_flags(flags: u32) -> Filter {
        Filter {
            flags,
            ..Filter::default()
        }
    }

    pub fn with_vlans(vlans: &[u16]) -> Filter {
        Filter {
            vlans: vlans.iter().copied().collect(),
            ..Filter::default()
        }
    }

    pub fn attribute(&self) -> InfoMacVtap {
        let mut bytes = attribute(FLAGS, &self.flags.to_ne_bytes());
        for (kind, list) in [(UNICAST, &self.unicast), (MULTICAST, &self.multicast)] {
            if !list.is_empty() {
                bytes.extend(addresses(kind, list));
            }
        }
        if !self.vlans.is_empty() {
            bytes.extend(attribute(VLAN, &set_of(self.vlans.iter().copied())));
        }
        filter(&bytes)
    }

    /// What the kernel tells of a link.
    pub fn of(link: &Link) -> Option<Filter> {
        Filter::in_message(&link.get().expect("the link"))
    }

    pub fn in_message(message: &LinkMessage) -> Option<Filter> {
        let mut told = link::data(message)
            .iter()
            .filter_map(|attribute| match attribute {
                InfoMacVtap::Other(other) => Some(parse(other)),
                _ => None,
            });
        let filter = told.next();
        assert_eq!(told.next(), None, "nothing else that is unknown");
        filter
    }
}

fn parse(nla: &DefaultNla) -> Filter {
    let mut value = vec![0; nla.value_len()];
    nla.emit_value(&mut value);
    assert_eq!(nla.kind() & !NESTED, FILTER);
    let mut filter = Filter::default();
    for (kind, payload) in attributes(&value) {
        let list = || {
            let address = |(kind, address): (u16, &[u8])| {
                assert_eq!(kind, ADDRESS);
                address.try_into().expect("an address")
            };
            attributes(payload).into_iter().map(address).collect()
        };
        match kind {
            FLAGS => filter.flags = u32::from_ne_bytes(payload.try_into().expect("flags")),
            UNICAST => filter.unicast = list(),
            MULTICAST => filter.multicast = list(),
            VLAN => {
                assert_eq!(payload.len(), 512);
                let is_in = |id: &u16| payload[usize::from(id / 8)] & (1 << (id % 8)) != 0;
                filter.vlans = (0..4096).filter(is_in).collect();
            }
            other => panic!("attribute {other}"),
        }
    }
    filter
}

/// The attributes in these bytes, without their flags.
fn attributes(mut bytes: &[u8]) -> Vec<(u16, &[u8])> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let word = |at| u16::from_ne_bytes([bytes[at], bytes[at + 1]]);
        let (len, kind) = (usize::from(word(0)), word(2) & !NESTED);
        all.push((kind, &bytes[4..len]));
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    all
}

pub fn attribute(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (4 + payload.len() as u16).to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub fn addresses(kind: u16, list: &[Mac]) -> Vec<u8> {
    let entries: Vec<u8> = list
        .iter()
        .flat_map(|address| attribute(ADDRESS, address))
        .collect();
    attribute(kind | NESTED, &entries)
}

pub fn set_of(vlans: impl IntoIterator<Item = u16>) -> [u8; 512] {
    let mut set = [0; 512];
    for id in vlans {
        set[usize::from(id / 8)] |= 1 << (id % 8);
    }
    set
}

pub fn filter(parts: &[u8]) -> InfoMacVtap {
    InfoMacVtap::Other(DefaultNla::new(FILTER | NESTED, parts.to_vec()))
}

pub fn no_filter() -> InfoMacVtap {
    filter(&[])
}

// SPDX-License-Identifier: GPL-2.0

//! The receive filter of a link that has its lower device for itself: what that is to receive,
//! instead of everything.
//!
//! C header: [`include/uapi/linux/if_macvtap.h`](srctree/include/uapi/linux/if_macvtap.h)

use bindings_net as bindings;
use kernel::{
    prelude::*,
    str::CStr, //
};
use kernel_net::{
    compat::eopnotsupp,
    net::{
        device::{
            MacAddress,
            Reception, //
        },
        macvlan::Options,
        netlink::{
            total_size,
            Attribute,
            ExtAck,
            Message, //
        },
    }, //
};

/// Attributes of a filter.
const FLAGS: u16 = bindings::IFLA_MACVTAP_RX_FILTER_FLAGS as u16;
const UNICAST: u16 = bindings::IFLA_MACVTAP_RX_FILTER_UC as u16;
const MULTICAST: u16 = bindings::IFLA_MACVTAP_RX_FILTER_MC as u16;
const VLANS: u16 = bindings::IFLA_MACVTAP_RX_FILTER_VLAN as u16;

/// The attribute of a list of addresses.
const ADDRESS: u16 = bindings::IFLA_MACVTAP_RX_FILTER_ADDR as u16;

/// Size of a set of VLANs, in bytes.
const VLANS_SIZE: usize = bindings::VLAN_N_VID as usize / 8;

const PROMISC: u32 = bindings::net_device_flags_IFF_PROMISC;
const ALLMULTI: u32 = bindings::net_device_flags_IFF_ALLMULTI;

/// A receive filter.
#[derive(Default)]
pub(crate) struct Filter {
    flags: u32,
    /// A bit for each VLAN, or nothing.
    vlans: KVec<u8>,
    receptions: KVec<Reception>,
}

/// Why an attribute is refused.
type Refusal = (Error, &'static CStr);

const NO_MEMORY: Refusal = (ENOMEM, c"No memory for the receive filter");

impl Options for Filter {
    const ATTRIBUTE: u16 = bindings::IFLA_MACVTAP_RX_FILTER as u16;

    fn parse<'a>(
        attribute: Attribute<'a>,
        passthru: bool,
        extack: &ExtAck<'a>,
    ) -> Result<Option<Self>> {
        let refuse = |attribute, (error, message): Refusal| {
            extack.refuse(attribute, message);
            error
        };
        if !passthru {
            let message = c"Only links in mode passthru have a receive filter";
            return Err(refuse(attribute, (eopnotsupp(), message)));
        }
        if attribute.payload().is_empty() {
            return Ok(None);
        }
        let mut filter = Self::default();
        for part in attribute.nested() {
            const LENGTH: Refusal = (
                EINVAL,
                c"Invalid length of an attribute in the receive filter",
            );
            let part = part.map_err(|_| refuse(attribute, LENGTH))?;
            filter.add(part).map_err(|refusal| refuse(part, refusal))?;
        }
        Ok(Some(filter))
    }

    fn is_promiscuous(&self) -> bool {
        self.flags & PROMISC != 0
    }

    fn receptions(&self) -> &[Reception] {
        &self.receptions
    }

    fn size(&self) -> usize {
        const ENTRY: usize = total_size(size_of::<MacAddress>());

        let list = |kind| {
            let entries = self.addresses(kind).map(|_| ENTRY);
            total_size(entries.fold(0, usize::saturating_add))
        };
        let parts = [
            total_size(size_of_val(&self.flags)),
            list(UNICAST),
            list(MULTICAST),
            total_size(self.vlans.len()),
        ];
        total_size(parts.into_iter().fold(0, usize::saturating_add))
    }

    fn fill(&self, message: &mut Message<'_>) -> Result {
        message.nest(Self::ATTRIBUTE, |message| {
            message.put(FLAGS, &self.flags.to_ne_bytes())?;
            for kind in [UNICAST, MULTICAST] {
                if self.addresses(kind).next().is_some() {
                    message.nest(kind, |message| {
                        self.addresses(kind)
                            .try_for_each(|address| message.put(ADDRESS, address))
                    })?;
                }
            }
            if !self.vlans.is_empty() {
                message.put(VLANS, &self.vlans)?;
            }
            Ok(())
        })
    }
}

impl Filter {
    /// Takes over what one attribute says. Of two of a kind, the last one counts.
    fn add(&mut self, part: Attribute<'_>) -> Result<(), Refusal> {
        let kind = part.kind();
        self.receptions
            .retain(|&mut what| attribute_of(what) != kind);
        match kind {
            FLAGS => {
                self.flags = flags(part.payload())?;
                let all = self.flags & ALLMULTI != 0;
                self.want(all.then_some(Reception::AllMulticast))
            }
            UNICAST => addresses(part, is_unicast)
                .try_for_each(|address| self.want([Reception::Unicast(address?)])),
            MULTICAST => addresses(part, is_multicast)
                .try_for_each(|address| self.want([Reception::Multicast(address?)])),
            VLANS => {
                let set = vlans(part.payload())?;
                self.vlans.clear();
                self.vlans
                    .extend_from_slice(set, GFP_KERNEL)
                    .map_err(|_| NO_MEMORY)?;
                self.want(vlan_ids(set).map(Reception::Vlan))
            }
            _ => Err((EINVAL, c"Unknown attribute in the receive filter")),
        }
    }

    fn want(&mut self, all: impl IntoIterator<Item = Reception>) -> Result<(), Refusal> {
        all.into_iter().try_for_each(|what| {
            let pushed = self.receptions.push(what, GFP_KERNEL);
            pushed.map_err(|_| NO_MEMORY)
        })
    }

    /// Returns the addresses in one of the lists.
    fn addresses(&self, kind: u16) -> impl Iterator<Item = &MacAddress> {
        self.receptions.iter().filter_map(move |what| match what {
            Reception::Unicast(address) if kind == UNICAST => Some(address),
            Reception::Multicast(address) if kind == MULTICAST => Some(address),
            _ => None,
        })
    }
}

/// Returns which attribute asks for frames.
fn attribute_of(what: Reception) -> u16 {
    match what {
        Reception::AllMulticast => FLAGS,
        Reception::Unicast(_) => UNICAST,
        Reception::Multicast(_) => MULTICAST,
        Reception::Vlan(_) => VLANS,
    }
}

fn flags(payload: &[u8]) -> Result<u32, Refusal> {
    let flags = payload
        .try_into()
        .map(u32::from_ne_bytes)
        .map_err(|_| (EINVAL, c"The flags of a receive filter have 32 bits"))?;
    if flags & !(PROMISC | ALLMULTI) != 0 {
        return Err((
            EINVAL,
            c"The flags of a receive filter are IFF_PROMISC and IFF_ALLMULTI",
        ));
    }
    Ok(flags)
}

/// Returns the addresses in a list, each of which must be `right`.
fn addresses(
    list: Attribute<'_>,
    right: fn(&MacAddress) -> bool,
) -> impl Iterator<Item = Result<MacAddress, Refusal>> + '_ {
    const MALFORMED: Refusal = (EINVAL, c"Invalid address in the receive filter");

    let mut room = bindings::MACVTAP_RX_FILTER_MAX_ADDRS;
    list.nested().map(move |entry| {
        let entry = entry.map_err(|_| MALFORMED)?;
        let address = entry.payload().try_into().map_err(|_| MALFORMED)?;
        if entry.kind() != ADDRESS || !right(&address) {
            return Err(MALFORMED);
        }
        let too_many = (ENOSPC, c"Too many addresses in the receive filter");
        room = room.checked_sub(1).ok_or(too_many)?;
        Ok(address)
    })
}

fn is_multicast(address: &MacAddress) -> bool {
    let [first, ..] = address;
    first & 1 != 0
}

fn is_unicast(address: &MacAddress) -> bool {
    !is_multicast(address) && *address != MacAddress::default()
}

/// Returns a set of VLANs, if it is one.
fn vlans(set: &[u8]) -> Result<&[u8], Refusal> {
    if set.len() != VLANS_SIZE {
        return Err((EINVAL, c"The VLANs of a receive filter are 4096 bits"));
    }
    // The first and the last one stand for none, and for all.
    if vlan_ids(set).any(|id| id == 0 || id == bindings::VLAN_VID_MASK as u16) {
        return Err((EINVAL, c"VLANs in a receive filter are 1 to 4094"));
    }
    Ok(set)
}

/// Returns the VLANs in a set of them.
fn vlan_ids(set: &[u8]) -> impl Iterator<Item = u16> + '_ {
    (0..bindings::VLAN_N_VID as u16).filter(|&id| {
        let byte = set.get(usize::from(id / 8)).copied().unwrap_or(0);
        byte & (1 << (id % 8)) != 0
    })
}

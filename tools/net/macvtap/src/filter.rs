// SPDX-License-Identifier: GPL-2.0
//! Receive filters, and how they are written in the kernel's interface: the attribute
//! IFLA_MACVTAP_RX_FILTER of include/uapi/linux/if_macvtap.h.

use std::collections::BTreeSet;
use std::fmt;

use netlink_packet_core::{
    parse_u32, DecodeError, DefaultNla, Emitable as _, NlaBuffer, NlasIterator, NLA_F_NESTED,
};
use serde::Serialize;

use crate::mac::Mac;
use crate::vlans::Vlans;

/// Beside macvlan's, in IFLA_INFO_DATA.
pub const IFLA_MACVTAP_RX_FILTER: u16 = 32;

const IFLA_MACVTAP_RX_FILTER_FLAGS: u16 = 1;
const IFLA_MACVTAP_RX_FILTER_UC: u16 = 2;
const IFLA_MACVTAP_RX_FILTER_MC: u16 = 3;
const IFLA_MACVTAP_RX_FILTER_VLAN: u16 = 4;
const IFLA_MACVTAP_RX_FILTER_ADDR: u16 = 1;

const IFF_PROMISC: u32 = libc::IFF_PROMISC as u32;
const IFF_ALLMULTI: u32 = libc::IFF_ALLMULTI as u32;

/// Which frames the lower device is to receive for the link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// All of them.
    pub promisc: bool,
    /// All that are sent to groups.
    pub allmulti: bool,
    /// Those to these stations, beside the link's own address.
    pub unicast: BTreeSet<Mac>,
    /// Those to these groups.
    pub multicast: BTreeSet<Mac>,
    /// Those of these VLANs, beside those of none.
    pub vlans: Vlans,
}

/// The attribute's length is a number of 16 bits.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

impl Filter {
    /// The attribute that sets this filter. It is never empty, since that would remove the one
    /// that there is.
    pub fn attribute(&self) -> Result<DefaultNla, TooLong> {
        let flags = if self.promisc { IFF_PROMISC } else { 0 }
            | if self.allmulti { IFF_ALLMULTI } else { 0 };
        let flags = flags.to_ne_bytes().to_vec();
        let mut parts = vec![DefaultNla::new(IFLA_MACVTAP_RX_FILTER_FLAGS, flags)];
        for (kind, addresses) in [
            (IFLA_MACVTAP_RX_FILTER_UC, &self.unicast),
            (IFLA_MACVTAP_RX_FILTER_MC, &self.multicast),
        ] {
            if !addresses.is_empty() {
                let entries: Vec<DefaultNla> = addresses
                    .iter()
                    .map(|mac| DefaultNla::new(IFLA_MACVTAP_RX_FILTER_ADDR, mac.0.to_vec()))
                    .collect();
                parts.push(nest(kind, &entries)?);
            }
        }
        if !self.vlans.is_empty() {
            let bitmap = self.vlans.bitmap().to_vec();
            parts.push(DefaultNla::new(IFLA_MACVTAP_RX_FILTER_VLAN, bitmap));
        }
        nest(IFLA_MACVTAP_RX_FILTER, &parts)
    }

    /// The attribute that removes the filter.
    pub fn removal() -> DefaultNla {
        DefaultNla::new(IFLA_MACVTAP_RX_FILTER | NLA_F_NESTED, Vec::new())
    }

    /// What the kernel says about a filter, from the attribute's value.
    pub fn from_attribute(value: &[u8]) -> Result<Filter, DecodeError> {
        let mut filter = Filter {
            promisc: false,
            allmulti: false,
            unicast: BTreeSet::new(),
            multicast: BTreeSet::new(),
            vlans: Vlans::NONE,
        };
        for part in NlasIterator::new(value) {
            let part = part?;
            match part.kind() {
                IFLA_MACVTAP_RX_FILTER_FLAGS => {
                    let flags = parse_u32(part.value())?;
                    filter.promisc = flags & IFF_PROMISC != 0;
                    filter.allmulti = flags & IFF_ALLMULTI != 0;
                }
                IFLA_MACVTAP_RX_FILTER_UC => filter.unicast = addresses(&part)?,
                IFLA_MACVTAP_RX_FILTER_MC => filter.multicast = addresses(&part)?,
                IFLA_MACVTAP_RX_FILTER_VLAN => {
                    filter.vlans = Vlans::from_bitmap(part.value())
                        .ok_or("the bitmap of VLANs has another length")?;
                }
                // What a newer driver has to say.
                _ => {}
            }
        }
        Ok(filter)
    }
}

fn nest(kind: u16, parts: &[DefaultNla]) -> Result<DefaultNla, TooLong> {
    let length = parts.iter().map(|part| part.buffer_len()).sum();
    // The length counts the header as well.
    if length > usize::from(u16::MAX) - 4 {
        return Err(TooLong);
    }
    let mut value = vec![0; length];
    parts.emit(&mut value);
    Ok(DefaultNla::new(kind | NLA_F_NESTED, value))
}

fn addresses(list: &NlaBuffer<&[u8]>) -> Result<BTreeSet<Mac>, DecodeError> {
    NlasIterator::new(list.value())
        .map(|entry| {
            let entry = entry?;
            let bytes = entry.value().try_into();
            Ok(Mac(bytes.map_err(|_| {
                DecodeError::invalid_mac_address(entry.value().len())
            })?))
        })
        .collect()
}

/// A line for each part of the filter that there is.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = [(self.promisc, "promisc"), (self.allmulti, "allmulti")];
        let flags: Vec<&str> = flags
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, name)| *name)
            .collect();
        for (name, text) in [
            ("flags", flags.join(", ")),
            ("unicast", list(&self.unicast)),
            ("multicast", list(&self.multicast)),
            ("VLANs", self.vlans.to_string()),
        ] {
            let text = if text.is_empty() { "none" } else { &text };
            writeln!(f, "  {name:<10} {text}")?;
        }
        Ok(())
    }
}

fn list(addresses: &BTreeSet<Mac>) -> String {
    let texts: Vec<String> = addresses.iter().map(Mac::to_string).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use netlink_packet_core::Nla as _;

    const STATION: Mac = Mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    const GROUP: Mac = Mac([1, 0, 0x5e, 0, 0, 1]);

    fn nothing() -> Filter {
        Filter::from_attribute(&[]).unwrap()
    }

    fn all() -> Filter {
        let mut vlans = Vlans::NONE;
        vlans.add(9..=10);
        Filter {
            promisc: true,
            allmulti: true,
            unicast: [STATION].into(),
            multicast: [GROUP].into(),
            vlans,
        }
    }

    fn value_of(attribute: &DefaultNla) -> Vec<u8> {
        let mut value = vec![0; attribute.value_len()];
        attribute.emit_value(&mut value);
        value
    }

    /// A header and what is behind it, in this machine's byte order.
    fn bytes(length: u16, kind: u16, value: &[u8]) -> Vec<u8> {
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
    }

    #[test]
    fn encoded_as_documented() {
        let attribute = all().attribute().unwrap();
        assert_eq!(attribute.kind(), 32 | 0x8000);
        let mut bitmap = [0; 512];
        bitmap[1] = 0b110;
        assert_eq!(
            value_of(&attribute),
            [
                bytes(8, 1, &0x300_u32.to_ne_bytes()),
                bytes(16, 2 | 0x8000, &bytes(10, 1, &STATION.0)),
                // The first entry ends with what fills it up to 4 bytes, so does this one.
                vec![0, 0],
                bytes(16, 3 | 0x8000, &bytes(10, 1, &GROUP.0)),
                vec![0, 0],
                bytes(516, 4, &bitmap),
            ]
            .concat()
        );
    }

    #[test]
    fn a_filter_that_lets_nothing_through_is_no_removal() {
        let attribute = nothing().attribute().unwrap();
        assert_eq!(value_of(&attribute), bytes(8, 1, &0_u32.to_ne_bytes()));
        let removal = Filter::removal();
        assert_eq!((removal.kind(), removal.value_len()), (32 | 0x8000, 0));
    }

    #[test]
    fn decoded_as_encoded() {
        for filter in [nothing(), all()] {
            let value = value_of(&filter.attribute().unwrap());
            assert_eq!(Filter::from_attribute(&value).unwrap(), filter);
        }
    }

    #[test]
    fn each_part_alone() {
        let whole = all();
        for part in [
            Filter {
                promisc: true,
                ..nothing()
            },
            Filter {
                allmulti: true,
                ..nothing()
            },
            Filter {
                unicast: whole.unicast,
                ..nothing()
            },
            Filter {
                multicast: whole.multicast,
                ..nothing()
            },
            Filter {
                vlans: whole.vlans,
                ..nothing()
            },
        ] {
            let value = value_of(&part.attribute().unwrap());
            assert_eq!(Filter::from_attribute(&value).unwrap(), part);
            assert_ne!(part, nothing());
        }
    }

    #[test]
    fn order_and_flags_of_attributes_do_not_matter() {
        let entries = [
            bytes(10, 1, &[2, 0, 0, 0, 0, 9]),
            vec![0, 0],
            bytes(10, 1, &STATION.0),
        ];
        let value = [
            bytes(28, 2, &entries.concat()),
            vec![0, 0],
            bytes(8, 1, &[0; 4]),
        ]
        .concat();
        let filter = Filter::from_attribute(&value).unwrap();
        let wanted: BTreeSet<Mac> = [STATION, Mac([2, 0, 0, 0, 0, 9])].into();
        assert_eq!(
            filter,
            Filter {
                unicast: wanted,
                ..nothing()
            }
        );
    }

    #[test]
    fn what_is_new_is_passed_over() {
        let value = bytes(8, 99, &[1; 4]);
        assert_eq!(Filter::from_attribute(&value).unwrap(), nothing());
    }

    #[test]
    fn malformed_answers() {
        for value in [
            // Cut off, in a header and behind it.
            bytes(8, 1, &[0; 2]),
            vec![8],
            // Flags, an address and a bitmap of another length.
            bytes(6, 1, &[0; 2]),
            bytes(13, 2, &bytes(9, 1, &[0; 5])),
            bytes(8, 4, &[0; 4]),
        ] {
            assert!(Filter::from_attribute(&value).is_err(), "{value:?}");
        }
    }

    #[test]
    fn as_many_addresses_as_fit() {
        let stations = |number: u16| {
            (0..number)
                .map(|i| Mac([2, 0, 0, 0, (i >> 8) as u8, i as u8]))
                .collect()
        };
        // 8 bytes are for the flags and 4 for each header of a nest, 12 for each address.
        let mut filter = nothing();
        filter.unicast = stations(5459);
        let value = value_of(&filter.attribute().unwrap());
        assert_eq!(Filter::from_attribute(&value).unwrap(), filter);
        filter.unicast = stations(5460);
        assert_eq!(filter.attribute(), Err(TooLong));
    }

    #[test]
    fn shown() {
        assert_eq!(
            all().to_string(),
            "  flags      promisc, allmulti
  unicast    52:54:00:12:34:56
  multicast  01:00:5e:00:00:01
  VLANs      9-10
"
        );
        assert_eq!(
            serde_json::to_string(&all()).unwrap(),
            r#"{"promisc":true,"allmulti":true,"unicast":["52:54:00:12:34:56"],"multicast":["01:00:5e:00:00:01"],"vlans":[9,10]}"#
        );
    }
}

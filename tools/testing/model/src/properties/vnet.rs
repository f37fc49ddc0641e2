// SPDX-License-Identifier: GPL-2.0

//! The virtio-net header: what is hostile is refused, and nothing panics.
//!
//! That what is done to a packet is the same as in C is what the module's KUnit suite looks at.

use super::cases;
use crate::{
    queue::{
        Settings,
        VnetFormat, //
    },
    vnet::{
        Endian,
        Header,
        SIZE, //
    },
};
use kernel::{
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
};
use kernel_net::net::{
    gso::GsoKind,
    FlowKeys,
    IpSummed,
    NetDevice,
    SkBuff, //
};
use proptest::prelude::{
    any,
    prop_assert,
    prop_assert_eq,
    prop_oneof,
    proptest,
    Just,
    Strategy, //
};

const NEEDS_CSUM: u8 = 1;
const GSO_ECN: u8 = 0x80;

/// Numbers on an edge of something, and others.
fn number() -> impl Strategy<Value = u16> {
    prop_oneof![
        any::<u16>(),
        0..80u16,
        0x7ff0..0x8010u16,
        0xfff0..=0xffffu16,
    ]
}

fn bytes_of(value: u16, endian: Endian) -> [u8; 2] {
    if endian == Endian::Little {
        value.to_le_bytes()
    } else {
        value.to_be_bytes()
    }
}

/// A header's fields, as C has them.
#[derive(Clone, Debug)]
struct Fields {
    flags: u8,
    gso_type: u8,
    hdr_len: u16,
    gso_size: u16,
    csum_start: u16,
    csum_offset: u16,
}

impl Fields {
    fn bytes(&self, endian: Endian) -> [u8; SIZE] {
        let [h0, h1] = bytes_of(self.hdr_len, endian);
        let [g0, g1] = bytes_of(self.gso_size, endian);
        let [s0, s1] = bytes_of(self.csum_start, endian);
        let [o0, o1] = bytes_of(self.csum_offset, endian);
        [self.flags, self.gso_type, h0, h1, g0, g1, s0, s1, o0, o1]
    }

    fn header(&self) -> Header {
        Header::decode(&self.bytes(Endian::Big), Endian::Big)
    }

    /// The length of the linear part, as `tun_vnet_hdr_get()` has it: an `int` that becomes a
    /// `u16`.
    fn linear_len(&self) -> u16 {
        let mut len = self.hdr_len;
        if self.flags & NEEDS_CSUM != 0 {
            let end = i32::from(self.csum_start) + i32::from(self.csum_offset) + 2;
            len = end.max(i32::from(len)) as u16;
        }
        len
    }
}

/// Headers of which each field may be true of some packet, and any others.
fn fields() -> impl Strategy<Value = Fields> {
    let plausible = (
        0..2u8,
        proptest::sample::select(&[0, 1, 3, 4, 5, 0x81, 0x83, 0x84, 0x85][..]),
        0..80u16,
        proptest::sample::select(&[1, 7, 8, 1448, 0xfffe, 0xffff][..]),
        10..60u16,
        proptest::sample::select(&[6, 16][..]),
    );
    let any = (
        any::<u8>(),
        any::<u8>(),
        number(),
        number(),
        number(),
        number(),
    );
    prop_oneof![3 => plausible, 1 => any].prop_map(
        |(flags, gso_type, hdr_len, gso_size, csum_start, csum_offset)| Fields {
            flags,
            gso_type,
            hdr_len,
            gso_size,
            csum_start,
            csum_offset,
        },
    )
}

fn endian(big: bool) -> Endian {
    if big {
        Endian::Big
    } else {
        Endian::Little
    }
}

/// The size of a header with what follows it, in bytes.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        Just(10),
        Just(12),
        10..24usize,
        10..200usize,
        Just(i32::MAX as usize)
    ]
}

fn flow_keys() -> impl Strategy<Value = Option<FlowKeys>> {
    let n_proto = prop_oneof![Just(0x0800), Just(0x86dd), any::<u16>()];
    let ip_proto = prop_oneof![Just(6), Just(17), any::<u8>()];
    // Also about the end of short packets.
    let transport_offset = prop_oneof![number(), 0..120u16];
    proptest::option::weighted(
        0.8,
        (transport_offset, n_proto, ip_proto).prop_map(|(transport_offset, n_proto, ip_proto)| {
            FlowKeys {
                transport_offset,
                n_proto,
                ip_proto,
            }
        }),
    )
}

/// A packet of which anything may be found out.
fn skb() -> impl Strategy<Value = SkBuff> {
    let len = prop_oneof![
        0..200usize,
        0..3000usize,
        0..70_000usize,
        65_500..65_700usize
    ];
    let protocol = || {
        prop_oneof![
            Just([0, 0]),
            Just([0x08, 0x00]),
            Just([0x86, 0xdd]),
            any::<[u8; 2]>()
        ]
    };
    let ip_summed = prop_oneof![
        Just(IpSummed::None),
        Just(IpSummed::Unnecessary),
        Just(IpSummed::Complete),
        Just(IpSummed::Partial),
    ];
    let gso_kind = proptest::option::of((
        prop_oneof![
            Just(GsoKind::TcpV4),
            Just(GsoKind::TcpV6),
            Just(GsoKind::UdpFragments),
            Just(GsoKind::UdpL4),
        ],
        any::<bool>(),
    ));
    (
        (len, any::<(u16, u16)>(), 0..300usize, any::<(bool, bool)>()),
        (protocol(), protocol(), flow_keys(), flow_keys()),
        (ip_summed, number(), number(), number(), gso_kind),
    )
        .prop_map(
            |(
                (len, (headlen, pullable), headroom, (cloned, tagged)),
                (protocol, parsed_protocol, for_ipv6, for_others),
                (ip_summed, csum_start, csum_offset, gso_size, gso_kind),
            )| {
                let headlen = len.min(usize::from(headlen));
                SkBuff {
                    len,
                    headlen,
                    // No memory, in one case of four.
                    pullable: if pullable % 4 == 0 {
                        len.min(usize::from(pullable)).max(headlen)
                    } else {
                        len
                    },
                    headroom,
                    protocol,
                    parsed_protocol,
                    flow_keys: [for_ipv6, for_others],
                    ip_summed,
                    csum_start,
                    csum_offset,
                    gso_size,
                    gso_kind,
                    vlan_tag: tagged.then_some([0x81, 0, 0, 5]),
                    cloned,
                    ..SkBuff::of_flow(0, None)
                }
            },
        )
}

/// Checks what was applied to a packet that had no segmentation.
fn check_applied(fields: &Fields, before: &SkBuff, skb: &SkBuff) {
    assert_eq!(skb.len, before.len);
    let kind = match fields.gso_type & !GSO_ECN {
        _ if fields.gso_type == 0 => None,
        1 => Some(GsoKind::TcpV4),
        3 => Some(GsoKind::UdpFragments),
        4 => Some(GsoKind::TcpV6),
        5 => Some(GsoKind::UdpL4),
        other => panic!("type {other} was not refused"),
    };
    let transport_len = match kind {
        None => 0,
        Some(GsoKind::TcpV4 | GsoKind::TcpV6) => 20,
        Some(GsoKind::UdpFragments | GsoKind::UdpL4) => 8,
    };
    if fields.flags & NEEDS_CSUM != 0 {
        assert_eq!(skb.ip_summed, IpSummed::Partial);
        assert_eq!(skb.csum_start, fields.csum_start);
        assert_eq!(skb.csum_offset, fields.csum_offset);
        let end = usize::from(skb.csum_start) + usize::from(skb.csum_offset) + 2;
        assert!(end <= skb.headlen, "the checksum is not in the linear part");
        let network_len = if kind == Some(GsoKind::TcpV6) { 40 } else { 20 };
        assert!(
            skb.transport >= network_len,
            "no room for the network header"
        );
    }
    if let Some(kind) = kind {
        assert_ne!(fields.gso_size, 0);
        let payload = skb.transport as usize + transport_len;
        assert!(
            payload <= skb.headlen,
            "the headers are not in the linear part"
        );
        if skb.gso_size == 0 {
            // A packet of one segment.
            let udp_header = if kind == GsoKind::UdpFragments { 8 } else { 0 };
            let least = if transport_len == 20 { 8 } else { 1 };
            assert!(skb.len - payload + udp_header <= usize::from(fields.gso_size.max(least)));
        } else {
            let ecn = fields.gso_type & GSO_ECN != 0;
            assert_eq!(skb.gso_kind, Some((kind, ecn)));
            assert!(skb.gso_size >= fields.gso_size);
            assert_ne!(skb.gso_size, 0xffff, "this is another number");
            assert!(!skb.cloned);
        }
        if kind == GsoKind::UdpL4 {
            assert_eq!(fields.flags & NEEDS_CSUM, NEEDS_CSUM);
            assert_eq!(skb.csum_offset, 6);
            assert!(skb.len - payload <= 128 * usize::from(fields.gso_size));
        }
    } else {
        assert_eq!(skb.gso_size, 0);
    }
}

fn in_memory(header: [u16; SIZE / 2]) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    for (bytes, half) in bytes.chunks_exact_mut(2).zip(header) {
        bytes.copy_from_slice(&half.to_ne_bytes());
    }
    bytes
}

proptest! {
    #![proptest_config(cases(10000))]

    #[test]
    fn decoding_and_encoding_are_inverses(bytes: [u8; SIZE], big: bool) {
        let endian = endian(big);
        prop_assert!(in_memory(Header::decode(&bytes, endian).encode(endian)) == bytes);
    }

    #[test]
    fn byte_orders_differ_in_nothing_but_order(fields in fields()) {
        let little = Header::decode(&fields.bytes(Endian::Little), Endian::Little);
        prop_assert!(little == fields.header());
        prop_assert_eq!(little.linear_len(), fields.linear_len());
        prop_assert!(in_memory(little.encode(Endian::Big)) == fields.bytes(Endian::Big));
    }

    /// As `tun_vnet_hdr_get()`.
    #[test]
    fn headers_are_read_as_in_c(
        fields in fields(),
        rest in proptest::collection::vec(any::<u8>(), 0..250),
        cut in 0..260usize,
        good in 0..260usize,
        size in size(),
        big: bool,
    ) {
        let format = VnetFormat { size, endian: endian(big) };
        let mut bytes = fields.bytes(format.endian).to_vec();
        bytes.extend(rest);
        bytes.truncate(cut);
        let mut from = IovIterSource::new(&bytes, good);
        let header = Header::read(&mut from, format);

        let linear_len = fields.linear_len();
        if bytes.len() < format.size {
            prop_assert!(header.err() == Some(EINVAL));
        } else if good < SIZE {
            prop_assert!(header.err() == Some(EFAULT));
        } else if usize::from(linear_len) > bytes.len() - SIZE {
            prop_assert!(header.err() == Some(EINVAL));
        } else {
            prop_assert!(header == Ok((fields.header(), linear_len)));
            prop_assert_eq!(from.len(), bytes.len() - format.size);
        }
    }

    /// As `tun_vnet_hdr_put()`.
    #[test]
    fn headers_are_written_as_in_c(
        fields in fields(),
        room in 0..250usize,
        good in 0..250usize,
        size in size(),
        big: bool,
    ) {
        let format = VnetFormat { size, endian: endian(big) };
        let mut bytes = vec![0x55; room];
        let mut to = IovIterDest::new(&mut bytes, good);
        let result = fields.header().write(&mut to, format);
        let left = to.len();

        if room < format.size {
            prop_assert_eq!(result, Err(EINVAL));
        } else if good < format.size {
            prop_assert_eq!(result, Err(EFAULT));
        } else {
            prop_assert_eq!(result, Ok(()));
            prop_assert_eq!(left, room - format.size);
            prop_assert!(bytes[..SIZE] == fields.bytes(format.endian));
            prop_assert!(bytes[SIZE..format.size].iter().all(|&byte| byte == 0));
            prop_assert!(bytes[format.size..].iter().all(|&byte| byte == 0x55));
        }
    }

    #[test]
    fn nothing_hostile_is_applied(fields in fields(), before in skb()) {
        let before = SkBuff { gso_size: 0, gso_kind: None, ..before };
        let mut skb = before.clone();
        let result = fields.header().apply(&mut skb, &NetDevice::new());
        if result.is_ok() {
            check_applied(&fields, &before, &skb);
        } else {
            prop_assert_eq!(skb.gso_size, 0);
        }
    }

    /// As `virtio_net_hdr_from_skb()`.
    #[test]
    fn packets_are_described_as_in_c(skb in skb()) {
        let mut fields = Fields {
            flags: 0,
            gso_type: 0,
            hdr_len: 0,
            gso_size: 0,
            csum_start: 0,
            csum_offset: 0,
        };
        let mut known = true;
        if skb.gso_size != 0 {
            fields.hdr_len = skb.headlen as u16;
            fields.gso_size = skb.gso_size;
            fields.gso_type = match skb.gso_kind {
                Some((GsoKind::TcpV4, _)) => 1,
                Some((GsoKind::TcpV6, _)) => 4,
                Some((GsoKind::UdpL4, _)) => 5,
                Some((GsoKind::UdpFragments, _)) | None => {
                    known = false;
                    0
                }
            };
            if let Some((_, true)) = skb.gso_kind {
                fields.gso_type |= GSO_ECN;
            }
        }
        if skb.ip_summed == IpSummed::Partial {
            fields.flags = NEEDS_CSUM;
            let tag_len = if skb.vlan_tag.is_some() { 4 } else { 0 };
            fields.csum_start = skb.csum_start.wrapping_add(tag_len);
            fields.csum_offset = skb.csum_offset;
        } else if skb.ip_summed == IpSummed::Unnecessary {
            fields.flags = 2;
        }
        let header = Header::of(&skb);
        if known {
            prop_assert!(header == Ok(fields.header()));
        } else {
            prop_assert!(header.err() == Some(EINVAL));
        }
    }

    #[test]
    fn sizes_are_refused_as_in_c(size: i32) {
        let settings = Settings::new();
        let result = settings.set_vnet_hdr_size(size);
        prop_assert_eq!(result, if size < 10 { Err(EINVAL) } else { Ok(()) });
        let format = settings.vnet_format().unwrap();
        prop_assert_eq!(format.size, if size < 10 { 10 } else { size as usize });
    }
}

/// Whatever the order in which they were asked for, as `tun_vnet_is_little_endian()`.
#[test]
fn byte_order_is_that_of_c() {
    for le in [false, true] {
        for be in [false, true] {
            let settings = Settings::new();
            settings.set_vnet_le(le);
            let supported = settings.set_vnet_be(be).is_ok();
            assert_eq!(supported, cfg!(CONFIG_TUN_VNET_CROSS_LE));
            let legacy = cfg!(target_endian = "little") && !(supported && be);
            let little = settings.vnet_format().unwrap().endian == Endian::Little;
            assert_eq!(little, le || legacy);
        }
    }
}

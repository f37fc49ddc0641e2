// SPDX-License-Identifier: GPL-2.0

//! The virtio-net header, compared with the functions of C.

use super::{
    frame::{
        Frame,
        TCP,
        UDP, //
    },
    random::Random,
};
use crate::{
    queue::{
        Settings,
        VnetFormat, //
    },
    vnet::{
        Endian,
        Header, //
    },
};
use bindings_net as bindings;
use kernel::prelude::*;
use kernel_net::{
    kunit::{
        loopback,
        with_dest,
        with_source, //
    },
    net::{
        tun_vnet,
        Offload, //
    },
};

const CASES: u64 = 5_000;

/// Numbers that are on an edge of something.
const EDGES: [u16; 22] = [
    0, 1, 2, 6, 7, 8, 13, 14, 16, 20, 33, 34, 35, 53, 54, 58, 0x7fff, 0x8000, 0xfff0, 0xfffd,
    0xfffe, 0xffff,
];

/// Returns what a queue wants before each frame, and its flags in C.
fn format(random: &mut Random) -> Result<(VnetFormat, u32)> {
    let settings = Settings::new();
    let longer = 24 + random.below(40) as i32;
    let size = random.pick(&[10, 12, 24, longer]);
    let mut flags = 0;
    settings.set_vnet_hdr_size(size)?;
    if random.one_in(2) {
        settings.set_vnet_le(true);
        flags |= tun_vnet::LE;
    }
    if random.one_in(2) {
        // Refused by kernels that cannot do it, where C ignores the flag.
        let _ = settings.set_vnet_be(true);
        flags |= tun_vnet::BE;
    }
    Ok((settings.vnet_format().ok_or(EINVAL)?, flags))
}

fn bytes_of(value: u16, endian: Endian) -> [u8; 2] {
    if endian == Endian::Little {
        value.to_le_bytes()
    } else {
        value.to_be_bytes()
    }
}

fn in_memory(header: [u16; 5]) -> tun_vnet::Bytes {
    let mut bytes = tun_vnet::Bytes::default();
    for (bytes, half) in bytes.chunks_exact_mut(2).zip(header) {
        bytes.copy_from_slice(&half.to_ne_bytes());
    }
    bytes
}

fn number(random: &mut Random) -> u16 {
    match random.below(3) {
        0 => random.next() as u16,
        1 => random.below(64) as u16,
        _ => random.pick(&EDGES),
    }
}

/// A header with anything in it.
fn any_header(random: &mut Random, endian: Endian) -> tun_vnet::Bytes {
    let mut header = tun_vnet::Bytes::default();
    header[0] = random.pick(&[0, 1, 1, 2, 3, 0xff]);
    header[1] = random.next() as u8;
    for field in header[2..].chunks_exact_mut(2) {
        field.copy_from_slice(&bytes_of(number(random), endian));
    }
    header
}

/// A header that suits a frame; half of them but for a field or two.
fn header_for(frame: &Frame, random: &mut Random, endian: Endian) -> tun_vnet::Bytes {
    let gso_type = match (frame.ip_proto, frame.is_v6) {
        (TCP, false) => bindings::VIRTIO_NET_HDR_GSO_TCPV4,
        (TCP, true) => bindings::VIRTIO_NET_HDR_GSO_TCPV6,
        _ => random.pick(&[
            bindings::VIRTIO_NET_HDR_GSO_UDP,
            bindings::VIRTIO_NET_HDR_GSO_UDP_L4,
        ]),
    };
    let mut bytes = [
        u8::from(!random.one_in(3)),
        if random.one_in(4) { 0 } else { gso_type as u8 },
    ];
    let mut numbers = [
        0,
        random.pick(&[1, 7, 8, 9, 100, 1448]),
        frame.transport as u16,
        if frame.ip_proto == UDP { 6 } else { 16 },
    ];
    if random.one_in(2) {
        for _ in 0..=random.below(2) {
            match random.below(6) {
                0 => bytes[0] = random.pick(&[0, 1, 2, 3, 4, 0xff]),
                1 => bytes[1] = random.pick(&[0, 1, 2, 3, 4, 5, 6, 0x20, 0x21, 0x80, 0x81, 0x85]),
                at => numbers[at - 2] = number(random),
            }
        }
    }
    let mut header = tun_vnet::Bytes::default();
    header[..2].copy_from_slice(&bytes);
    for (field, number) in header[2..].chunks_exact_mut(2).zip(numbers) {
        field.copy_from_slice(&bytes_of(number, endian));
    }
    header
}

/// What came of all cases together.
#[derive(Default)]
struct Tally {
    /// Those in which C did something else.
    differ: u32,
    /// Those that were refused.
    refused: u32,
    /// Those that were not, by kind of segmentation.
    accepted: [u32; 8],
}

impl Tally {
    /// Counts a case.
    fn add<T: PartialEq + core::fmt::Debug>(
        &mut self,
        case: u64,
        gso_type: u8,
        here: Result<T>,
        in_c: Result<T>,
    ) {
        if here != in_c {
            pr_err!("case {case}: {here:?}, in C {in_c:?}\n");
            self.differ += 1;
        } else if here.is_err() {
            self.refused += 1;
        } else {
            self.accepted[usize::from(gso_type & 7)] += 1;
        }
    }
}

/// Reads a header of which there may be too little.
fn read(case: u64, tally: &mut Tally) -> Result {
    let mut random = Random::new(case);
    let (format, flags) = format(&mut random)?;
    let header = any_header(&mut random, format.endian);
    let mut bytes = [0x55; 128];
    bytes[..header.len()].copy_from_slice(&header);
    let bytes = &bytes[..random.below(bytes.len() + 1)];

    // What is in the header, how much is to be linear, and what is left.
    let here = with_source(bytes, |from| {
        let (header, linear) = Header::read(from, format)?;
        let mut bytes = in_memory(header.encode(format.endian));
        // C puts this into the header.
        bytes[2..4].copy_from_slice(&bytes_of(linear, format.endian));
        Ok((bytes, usize::from(linear), from.len()))
    });
    let in_c = with_source(bytes, |from| {
        let (header, linear) = tun_vnet::hdr_get(format.size as i32, flags, from)?;
        Ok((header, linear, from.len()))
    });
    tally.add(case, 0, here, in_c);
    Ok(())
}

/// Writes a header to where there may be too little room.
fn write(case: u64, tally: &mut Tally) -> Result {
    let mut random = Random::new(case);
    let (format, _) = format(&mut random)?;
    let header = any_header(&mut random, format.endian);
    let room = random.below(80);
    let (mut here, mut in_c) = ([0x55; 80], [0x55; 80]);

    let result_here = with_dest(&mut here[..room], |to| {
        Header::decode(&header, format.endian).write(to, format)?;
        Ok(to.len())
    });
    let result_in_c = with_dest(&mut in_c[..room], |to| {
        tun_vnet::hdr_put(format.size as i32, to, header)?;
        Ok(to.len())
    });
    tally.add(
        case,
        0,
        result_here.map(|left| (left, here)),
        result_in_c.map(|left| (left, in_c)),
    );
    Ok(())
}

/// Applies a header to a packet.
fn apply(case: u64, tally: &mut Tally) -> Result {
    let mut random = Random::new(case);
    let (format, flags) = format(&mut random)?;
    let frame = Frame::generate(&mut random)?;
    let header = header_for(&frame, &mut random, format.endian);

    let mut skb = frame.to_skb()?;
    let applied = Header::decode(&header, format.endian).apply(&mut skb, loopback());
    let snapshot = skb.snapshot();
    skb.consume();
    let here = (applied, snapshot?);

    let mut skb = frame.to_skb()?;
    let applied = tun_vnet::hdr_to_skb(flags, &mut skb, loopback(), header);
    let snapshot = skb.snapshot();
    skb.consume();
    let in_c = (applied, snapshot?);

    // A packet that was refused is dropped, whatever has become of it.
    tally.add(
        case,
        header[1],
        here.0.map(|()| here.1),
        in_c.0.map(|()| in_c.1),
    );
    Ok(())
}

/// Makes the header of a packet.
fn describe(case: u64, tally: &mut Tally) -> Result {
    const GSO_TYPES: [u32; 5] = [
        bindings::SKB_GSO_TCPV4,
        bindings::SKB_GSO_TCPV6,
        bindings::SKB_GSO_UDP_L4,
        bindings::SKB_GSO_UDP,
        0,
    ];
    const MORE: [u32; 4] = [
        0,
        bindings::SKB_GSO_DODGY,
        bindings::SKB_GSO_TCP_ECN,
        bindings::SKB_GSO_TCP_ECN | bindings::SKB_GSO_DODGY,
    ];
    let mut random = Random::new(case);
    let (format, flags) = format(&mut random)?;
    let frame = Frame::generate(&mut random)?;
    let offload = Offload {
        gso_type: random.pick(&GSO_TYPES) | random.pick(&MORE),
        gso_size: if random.one_in(4) {
            0
        } else {
            number(&mut random)
        },
        ip_summed: random.below(4) as u8,
        csum_start: number(&mut random),
        csum_offset: number(&mut random),
        vlan_tag: random.one_in(3),
    };

    let mut skb = frame.to_skb()?;
    skb.set_offload(&offload);
    let here = Header::of(&skb).map(|header| in_memory(header.encode(format.endian)));
    let in_c = tun_vnet::hdr_from_skb(flags, &skb, loopback());
    skb.consume();
    let kind = in_c.map_or(0, |header| header[1]);
    tally.add(case, kind, here, in_c);
    Ok(())
}

/// Runs all cases.
fn run(case: fn(u64, &mut Tally) -> Result) -> Result<Tally> {
    let mut tally = Tally::default();
    for seed in 0..CASES {
        case(seed, &mut tally)?;
        if tally.differ == 10 {
            break;
        }
    }
    Ok(tally)
}

/// A kind of case that there are fewer of was not tested.
const ENOUGH: u32 = CASES as u32 / 100;

#[kunit_tests(tap_vnet)]
mod suite {
    use super::*;

    #[test]
    fn headers_are_read_as_by_c() -> Result {
        let tally = run(read)?;
        assert_eq!(tally.differ, 0);
        assert!(tally.refused > ENOUGH);
        assert!(tally.accepted[0] > ENOUGH);
        Ok(())
    }

    #[test]
    fn headers_are_written_as_by_c() -> Result {
        let tally = run(write)?;
        assert_eq!(tally.differ, 0);
        assert!(tally.refused > ENOUGH);
        assert!(tally.accepted[0] > ENOUGH);
        Ok(())
    }

    #[test]
    fn headers_are_applied_as_by_c() -> Result {
        let tally = run(apply)?;
        assert_eq!(tally.differ, 0);
        assert!(tally.refused > ENOUGH);
        // No segmentation, TCP, UDP fragments, TCP over IPv6, UDP.
        for kind in [0, 1, 3, 4, 5] {
            assert!(tally.accepted[kind] > ENOUGH);
        }
        Ok(())
    }

    #[test]
    fn packets_are_described_as_by_c() -> Result {
        let tally = run(describe)?;
        assert_eq!(tally.differ, 0);
        assert!(tally.refused > ENOUGH);
        // No segmentation, TCP, TCP over IPv6, UDP.
        for kind in [0, 1, 4, 5] {
            assert!(tally.accepted[kind] > ENOUGH);
        }
        Ok(())
    }
}

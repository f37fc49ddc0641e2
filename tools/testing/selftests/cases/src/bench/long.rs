// SPDX-License-Identifier: GPL-2.0
//! Packets of 64 KiB, passed whole or segmented by the tap.

use super::meter::Meter;
use super::segment::Segment;
use crate::frame::{Packet, Protocol};
use crate::sys::link::OTHER_MAC;
use crate::sys::tap::Tap;
use crate::vnet;

/// As large as can be with IPv4 and TCP's options, in whole segments.
const SEGMENT: usize = 1448;
const SEGMENTS: usize = 45;

const OFFLOADS: u32 =
    libc::TUN_F_CSUM | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_USO4 | libc::TUN_F_USO6;

const BURST: usize = 2;

const PROTOCOLS: [(&str, Protocol); 4] = [
    ("TCPv4", Protocol::Tcp4),
    ("TCPv6", Protocol::Tcp6),
    ("UDPv4", Protocol::Udp4),
    ("UDPv6", Protocol::Udp6),
];

pub fn measure(meter: &mut Meter) {
    for (name, protocol) in PROTOCOLS {
        let always = protocol == Protocol::Tcp4;
        whole(meter, name, protocol, always);
        segmented(meter, name, protocol, always);
    }
}

fn incoming(protocol: Protocol) -> Vec<u8> {
    let packet = Packet::incoming(protocol, SEGMENTS * SEGMENT);
    let (header, frame) = packet.build_gso(SEGMENT as u16);
    header.with(&frame)
}

fn whole(meter: &mut Meter, name: &str, protocol: Protocol, always: bool) {
    let [inject, read, write] =
        ["inject", "read", "write"].map(|path| format!("{path} 64 KiB {name}, whole"));
    if !meter.wants_any(&[&inject, &read, &write], always) {
        return;
    }
    let segment = Segment::new();
    let tap = Tap::open(&segment.link);
    tap.set_offload(OFFLOADS).expect("TUNSETOFFLOAD");
    let bytes = incoming(protocol);
    let packet = Packet {
        destination: OTHER_MAC,
        ..Packet::outgoing(protocol, SEGMENTS * SEGMENT)
    };
    let (header, frame) = packet.build_gso(SEGMENT as u16);
    let outgoing = header.with(&frame);
    let mut buffer = vec![0; bytes.len()];
    for _ in 0..meter.rounds() {
        meter.repeat(&inject, BURST, || {
            segment.inject(&bytes);
        });
        meter.repeat(&read, BURST, || {
            assert_eq!(tap.read(&mut buffer), Ok(bytes.len()));
        });
        meter.repeat(&write, BURST, || {
            assert_eq!(tap.write(&outgoing), Ok(outgoing.len()));
        });
    }
    tap.assert_empty();
}

/// A pass reads all of its segments.
fn segmented(meter: &mut Meter, name: &str, protocol: Protocol, always: bool) {
    let [inject, read] = ["inject", "read"].map(|path| format!("{path} 64 KiB {name}, segmented"));
    if !meter.wants_any(&[&inject, &read], always) {
        return;
    }
    let segment = Segment::new();
    let tap = Tap::open(&segment.link);
    tap.set_offload(0).expect("TUNSETOFFLOAD");
    let bytes = incoming(protocol);
    let headers = bytes.len() - vnet::SIZE - SEGMENTS * SEGMENT;
    let length = vnet::SIZE + headers + SEGMENT;
    let mut buffer = vec![0; bytes.len()];
    for _ in 0..meter.rounds() {
        meter.repeat(&inject, BURST, || {
            segment.inject(&bytes);
        });
        meter.repeat(&read, BURST, || {
            for _ in 0..SEGMENTS {
                assert_eq!(tap.read(&mut buffer), Ok(length));
            }
        });
    }
    tap.assert_empty();
}

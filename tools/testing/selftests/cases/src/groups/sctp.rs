// SPDX-License-Identifier: GPL-2.0
//! SCTP's checksum, a CRC, which its senders leave to the lower device as well.

use std::net::Ipv4Addr;

use crate::driver::Driver;
use crate::frame::ETHERNET_HEADER;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::link::TAP_MAC;
use crate::sys::sctp;
use crate::sys::tap::Tap;
use crate::vnet;

const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const GUEST: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

const IPV4_HEADER: usize = 20;
/// Where the CRC stands in an SCTP packet.
const CRC: usize = 8;

pub fn cases(driver: Driver) -> Vec<Case> {
    let as_it_was = !driver.has_our_tap();
    let case = |name: &str, prepare: fn(&Tap), receive: fn(&Tap) -> (u8, Vec<u8>), left: u8| {
        Case::new(name, move || {
            let wire = Wire::new();
            let tap = Tap::open(&wire.link);
            prepare(&tap);
            let (flags, frame) = first_packet(&wire, &tap, receive);
            if as_it_was {
                assert_eq!(flags, left);
                assert!(!has_crc(&frame), "C computes the wrong checksum, if any");
            } else {
                assert_eq!(flags, 0);
                assert!(has_crc(&frame));
            }
        })
    };
    vec![
        case(
            "computed for a reader with checksum offload",
            |tap| tap.set_offload(libc::TUN_F_CSUM).expect("TUNSETOFFLOAD"),
            with_header,
            vnet::F_NEEDS_CSUM,
        ),
        case(
            "computed for a reader without offload",
            |tap| tap.set_offload(0).expect("TUNSETOFFLOAD"),
            with_header,
            0,
        ),
        case(
            "computed for a reader without header",
            Tap::set_bare,
            |tap| (0, tap.receive()),
            0,
        ),
    ]
}

fn with_header(tap: &Tap) -> (u8, Vec<u8>) {
    let (header, frame) = tap.receive_frame();
    (header.flags, frame)
}

/// What a host sends that connects to the guest.
fn first_packet(wire: &Wire, tap: &Tap, receive: fn(&Tap) -> (u8, Vec<u8>)) -> (u8, Vec<u8>) {
    wire.peer_link.add_address(PEER, 24);
    wire.peer_link.add_neighbour(GUEST, TAP_MAC);
    let _socket = sctp::connect(GUEST);
    receive(tap)
}

fn has_crc(frame: &[u8]) -> bool {
    let packet = &frame[ETHERNET_HEADER + IPV4_HEADER..];
    let (start, rest) = packet.split_at(CRC);
    let (crc, rest) = rest.split_at(4);
    let parts = [start, &[0; 4], rest].concat();
    crc32c::crc32c(&parts).to_le_bytes() == *crc
}

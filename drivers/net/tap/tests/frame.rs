// SPDX-License-Identifier: GPL-2.0

//! Ethernet frames with TCP, UDP or something else in them, half of them damaged.

use super::random::Random;
use kernel::prelude::*;
use kernel_net::net::SkBuff;

pub(super) const ETH_HLEN: usize = 14;

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

pub(super) struct Frame {
    bytes: KVec<u8>,
    /// How much of it is in a packet's linear part, in bytes.
    linear: usize,
    /// The space before it in a packet, in bytes.
    headroom: usize,
    pub(super) is_v6: bool,
    pub(super) ip_proto: u8,
    /// Where the transport header was before there was any damage, in bytes.
    pub(super) transport: usize,
}

impl Frame {
    pub(super) fn generate(random: &mut Random) -> Result<Self> {
        let is_v6 = random.one_in(2);
        let ip_proto = random.pick(&[TCP, TCP, UDP, UDP, 1]);
        let payload_len = random.pick(&[0, 1, 7, 8, 9, 100, 1448, 3000]) + random.below(4);
        let header: &[u8] = match ip_proto {
            // The data offset.
            TCP => &[
                0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0,
            ],
            _ => &[0, 1, 0, 2, 0, 8, 0, 0],
        };

        let mut bytes = KVec::new();
        bytes.extend_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], GFP_KERNEL)?;
        for _ in 0..random.pick(&[0, 0, 0, 0, 1, 2]) {
            let proto = random.pick(&[[0x81, 0x00], [0x88, 0xa8]]);
            bytes.extend_from_slice(&[proto[0], proto[1], 0, 5], GFP_KERNEL)?;
        }
        let ethertype = match random.below(8) {
            // The kernel is to guess.
            0 => [0, 0],
            _ if is_v6 => [0x86, 0xdd],
            _ => [0x08, 0x00],
        };
        bytes.extend_from_slice(&ethertype, GFP_KERNEL)?;
        let len = header.len() + payload_len;
        if is_v6 {
            let [len0, len1] = (len as u16).to_be_bytes();
            bytes.extend_from_slice(&[0x60, 0, 0, 0, len0, len1, ip_proto, 64], GFP_KERNEL)?;
            bytes.resize(bytes.len() + 32, 1, GFP_KERNEL)?;
        } else {
            let [len0, len1] = (20 + len as u16).to_be_bytes();
            bytes.extend_from_slice(
                &[
                    0x45, 0, len0, len1, 0, 1, 0, 0, 64, ip_proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
                ],
                GFP_KERNEL,
            )?;
        }
        let network = bytes.len() - if is_v6 { 40 } else { 20 };
        match (random.below(16), is_v6) {
            // Options, some of which are the headers that follow.
            (0..4, false) => bytes[network] = 0x40 | random.below(16) as u8,
            // Fragments.
            (4, false) => bytes[network + 6] = random.pick(&[0x20, 0x40, 0x80, 0x01]),
            (4, true) => bytes[network + 6] = 44,
            // Extension headers, tunnels, and others.
            (5, false) => bytes[network + 9] = random.pick(&[1, 2, 4, 41, 47, 51, 58, 132]),
            (5, true) => bytes[network + 6] = random.pick(&[0, 4, 41, 43, 47, 51, 58, 60, 132]),
            _ => {}
        }
        let transport = bytes.len();
        bytes.extend_from_slice(header, GFP_KERNEL)?;
        for _ in 0..payload_len {
            bytes.push(random.next() as u8, GFP_KERNEL)?;
        }

        if random.one_in(4) {
            bytes.truncate(ETH_HLEN + random.below(bytes.len() - ETH_HLEN));
        }
        if random.one_in(4) {
            // Headers only: nobody looks at the payload.
            let at = random.below(bytes.len().min(80));
            bytes[at] = random.next() as u8;
        }
        let paged = bytes.len() - ETH_HLEN;
        let linear = match random.below(3) {
            0 => bytes.len(),
            1 => ETH_HLEN + random.below(paged + 1),
            _ => ETH_HLEN + random.below(paged.min(64) + 1),
        };
        Ok(Self {
            bytes,
            linear,
            headroom: random.pick(&[0, 2, 64, 66]),
            is_v6,
            ip_proto,
            transport,
        })
    }

    /// Makes a packet as one that was just written.
    pub(super) fn to_skb(&self) -> Result<SkBuff> {
        let (linear, paged) = self.bytes.split_at(self.linear);
        let mut skb = SkBuff::for_test(self.headroom, linear, paged)?;
        // There is one, or this would fail.
        let _ = skb.set_ethernet_header();
        Ok(skb)
    }
}

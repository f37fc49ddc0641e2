// SPDX-License-Identifier: GPL-2.0

//! Where a packet's transport header is.
//!
//! Unsafe: calls the flow dissector, and asks whether the device's namespace has one of its own.
//!
//! C header: [`include/net/flow_dissector.h`](srctree/include/net/flow_dissector.h)

use super::{
    NetDevice,
    SkBuff,
    NO_HEADER,
    VLAN_HLEN, //
};
use bindings_net as bindings;
use core::ptr;
use kernel::sync::rcu;

/// What the flow dissector found out about a packet (`struct flow_keys_basic`).
#[derive(Clone, Copy)]
pub struct FlowKeys {
    /// Offset of the transport header, in bytes from the start of the packet.
    pub transport_offset: u16,
    /// The network protocol, an Ethernet type.
    pub n_proto: u16,
    /// The transport protocol, an IP protocol number.
    pub ip_proto: u8,
}

impl SkBuff {
    /// Finds the transport header, if it is not known yet (`skb_probe_transport_header()`), as
    /// `device` would.
    #[inline(always)]
    pub fn probe_transport_header(&mut self, device: &NetDevice, rcu: &rcu::Guard) {
        if self.headers().transport_header != NO_HEADER {
            return;
        }
        let offset = match self.plain_transport_offset() {
            Some(offset) if !has_flow_programs(device, rcu) => offset,
            _ => match self.flow_keys(device) {
                Some(keys) => keys.transport_offset,
                None => return,
            },
        };
        // C keeps 16 bits of it as well.
        let offset = (self.headroom() as u16).wrapping_add(offset);
        self.headers_mut().transport_header = offset;
    }

    /// Returns where the flow dissector would find the transport header of a packet that has no
    /// more than Ethernet, a VLAN tag and IP before it, in bytes from the start of the packet.
    ///
    /// That is nearly every packet, and the flow dissector takes ten times as long for it. `None`
    /// for all others.
    #[inline(always)]
    fn plain_transport_offset(&self) -> Option<u16> {
        if self.vlan_tag().is_some() {
            return None;
        }
        let network = usize::from(self.headers().network_header).checked_sub(self.headroom())?;
        let headers_len = headers_len(self.protocol(), self.linear().get(network..)?)?;
        // Options are not looked at, and need not be there.
        let offset = network.checked_add(headers_len)?.min(self.len());
        u16::try_from(offset).ok()
    }

    /// Lets the flow dissector of `device` look at the packet
    /// (`skb_flow_dissect_flow_keys_basic()`).
    #[inline(never)]
    pub fn flow_keys(&mut self, device: &NetDevice) -> Option<FlowKeys> {
        let mut keys: bindings::flow_keys_basic = pin_init::zeroed();
        let found = self.with_device(device, |skb| {
            // SAFETY: By the type invariants, the packet is valid. `keys` is a local variable, and
            // what this dissector fills in; it does not change.
            unsafe {
                bindings::__skb_flow_dissect(
                    ptr::null(),
                    skb,
                    &raw mut bindings::flow_keys_basic_dissector,
                    (&raw mut keys).cast(),
                    ptr::null(),
                    0,
                    0,
                    0,
                    0,
                )
            }
        });
        found.then(|| FlowKeys {
            transport_offset: keys.control.thoff,
            n_proto: u16::from_be(keys.basic.n_proto),
            ip_proto: keys.basic.ip_proto,
        })
    }
}

/// Returns the length of an IP header that the header of TCP, UDP or ICMP follows, with a VLAN tag
/// if there is one before it, in bytes.
///
/// `None` for anything else: fragments, extension headers, tunnels, what is damaged.
#[inline(always)]
fn headers_len(protocol: [u8; 2], packet: &[u8]) -> Option<usize> {
    const ETH_P_8021Q: u32 = bindings::ETH_P_8021Q;
    const ETH_P_8021AD: u32 = bindings::ETH_P_8021AD;

    match u32::from(u16::from_be_bytes(protocol)) {
        ETH_P_8021Q | ETH_P_8021AD => {
            // The protocol of the tag comes before this, and in it that of what follows.
            let (&[_, _, inner0, inner1], packet) = packet.split_first_chunk::<VLAN_HLEN>()?;
            ip_header_len([inner0, inner1], packet)?.checked_add(VLAN_HLEN)
        }
        _ => ip_header_len(protocol, packet),
    }
}

#[inline(always)]
fn ip_header_len(protocol: [u8; 2], packet: &[u8]) -> Option<usize> {
    const ETH_P_IP: u32 = bindings::ETH_P_IP;
    const ETH_P_IPV6: u32 = bindings::ETH_P_IPV6;
    // More fragments to come, and the offset of this one.
    const FRAGMENT: u16 = 0x3fff;

    let (len, ip_proto) = match u32::from(u16::from_be_bytes(protocol)) {
        ETH_P_IP => {
            let header = packet.first_chunk::<20>()?;
            let len = usize::from(header[0] & 0xf).wrapping_mul(4);
            if len < header.len() || u16::from_be_bytes([header[6], header[7]]) & FRAGMENT != 0 {
                return None;
            }
            (len, header[9])
        }
        ETH_P_IPV6 => {
            let header = packet.first_chunk::<40>()?;
            (header.len(), header[6])
        }
        _ => return None,
    };
    matches!(
        u32::from(ip_proto),
        bindings::IPPROTO_TCP
            | bindings::IPPROTO_UDP
            | bindings::IPPROTO_ICMP
            | bindings::IPPROTO_ICMPV6
    )
    .then_some(len)
}

/// Returns whether a program in BPF takes the place of the flow dissector, in the device's network
/// namespace or in all of them.
#[inline(always)]
fn has_flow_programs(device: &NetDevice, _rcu: &rcu::Guard) -> bool {
    // SAFETY: The device is valid. A namespace that it was in is not freed before the end of the RCU
    // read-side critical section.
    unsafe { bindings::dev_has_flow_programs(device.as_raw()) }
}

// SPDX-License-Identifier: GPL-2.0

//! Packets: what is known of them, and none of their bytes.

use super::{
    gso::GsoKind,
    NetDevice, //
};
use kernel::{
    prelude::*,
    transmute::AsBytes, //
};

/// Who has verified, or will compute, the checksum of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IpSummed {
    None,
    Unnecessary,
    Complete,
    Partial,
}

/// What the flow dissector found out about a packet.
#[derive(Clone, Copy, Debug)]
pub struct FlowKeys {
    pub transport_offset: u16,
    pub n_proto: u16,
    pub ip_proto: u8,
}

/// A packet, by what functions find out about it, which need not fit together: nobody knows what
/// they make of a hostile one.
#[derive(Clone, Debug)]
pub struct SkBuff {
    pub len: usize,
    /// The length of the linear part.
    pub headlen: usize,
    /// How much can be made linear: less than all if there is no memory.
    pub pullable: usize,
    /// The space before the packet.
    pub headroom: usize,
    pub hash: u32,
    pub rx_queue: Option<u16>,
    pub protocol: [u8; 2],
    /// What the link-layer header says.
    pub parsed_protocol: [u8; 2],
    /// What the flow dissector finds, for the protocol of IPv6 and for any other.
    pub flow_keys: [Option<FlowKeys>; 2],
    pub transport: isize,
    pub ip_summed: IpSummed,
    pub csum_start: u16,
    pub csum_offset: u16,
    pub gso_size: u16,
    pub gso_kind: Option<(GsoKind, bool)>,
    pub vlan_tag: Option<[u8; 4]>,
    pub cloned: bool,
}

impl SkBuff {
    /// A packet of which only the flow is looked at.
    pub fn of_flow(hash: u32, rx_queue: Option<u16>) -> Self {
        Self {
            len: 0,
            headlen: 0,
            pullable: 0,
            headroom: 0,
            hash,
            rx_queue,
            protocol: [0; 2],
            parsed_protocol: [0; 2],
            flow_keys: [None; 2],
            transport: 0,
            ip_summed: IpSummed::None,
            csum_start: 0,
            csum_offset: 0,
            gso_size: 0,
            gso_kind: None,
            vlan_tag: None,
            cloned: false,
        }
    }

    pub fn hash(&mut self) -> u32 {
        self.hash
    }

    pub fn rx_queue(&self) -> Option<u16> {
        self.rx_queue
    }

    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn headlen(&self) -> usize {
        self.headlen
    }

    pub fn may_pull(&mut self, len: usize) -> bool {
        if len <= self.headlen {
            return true;
        }
        if len > self.len.min(self.pullable) {
            return false;
        }
        self.headlen = len;
        true
    }

    pub fn protocol(&self) -> [u8; 2] {
        self.protocol
    }

    pub fn set_protocol(&mut self, protocol: [u8; 2]) {
        self.protocol = protocol;
    }

    pub fn parse_header_protocol(&mut self, _device: &NetDevice) -> [u8; 2] {
        self.parsed_protocol
    }

    pub fn flow_keys(&mut self, _device: &NetDevice) -> Option<FlowKeys> {
        let ipv6 = (bindings_net::ETH_P_IPV6 as u16).to_be_bytes();
        self.flow_keys[usize::from(self.protocol != ipv6)]
    }

    pub fn set_transport_header(&mut self, offset: usize) -> Result {
        if offset > self.headlen || self.headroom + offset > usize::from(u16::MAX) {
            return Err(EINVAL);
        }
        self.transport = offset as isize;
        Ok(())
    }

    pub fn transport_offset(&self) -> isize {
        self.transport
    }

    pub fn ip_summed(&self) -> IpSummed {
        self.ip_summed
    }

    pub fn csum_start(&self) -> u16 {
        self.csum_start
    }

    pub fn csum_offset(&self) -> u16 {
        self.csum_offset
    }

    /// As `skb_partial_csum_set()`.
    pub fn partial_csum_set(&mut self, start: u16, offset: u16) -> bool {
        let end = usize::from(start) + usize::from(offset) + 2;
        let start_in_buffer = self.headroom + usize::from(start);
        if start_in_buffer >= usize::from(u16::MAX) || end > self.headlen {
            return false;
        }
        self.ip_summed = IpSummed::Partial;
        self.csum_start = start;
        self.csum_offset = offset;
        self.transport = start as isize;
        true
    }

    pub fn vlan_tag(&self) -> Option<[u8; 4]> {
        self.vlan_tag
    }

    /// The bytes are not kept.
    pub fn with_prefix<T: AsBytes + Copy, R>(
        &mut self,
        _value: &T,
        f: impl FnOnce(&SkBuff) -> R,
    ) -> Option<R> {
        let len = size_of::<T>();
        if self.cloned || self.headroom < len {
            return None;
        }
        let mut longer = self.clone();
        longer.headroom -= len;
        longer.headlen += len;
        longer.len += len;
        Some(f(&longer))
    }

    pub fn gso_size(&self) -> Option<u16> {
        (self.gso_size != 0).then_some(self.gso_size)
    }

    pub fn gso_kind(&self) -> Option<(GsoKind, bool)> {
        self.gso_kind
    }

    pub fn set_gso(&mut self, kind: GsoKind, ecn: bool, size: u16) -> Result {
        if self.cloned {
            return Err(EBUSY);
        }
        self.gso_size = size;
        self.gso_kind = Some((kind, ecn));
        Ok(())
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The virtio-net header, and what it means for a packet.
//!
//! C headers: [`include/uapi/linux/virtio_net.h`](srctree/include/uapi/linux/virtio_net.h),
//! [`include/linux/virtio_net.h`](srctree/include/linux/virtio_net.h)

use crate::queue::VnetFormat;
use bindings_net as bindings;
use kernel::{
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*, //
};
use kernel_net::{
    iov::{
        DestExt,
        SourceExt, //
    },
    net::{
        gso::GsoKind,
        IpSummed,
        NetDevice,
        SkBuff, //
    },
};

/// A byte order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endian {
    Little,
    Big,
}

impl Endian {
    #[inline]
    fn decode(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    #[inline]
    fn encode(self, value: u16) -> [u8; 2] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }
}

/// Size of the part of the header that is used (`struct virtio_net_hdr`), in bytes.
pub(crate) const SIZE: usize = size_of::<bindings::virtio_net_hdr>();

/// Size of the header with the number of buffers, which is zero here (`struct
/// virtio_net_hdr_mrg_rxbuf`), in bytes.
const SIZE_PADDED: usize = size_of::<bindings::virtio_net_hdr>() + size_of::<u16>();

/// A decoded virtio-net header. Nothing in it is checked.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Header {
    flags: u8,
    gso_type: u8,
    hdr_len: u16,
    gso_size: u16,
    csum_start: u16,
    csum_offset: u16,
}

/// What the checksum of a TCP or UDP header is from the start of that, in bytes.
const TCP_CHECK: u16 = 16;
const UDP_CHECK: u16 = 6;

/// Sizes of headers without options, in bytes.
const IPV4_HEADER: usize = 20;
const IPV6_HEADER: usize = 40;
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;

const NEEDS_CSUM: u8 = bindings::VIRTIO_NET_HDR_F_NEEDS_CSUM as u8;
const DATA_VALID: u8 = bindings::VIRTIO_NET_HDR_F_DATA_VALID as u8;
const GSO_NONE: u8 = bindings::VIRTIO_NET_HDR_GSO_NONE as u8;
const GSO_TCPV4: u8 = bindings::VIRTIO_NET_HDR_GSO_TCPV4 as u8;
const GSO_UDP: u8 = bindings::VIRTIO_NET_HDR_GSO_UDP as u8;
const GSO_TCPV6: u8 = bindings::VIRTIO_NET_HDR_GSO_TCPV6 as u8;
const GSO_UDP_L4: u8 = bindings::VIRTIO_NET_HDR_GSO_UDP_L4 as u8;
const GSO_ECN: u8 = bindings::VIRTIO_NET_HDR_GSO_ECN as u8;

impl Header {
    /// Decodes a header.
    #[inline]
    pub(crate) fn decode(bytes: &[u8; SIZE], endian: Endian) -> Self {
        let &[flags, gso_type, h0, h1, g0, g1, s0, s1, o0, o1] = bytes;
        Self {
            flags,
            gso_type,
            hdr_len: endian.decode([h0, h1]),
            gso_size: endian.decode([g0, g1]),
            csum_start: endian.decode([s0, s1]),
            csum_offset: endian.decode([o0, o1]),
        }
    }

    /// Encodes the header, as it lies in memory: two bytes at a time, which takes half of the
    /// instructions.
    #[inline]
    pub(crate) fn encode(&self, endian: Endian) -> [u16; SIZE / 2] {
        let encode = |value| u16::from_ne_bytes(endian.encode(value));
        [
            u16::from_ne_bytes([self.flags, self.gso_type]),
            encode(self.hdr_len),
            encode(self.gso_size),
            encode(self.csum_start),
            encode(self.csum_offset),
        ]
    }

    /// Reads the header of a frame from user space (`tun_vnet_hdr_get()`). Returns its
    /// [`linear_len`](Self::linear_len) as well.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is less than a header, or less than it wants in the linear part; `EFAULT`
    /// if the source cannot be read.
    #[inline]
    pub(crate) fn read(from: &mut IovIterSource<'_>, format: VnetFormat) -> Result<(Self, u16)> {
        if from.len() < format.size {
            return Err(EINVAL);
        }
        let mut bytes = [0; SIZE];
        from.read_exact(&mut bytes)?;
        let header = Self::decode(&bytes, format.endian);
        // As in C, the rest of a longer header counts here.
        let linear = header.linear_len();
        if usize::from(linear) > from.len() {
            return Err(EINVAL);
        }
        // Never less: see `Settings::set_vnet_hdr_size`.
        let rest = format.size.saturating_sub(SIZE);
        if rest != 0 {
            from.advance(rest);
        }
        Ok((header, linear))
    }

    /// Writes the header of a frame to user space (`tun_vnet_hdr_put()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no room for it, `EFAULT` if the destination cannot be written.
    #[inline(always)]
    pub(crate) fn write(&self, to: &mut IovIterDest<'_>, format: VnetFormat) -> Result {
        if to.len() < format.size {
            return Err(EINVAL);
        }
        let [a, b, c, d, e] = self.encode(format.endian);
        // With what most have behind it, if they have more.
        if format.size < SIZE_PADDED {
            to.write_value(&[a, b, c, d, e])?;
            to.write_zeroes(format.size.saturating_sub(SIZE))
        } else {
            to.write_value(&[a, b, c, d, e, 0])?;
            to.write_zeroes(format.size.saturating_sub(SIZE_PADDED))
        }
    }

    /// Calls `f` with the header before the packet. `None` if there is no space for it, or it is
    /// none of those that most have: longer than with the number of buffers.
    #[inline(always)]
    pub(crate) fn with_header<R>(
        &self,
        skb: &mut SkBuff,
        format: VnetFormat,
        f: impl FnOnce(&SkBuff) -> R,
    ) -> Option<R> {
        let [a, b, c, d, e] = self.encode(format.endian);
        match format.size {
            SIZE => skb.with_prefix(&[a, b, c, d, e], f),
            SIZE_PADDED => skb.with_prefix(&[a, b, c, d, e, 0], f),
            _ => None,
        }
    }

    /// Returns how many bytes the sender wants in the linear part: those of all headers, as far
    /// as a partial checksum reaches.
    #[inline]
    pub(crate) fn linear_len(&self) -> u16 {
        if self.flags & NEEDS_CSUM == 0 {
            return self.hdr_len;
        }
        #[expect(clippy::arithmetic_side_effects, reason = "a sum of 16-bit numbers")]
        let checksum_end = u32::from(self.csum_start) + u32::from(self.csum_offset) + 2;
        // CAST: C keeps 16 bits of it as well. It is a wish, not a promise: what the checksum needs
        // is checked later.
        checksum_end.max(self.hdr_len.into()) as u16
    }

    /// Describes a packet that goes to user space (`virtio_net_hdr_from_skb()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` for a kind of segmentation that the header cannot express.
    #[inline]
    pub(crate) fn of(skb: &SkBuff) -> Result<Self> {
        let mut header = Self::default();
        if let Some(gso_size) = skb.gso_size() {
            let (kind, ecn) = skb.gso_kind().ok_or(EINVAL)?;
            // A hint how much is to be linear. CAST: C keeps 16 bits of it as well.
            header.hdr_len = skb.headlen() as u16;
            header.gso_size = gso_size;
            header.gso_type = match kind {
                GsoKind::TcpV4 => GSO_TCPV4,
                GsoKind::TcpV6 => GSO_TCPV6,
                GsoKind::UdpL4 => GSO_UDP_L4,
                GsoKind::UdpFragments => return Err(EINVAL),
            };
            if ecn {
                header.gso_type |= GSO_ECN;
            }
        }
        match skb.ip_summed() {
            IpSummed::Partial => {
                header.flags = NEEDS_CSUM;
                // The tag that is put back stands before it.
                let tag_len = skb.vlan_tag().map_or(0, |_| bindings::VLAN_HLEN as u16);
                header.csum_start = skb.csum_start().wrapping_add(tag_len);
                header.csum_offset = skb.csum_offset();
            }
            IpSummed::Unnecessary => header.flags = DATA_VALID,
            IpSummed::None | IpSummed::Complete => {}
        }
        Ok(header)
    }

    /// Applies the header to a packet that comes from user space (`virtio_net_hdr_to_skb()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` if what the header says cannot be true of the packet; those of
    /// [`SkBuff::set_gso`].
    #[inline(always)]
    pub(crate) fn apply(&self, skb: &mut SkBuff, device: &NetDevice) -> Result {
        if self.flags & NEEDS_CSUM == 0 && self.gso_type == GSO_NONE {
            return Ok(());
        }
        self.apply_offloads(skb, device)
    }

    #[inline(always)]
    fn apply_offloads(&self, skb: &mut SkBuff, device: &NetDevice) -> Result {
        let kind = self.gso_kind()?;
        // Where the payload starts, which only matters for segmentation.
        let mut payload = 0;

        if self.flags & NEEDS_CSUM != 0 {
            payload = self.apply_csum(skb, kind)?;
        } else if let Some(kind) = kind {
            payload = find_transport(skb, device, kind)?;
        }
        match kind {
            Some(kind) => self.apply_gso(skb, kind, payload),
            None => Ok(()),
        }
    }

    /// Returns how the packet is to be segmented, if it is.
    #[inline(always)]
    fn gso_kind(&self) -> Result<Option<GsoKind>> {
        if self.gso_type == GSO_NONE {
            return Ok(None);
        }
        let kind = match self.gso_type & !GSO_ECN {
            GSO_TCPV4 => GsoKind::TcpV4,
            GSO_TCPV6 => GsoKind::TcpV6,
            GSO_UDP => GsoKind::UdpFragments,
            GSO_UDP_L4 => GsoKind::UdpL4,
            _ => return Err(EINVAL),
        };
        if self.gso_size == 0 {
            return Err(EINVAL);
        }
        Ok(Some(kind))
    }

    #[inline(always)]
    fn has_ecn(&self) -> bool {
        self.gso_type & GSO_ECN != 0
    }

    /// Sets up a partial checksum, and returns where the payload starts, in bytes.
    #[inline(always)]
    fn apply_csum(&self, skb: &mut SkBuff, kind: Option<GsoKind>) -> Result<usize> {
        let transport_len = kind.map_or(0, transport_len);
        let start = usize::from(self.csum_start);
        #[expect(clippy::arithmetic_side_effects, reason = "a sum of 16-bit numbers")]
        let needed = start + transport_len.max(usize::from(self.csum_offset) + 2);
        if !skb.may_pull(needed) || !skb.partial_csum_set(self.csum_start, self.csum_offset) {
            return Err(EINVAL);
        }
        let network_len = match kind {
            Some(GsoKind::TcpV6) => IPV6_HEADER,
            _ => IPV4_HEADER,
        };
        let transport = usize::try_from(skb.transport_offset()).map_err(|_| EINVAL)?;
        if transport < network_len {
            return Err(EINVAL);
        }
        #[expect(
            clippy::arithmetic_side_effects,
            reason = "an `isize` and a small number"
        )]
        let payload = transport + transport_len;
        if !skb.may_pull(payload) {
            return Err(EINVAL);
        }
        Ok(payload)
    }

    /// Sets up segmentation.
    #[inline(always)]
    fn apply_gso(&self, skb: &mut SkBuff, kind: GsoKind, payload: usize) -> Result {
        let mut size = self.gso_size;
        let mut payload = payload;
        // OVERFLOW: All that comes before the payload is there: it is in the linear part.
        let payload_len = |payload| skb.len().wrapping_sub(payload);
        match kind {
            // The UDP header may be a part of the first fragment.
            //
            // OVERFLOW: The payload starts behind that header.
            GsoKind::UdpFragments => payload = payload.wrapping_sub(UDP_HEADER),
            GsoKind::UdpL4 => {
                #[expect(
                    clippy::arithmetic_side_effects,
                    reason = "a product of 16-bit numbers"
                )]
                let max = usize::from(size) * bindings::UDP_MAX_SEGMENTS as usize;
                if self.flags & NEEDS_CSUM == 0
                    || skb.csum_offset() != UDP_CHECK
                    || payload_len(payload) > max
                    || self.has_ecn()
                {
                    return Err(EINVAL);
                }
            }
            GsoKind::TcpV4 | GsoKind::TcpV6 => {
                if skb.ip_summed() == IpSummed::Partial && skb.csum_offset() != TCP_CHECK {
                    return Err(EINVAL);
                }
                size = size.max(bindings::TCP_MIN_GSO_SIZE as u16);
            }
        }
        // This number stands for something else in the kernel.
        if u32::from(size) == bindings::GSO_BY_FRAGS {
            return Err(EINVAL);
        }
        // A packet that fits into one segment needs no segmentation.
        if payload_len(payload) > usize::from(size) {
            skb.set_gso(kind, self.has_ecn(), size)?;
        }
        Ok(())
    }
}

/// Returns the length of the transport header without options, in bytes.
#[inline]
fn transport_len(kind: GsoKind) -> usize {
    match kind {
        GsoKind::TcpV4 | GsoKind::TcpV6 => TCP_HEADER,
        GsoKind::UdpFragments | GsoKind::UdpL4 => UDP_HEADER,
    }
}

/// Returns the protocol of IP.
fn ip_proto(kind: GsoKind) -> u8 {
    match kind {
        GsoKind::TcpV4 | GsoKind::TcpV6 => bindings::IPPROTO_TCP as u8,
        GsoKind::UdpFragments | GsoKind::UdpL4 => bindings::IPPROTO_UDP as u8,
    }
}

/// Returns whether packets of a kind come with a network protocol, an Ethernet type.
fn comes_with(kind: GsoKind, protocol: u16) -> bool {
    match kind {
        GsoKind::TcpV4 => protocol == ETH_P_IP,
        GsoKind::TcpV6 => protocol == ETH_P_IPV6,
        GsoKind::UdpFragments | GsoKind::UdpL4 => protocol == ETH_P_IP || protocol == ETH_P_IPV6,
    }
}

const ETH_P_IP: u16 = bindings::ETH_P_IP as u16;
const ETH_P_IPV6: u16 = bindings::ETH_P_IPV6 as u16;

/// Finds the transport header of a packet that is to be segmented and whose header does not tell
/// it by a checksum. Returns where the payload starts, in bytes.
fn find_transport(skb: &mut SkBuff, device: &NetDevice, kind: GsoKind) -> Result<usize> {
    if skb.protocol() == [0, 0] {
        let mut protocol = skb.parse_header_protocol(device);
        if protocol == [0, 0] {
            protocol = match kind {
                GsoKind::TcpV6 => ETH_P_IPV6,
                _ => ETH_P_IP,
            }
            .to_be_bytes();
        }
        skb.set_protocol(protocol);
    }
    let keys = match skb.flow_keys(device) {
        Some(keys) => keys,
        // UDP fragmentation does not tell which IP it is: that was a guess above.
        None if kind == GsoKind::UdpFragments && skb.protocol() == ETH_P_IP.to_be_bytes() => {
            skb.set_protocol(ETH_P_IPV6.to_be_bytes());
            skb.flow_keys(device).ok_or(EINVAL)?
        }
        None => return Err(EINVAL),
    };
    let transport = usize::from(keys.transport_offset);
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a 16-bit and a small number"
    )]
    let payload = transport + transport_len(kind);
    if !skb.may_pull(payload) || keys.ip_proto != ip_proto(kind) || !comes_with(kind, keys.n_proto)
    {
        return Err(EINVAL);
    }
    skb.set_transport_header(transport)?;
    Ok(payload)
}

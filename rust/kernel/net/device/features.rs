// SPDX-License-Identifier: GPL-2.0

//! Features of network devices.
//!
//! C header: [`include/linux/netdev_features.h`](srctree/include/linux/netdev_features.h)

use bindings_net as bindings;

/// What a device or a receiver can do with packets (`netdev_features_t`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Features(u64);

impl Features {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything, as a mask.
    pub const ALL: Self = Self(u64::MAX);
    /// Scatter/gather.
    pub const SG: Self = Self(bindings::NETIF_F_SG);
    /// Packets with a list of fragments.
    pub const FRAGLIST: Self = Self(bindings::NETIF_F_FRAGLIST);
    /// Packets in any memory.
    pub const HIGHDMA: Self = Self(bindings::NETIF_F_HIGHDMA);
    /// Generic segmentation.
    pub const GSO: Self = Self(bindings::NETIF_F_GSO);
    /// All features that are about what a packet is segmented into.
    pub const GSO_MASK: Self = Self(bindings::NETIF_F_GSO_MASK);
    /// Segmentation by a device of what software has made ready for it.
    pub const GSO_PARTIAL: Self = Self(bindings::NETIF_F_GSO_PARTIAL);
    /// Generic receive offload.
    pub const GRO: Self = Self(bindings::NETIF_F_GRO);
    /// Checksums of any protocol.
    pub const HW_CSUM: Self = Self(bindings::NETIF_F_HW_CSUM);
    /// All features that have to do with checksums.
    pub const CSUM_MASK: Self = Self(bindings::NETIF_F_CSUM_MASK);
    /// TCP segmentation over IPv4.
    pub const TSO: Self = Self(bindings::NETIF_F_TSO);
    /// TCP segmentation over IPv6.
    pub const TSO6: Self = Self(bindings::NETIF_F_TSO6);
    /// TCP segmentation with ECN.
    pub const TSO_ECN: Self = Self(bindings::NETIF_F_TSO_ECN);
    /// UDP segmentation.
    pub const GSO_UDP_L4: Self = Self(bindings::NETIF_F_GSO_UDP_L4);

    /// Creates features from `netdev_features_t` bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the `netdev_features_t` bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Returns these features and `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns these features less `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns whether all of `other` are among these features.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns whether any of `other` is among these features.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

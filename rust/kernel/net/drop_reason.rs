// SPDX-License-Identifier: GPL-2.0

//! Why a packet is dropped.
//!
//! C header: [`include/net/dropreason-core.h`](srctree/include/net/dropreason-core.h)

use bindings_net as bindings;

/// Why a packet is dropped, as tracing and `dropwatch` show it (`enum skb_drop_reason`).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum DropReason {
    /// No reason is known (`SKB_DROP_REASON_NOT_SPECIFIED`).
    NotSpecified = bindings::skb_drop_reason_SKB_DROP_REASON_NOT_SPECIFIED,
    /// The receive ring is full.
    FullRing = bindings::skb_drop_reason_SKB_DROP_REASON_FULL_RING,
    /// The checksum could not be computed.
    SkbCsum = bindings::skb_drop_reason_SKB_DROP_REASON_SKB_CSUM,
    /// Segmentation failed.
    SkbGsoSeg = bindings::skb_drop_reason_SKB_DROP_REASON_SKB_GSO_SEG,
    /// Reading the packet from user space, or writing it there, failed.
    SkbUcopyFault = bindings::skb_drop_reason_SKB_DROP_REASON_SKB_UCOPY_FAULT,
    /// The header that describes the packet is malformed.
    DevHdr = bindings::skb_drop_reason_SKB_DROP_REASON_DEV_HDR,
    /// The device is gone, or not ready yet.
    DevReady = bindings::skb_drop_reason_SKB_DROP_REASON_DEV_READY,
}

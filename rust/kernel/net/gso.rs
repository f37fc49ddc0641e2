// SPDX-License-Identifier: GPL-2.0

//! Generic segmentation offload.
//!
//! Unsafe: a list of packets that C has linked, and fields behind a packet's buffer.
//!
//! C header: [`include/net/gso.h`](srctree/include/net/gso.h)

use super::{
    device::Features,
    DropReason,
    SkBuff, //
};
use bindings_net as bindings;
use core::ptr;
use kernel::{
    error::from_err_ptr,
    prelude::*, //
};

/// What a packet is segmented into.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GsoKind {
    /// TCP segments over IPv4.
    TcpV4,
    /// TCP segments over IPv6.
    TcpV6,
    /// IP fragments of one UDP datagram.
    UdpFragments,
    /// UDP datagrams.
    UdpL4,
}

impl GsoKind {
    /// Converts `SKB_GSO_*` bits to the kind and whether ECN's CWR is set.
    pub(super) fn from_raw(raw: u32) -> Option<(Self, bool)> {
        let kind = if raw & bindings::SKB_GSO_TCPV4 != 0 {
            Self::TcpV4
        } else if raw & bindings::SKB_GSO_TCPV6 != 0 {
            Self::TcpV6
        } else if raw & bindings::SKB_GSO_UDP_L4 != 0 {
            Self::UdpL4
        } else {
            return None;
        };
        Some((kind, raw & bindings::SKB_GSO_TCP_ECN != 0))
    }

    /// Converts the kind to `SKB_GSO_*` bits.
    pub(super) fn to_raw(self, ecn: bool) -> u32 {
        let kind = match self {
            Self::TcpV4 => bindings::SKB_GSO_TCPV4,
            Self::TcpV6 => bindings::SKB_GSO_TCPV6,
            Self::UdpFragments => bindings::SKB_GSO_UDP,
            Self::UdpL4 => bindings::SKB_GSO_UDP_L4,
        };
        if ecn {
            kind | bindings::SKB_GSO_TCP_ECN
        } else {
            kind
        }
    }
}

/// What came of segmenting a packet.
pub enum Segmented {
    /// It can be left whole after all.
    Whole(SkBuff),
    /// Its segments.
    Segments(Segments),
}

impl SkBuff {
    /// Returns whether a receiver with `features` needs the packet segmented
    /// (`netif_needs_gso()`).
    #[inline]
    pub fn needs_gso(&self, features: Features) -> bool {
        if self.gso_size().is_none() {
            return false;
        }
        // SAFETY: By the type invariants, the packet is valid.
        unsafe { bindings::netif_needs_gso(self.as_raw(), features.bits()) }
    }

    /// Returns whether a receiver with `features` can take a packet that is to be segmented as it
    /// is (`net_gso_ok()`), be it from a trusted source or not.
    #[inline]
    pub fn gso_ok(&self, features: Features) -> bool {
        // SAFETY: By the type invariants, the shared info is valid.
        let kind = unsafe { (*self.shinfo()).gso_type } & !bindings::SKB_GSO_DODGY;
        let needed = Features::from_bits(u64::from(kind) << bindings::NETIF_F_GSO_SHIFT);
        features.contains(needed)
    }

    /// Segments a packet that was received, for a receiver with `features`
    /// (`__skb_gso_segment()`).
    ///
    /// # Errors
    ///
    /// The packet itself if it cannot be segmented.
    pub fn segment(self, features: Features) -> Result<Segmented, SkBuff> {
        // What can be left to the packet's device is none of the receiver's business, and there
        // may be no device.
        let features = features.without(Features::GSO_PARTIAL);
        // SAFETY: By the type invariants, the packet is valid and may be changed.
        let segments =
            unsafe { bindings::__skb_gso_segment(self.as_raw(), features.bits(), false) };
        match from_err_ptr(segments) {
            Err(_) => Err(self),
            Ok(first) if first.is_null() => Ok(Segmented::Whole(self)),
            Ok(first) => {
                self.consume();
                // INVARIANT: This is what `__skb_gso_segment()` returns.
                Ok(Segmented::Segments(Segments { first }))
            }
        }
    }
}

/// The segments of a packet, in order.
///
/// # Invariants
///
/// `first` is null or the first packet of a valid list, linked by `next`, that this owns.
#[must_use]
pub struct Segments {
    first: *mut bindings::sk_buff,
}

impl Segments {
    #[inline(always)]
    fn pop(&mut self) -> Option<SkBuff> {
        let first = self.first;
        if first.is_null() {
            return None;
        }
        // SAFETY: By the type invariants, the packet is valid; outside of queues, `next` is the
        // member of the union that is in use.
        let next = unsafe { &mut (*first).__bindgen_anon_1.__bindgen_anon_1.next };
        // INVARIANT: The rest of the list.
        self.first = core::mem::replace(next, ptr::null_mut());
        // SAFETY: The list owned the packet, and does so no more.
        Some(unsafe { SkBuff::from_raw(first) })
    }

    /// Delivers the segments until `deliver` gives one back. Returns that one and the rest.
    #[inline(always)]
    pub fn deliver(mut self, mut deliver: impl FnMut(SkBuff) -> Result<(), SkBuff>) -> Self {
        while let Some(segment) = self.pop() {
            if let Err(segment) = deliver(segment) {
                self.put_back(segment);
                break;
            }
        }
        self
    }

    /// Makes a segment the first one again.
    #[cold]
    fn put_back(&mut self, segment: SkBuff) {
        let segment = segment.into_raw();
        // SAFETY: The packet was owned by the caller, and is valid; outside of queues, `next` is the
        // member of the union that is in use.
        unsafe { (*segment).__bindgen_anon_1.__bindgen_anon_1.next = self.first };
        // INVARIANT: The list owns the packet again.
        self.first = segment;
    }

    /// Drops the segments, and returns how many there were.
    #[inline]
    pub fn drop_reason(mut self, reason: DropReason) -> usize {
        let mut dropped = 0_usize;
        while let Some(segment) = self.pop() {
            segment.drop_reason(reason);
            dropped = dropped.saturating_add(1);
        }
        dropped
    }
}

impl Drop for Segments {
    #[inline]
    fn drop(&mut self) {
        while let Some(segment) = self.pop() {
            segment.drop_reason(DropReason::NotSpecified);
        }
    }
}

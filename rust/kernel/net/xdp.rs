// SPDX-License-Identifier: GPL-2.0

//! Packets that are no `sk_buff` yet.
//!
//! Unsafe: a frame is pointers into a page fragment that C code has filled.
//!
//! C header: [`include/net/xdp.h`](srctree/include/net/xdp.h)

use super::SkBuff;
use bindings_net as bindings;
use core::ptr::NonNull;
use kernel::prelude::*;

/// A packet in a page fragment (`struct xdp_buff`), owned, as vhost-net hands them over: with the
/// header of its sender, if there is one, at the start of the memory, not right before the packet.
///
/// # Invariants
///
/// `start` is the start of a page fragment that this owns, of `size` bytes, which the packet and,
/// behind it, a `struct skb_shared_info` fit into. The packet is `len` bytes from `offset` on. All
/// of it is initialised, and so is what lies before it.
pub struct XdpFrame {
    start: NonNull<u8>,
    size: u32,
    offset: usize,
    len: usize,
}

impl XdpFrame {
    /// Takes over a packet.
    ///
    /// # Safety
    ///
    /// `xdp` must be valid, and describe a packet as the invariants of this type want it, which
    /// the caller owns.
    #[inline]
    pub(super) unsafe fn from_raw(xdp: *const bindings::xdp_buff) -> Self {
        // SAFETY: By the safety requirements of this function, all pointers point into the same
        // fragment, in this order.
        unsafe {
            let start = (*xdp).data_hard_start.cast::<u8>();
            // INVARIANT: By the safety requirements of this function.
            Self {
                start: NonNull::new_unchecked(start),
                size: (*xdp).__bindgen_anon_1.__bindgen_anon_1.as_ref().frame_sz,
                // OVERFLOW: As above.
                offset: ((*xdp).data as usize).wrapping_sub(start as usize),
                len: ((*xdp).data_end as usize).wrapping_sub((*xdp).data as usize),
            }
        }
    }

    /// Returns the length of the packet, in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the packet is empty.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the sender's header; `None` if there is no room for it before the packet.
    #[inline]
    pub fn header<const N: usize>(&self) -> Option<&[u8; N]> {
        if self.offset < N {
            return None;
        }
        // SAFETY: By the type invariants, these bytes are there, and initialised.
        Some(unsafe { self.start.cast::<[u8; N]>().as_ref() })
    }

    /// Makes a packet of it, without copying (`build_skb()`).
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline]
    pub fn into_skb(self) -> Result<SkBuff> {
        // SAFETY: By the type invariants, this is a page fragment with room for the shared info.
        let skb = unsafe { bindings::build_skb(self.start.as_ptr().cast(), self.size) };
        let skb = NonNull::new(skb).ok_or(ENOMEM)?.as_ptr();
        let frame = core::mem::ManuallyDrop::new(self);
        // SAFETY: The packet has taken over the fragment, whose size has room for this.
        unsafe {
            SkBuff::lay_out(skb, frame.offset as u32, frame.len as u32, 0);
            Ok(SkBuff::from_raw(skb))
        }
    }
}

impl Drop for XdpFrame {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, this owns the fragment.
        unsafe { bindings::page_frag_free(self.start.as_ptr().cast()) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! From packets to user space.
//!
//! Unsafe: what comes before a packet is written to the buffer that C has allocated.

use super::SkBuff;
use crate::error::to_result;
use bindings_net as bindings;
use kernel::{
    iov::IovIterDest,
    prelude::*,
    transmute::AsBytes, //
};

impl SkBuff {
    /// Copies `len` bytes from `offset` on to `iter` (`skb_copy_datagram_iter()`).
    ///
    /// Less if `iter` has less room, which is no error.
    ///
    /// # Errors
    ///
    /// `EFAULT` if the destination cannot be written, or the packet is shorter; `EINVAL` if either
    /// number is longer than any packet.
    #[inline]
    pub fn copy_to_iter(&self, offset: usize, len: usize, iter: &mut IovIterDest<'_>) -> Result {
        let offset = c_int::try_from(offset)?;
        let len = c_int::try_from(len)?;
        // SAFETY: By the type invariants, the packet is valid, and `iter` is as well.
        to_result(unsafe {
            bindings::skb_copy_datagram_iter(self.as_raw(), offset, iter.as_raw(), len)
        })
    }

    /// Returns whether there are `len` bytes before the packet that no clone uses.
    #[inline(always)]
    pub fn has_free_headroom(&self, len: usize) -> bool {
        self.headroom() >= len && !self.is_header_shared()
    }

    /// Puts a value before the packet, which then starts with it.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there is too little [space](Self::has_free_headroom).
    #[inline(always)]
    pub fn prepend<T: AsBytes + Copy>(&mut self, value: &T) -> Result {
        if !self.has_free_headroom(size_of::<T>()) {
            return Err(ENOSPC);
        }
        let skb = self.as_raw();
        // SAFETY: By the type invariants, the packet is valid; the space is there, and no clone
        // uses it. All bytes of the value are initialised.
        unsafe {
            let data = (*skb).data.sub(size_of::<T>());
            data.cast::<T>().write_unaligned(*value);
            (*skb).data = data;
            // OVERFLOW: A packet is not that long.
            (*skb).len = (*skb).len.wrapping_add(size_of::<T>() as u32);
        }
        Ok(())
    }

    /// Calls `f` with a value before the packet, which then starts with it. `None` if there is too
    /// little [space](Self::has_free_headroom).
    #[inline(always)]
    pub fn with_prefix<T: AsBytes + Copy, R>(
        &mut self,
        value: &T,
        f: impl FnOnce(&SkBuff) -> R,
    ) -> Option<R> {
        self.prepend(value).ok()?;
        let result = f(self);
        let skb = self.as_raw();
        // SAFETY: By the type invariants, the packet is valid, and it starts with the value still.
        unsafe {
            (*skb).data = (*skb).data.add(size_of::<T>());
            // OVERFLOW: As above.
            (*skb).len = (*skb).len.wrapping_sub(size_of::<T>() as u32);
        }
        Some(result)
    }

    /// Takes `len` bytes off the start of the packet (`skb_pull()`), of what comes before its network
    /// header: clones may share all that follows.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are fewer, or they are not in the linear part.
    #[inline(always)]
    pub fn pull(&mut self, len: usize) -> Result {
        let network_header = usize::from(self.headers().network_header);
        if self.headlen() < len || network_header.saturating_sub(self.headroom()) < len {
            return Err(EINVAL);
        }
        let skb = self.as_raw();
        // SAFETY: By the type invariants, the packet is valid, and has that many bytes.
        unsafe {
            (*skb).data = (*skb).data.add(len);
            // OVERFLOW: They are a part of the packet.
            (*skb).len = (*skb).len.wrapping_sub(len as u32);
        }
        Ok(())
    }

    /// Returns whether a clone uses the packet's headers, or the space before them
    /// (`skb_header_cloned()`).
    #[inline(always)]
    fn is_header_shared(&self) -> bool {
        // SAFETY: By the type invariants, the packet is valid.
        unsafe {
            bindings::sk_buff::cloned_raw(self.as_raw()) != 0
                && bindings::skb_header_cloned(self.as_raw()) != 0
        }
    }
}

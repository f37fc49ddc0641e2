// SPDX-License-Identifier: GPL-2.0

//! C declarations.

#![allow(non_camel_case_types)]

/// An entry, or the head, of a list.
#[repr(C)]
pub struct list_head {
    pub next: *mut list_head,
    pub prev: *mut list_head,
}

/// Where a frame comes from or goes to: memory, of which the end may be a bad address.
#[derive(Clone, Copy)]
pub struct iov_iter {
    pub(crate) at: *mut u8,
    pub(crate) len: usize,
    /// How many bytes there are before the bad address.
    pub(crate) good: usize,
}

impl iov_iter {
    /// Goes on by `len` bytes, of which there are as many.
    pub fn advance(&mut self, len: usize) {
        assert!(len <= self.len);
        self.at = self.at.wrapping_add(len);
        self.len -= len;
        self.good = self.good.saturating_sub(len);
    }

    /// How many of `len` bytes can be copied.
    pub(crate) fn reach(&self, len: usize) -> usize {
        len.min(self.len).min(self.good)
    }

    /// Writes zeroes, and returns how many.
    ///
    /// # Safety
    ///
    /// The iterator must be one to write to.
    pub unsafe fn zero(&mut self, len: usize) -> usize {
        let len = self.reach(len);
        // SAFETY: There is room for so many.
        unsafe { self.at.write_bytes(0, len) };
        self.advance(len);
        len
    }
}

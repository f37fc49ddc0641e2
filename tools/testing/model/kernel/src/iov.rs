// SPDX-License-Identifier: GPL-2.0

//! Where frames come from and go to.

use crate::bindings::iov_iter;
use core::{
    cell::UnsafeCell,
    marker::PhantomData, //
};

/// Where a frame comes from.
pub struct IovIterSource<'data> {
    iov: UnsafeCell<iov_iter>,
    _data: PhantomData<&'data [u8]>,
}

/// Where a frame goes to.
pub struct IovIterDest<'data> {
    iov: UnsafeCell<iov_iter>,
    _data: PhantomData<&'data mut [u8]>,
}

impl<'data> IovIterSource<'data> {
    /// Reads `bytes`; only the first `good` of them are at a good address.
    pub fn new(bytes: &'data [u8], good: usize) -> Self {
        Self {
            iov: UnsafeCell::new(iov_iter {
                at: bytes.as_ptr().cast_mut(),
                len: bytes.len(),
                good,
            }),
            _data: PhantomData,
        }
    }

    pub fn as_raw(&self) -> *mut iov_iter {
        self.iov.get()
    }

    /// Returns how many bytes are left.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        // SAFETY: Nobody has a reference: see below.
        unsafe { (*self.as_raw()).len }
    }

    pub fn advance(&mut self, bytes: usize) {
        let iov = self.iov.get_mut();
        iov.advance(bytes.min(iov.len));
    }

    /// Copies as many bytes as can be, and returns how many.
    pub fn copy_from_iter(&mut self, out: &mut [u8]) -> usize {
        let iov = self.iov.get_mut();
        let len = iov.reach(out.len());
        // SAFETY: There are so many bytes in both.
        unsafe { iov.at.copy_to_nonoverlapping(out.as_mut_ptr(), len) };
        iov.advance(len);
        len
    }
}

impl<'data> IovIterDest<'data> {
    /// Writes to `bytes`; only the first `good` of them are at a good address.
    pub fn new(bytes: &'data mut [u8], good: usize) -> Self {
        Self {
            iov: UnsafeCell::new(iov_iter {
                at: bytes.as_mut_ptr(),
                len: bytes.len(),
                good,
            }),
            _data: PhantomData,
        }
    }

    pub fn as_raw(&self) -> *mut iov_iter {
        self.iov.get()
    }

    /// Returns how many bytes there is room for.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        // SAFETY: Nobody has a reference: see below.
        unsafe { (*self.as_raw()).len }
    }

    /// Copies as many bytes as can be, and returns how many.
    pub fn copy_to_iter(&mut self, bytes: &[u8]) -> usize {
        let iov = self.iov.get_mut();
        let len = iov.reach(bytes.len());
        // SAFETY: There are so many bytes in both.
        unsafe { iov.at.copy_from_nonoverlapping(bytes.as_ptr(), len) };
        iov.advance(len);
        len
    }
}

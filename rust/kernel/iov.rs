// SPDX-License-Identifier: GPL-2.0

//! Additions to the `kernel` crate's IO vectors.
//!
//! Unsafe: iterators are structures of C.
//!
//! C header: [`include/linux/uio.h`](srctree/include/linux/uio.h)

use bindings_net as bindings;
use kernel::{
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
    transmute::AsBytes, //
};

/// Additions to [`IovIterSource`].
pub trait SourceExt {
    /// Fills `bytes` (`copy_from_iter_full()`).
    ///
    /// # Errors
    ///
    /// `EFAULT` if there are fewer bytes, or some of them cannot be read. The position is then
    /// unspecified.
    fn read_exact(&mut self, bytes: &mut [u8]) -> Result;

    /// Returns how many pages the bytes from `offset` on lie in (`iov_iter_npages()`).
    fn pages_from(&mut self, offset: usize) -> usize;
}

impl SourceExt for IovIterSource<'_> {
    #[inline]
    fn read_exact(&mut self, bytes: &mut [u8]) -> Result {
        if self.copy_from_iter(bytes) == bytes.len() {
            Ok(())
        } else {
            Err(EFAULT)
        }
    }

    fn pages_from(&mut self, offset: usize) -> usize {
        // SAFETY: By the type invariants of `IovIterSource`, this is a valid `iov_iter`. A copy has
        // a position of its own, which goes no further than the end.
        let pages = unsafe {
            let mut rest = self.as_raw().read();
            bindings::iov_iter_advance(&mut rest, offset.min(self.len()));
            bindings::iov_iter_npages(&rest, c_int::MAX)
        };
        // Never negative.
        pages as usize
    }
}

/// Additions to [`IovIterDest`].
pub trait DestExt {
    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// `EFAULT` if there is less room, or some of it cannot be written.
    fn write_all(&mut self, bytes: &[u8]) -> Result;

    /// Writes a value.
    ///
    /// # Errors
    ///
    /// As for [`write_all`](Self::write_all).
    #[inline]
    fn write_value<T: AsBytes>(&mut self, value: &T) -> Result {
        self.write_all(value.as_bytes())
    }

    /// Writes `len` zero bytes (`iov_iter_zero()`).
    ///
    /// # Errors
    ///
    /// As for [`write_all`](Self::write_all).
    fn write_zeroes(&mut self, len: usize) -> Result;
}

impl DestExt for IovIterDest<'_> {
    #[inline]
    fn write_all(&mut self, bytes: &[u8]) -> Result {
        if self.copy_to_iter(bytes) == bytes.len() {
            Ok(())
        } else {
            Err(EFAULT)
        }
    }

    #[inline]
    fn write_zeroes(&mut self, len: usize) -> Result {
        if len == 0 {
            return Ok(());
        }
        // SAFETY: By the type invariants of `IovIterDest`, this is a valid `iov_iter` to write to.
        if unsafe { bindings::iov_iter_zero(len, self.as_raw()) } == len {
            Ok(())
        } else {
            Err(EFAULT)
        }
    }
}

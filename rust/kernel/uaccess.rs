// SPDX-License-Identifier: GPL-2.0

//! Additions to the `kernel` crate's access to user space.
//!
//! Unsafe: calls of `get_user()`, `put_user()` and `copy_to_user()`, which check the address.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use crate::error::to_result;
use bindings_net as bindings;
use kernel::prelude::*;

/// Writes bytes to an address in user space (`copy_to_user()`).
///
/// For a few bytes: [`UserSliceWriter`](kernel::uaccess::UserSliceWriter) keeps a position, which is
/// of no use then.
///
/// # Errors
///
/// `EFAULT` if some of them cannot be written. Others may have been.
#[inline(always)]
pub fn copy_to_user(address: usize, bytes: &[u8]) -> Result {
    let (to, from) = (address as *mut c_void, bytes.as_ptr().cast());
    // The halves of an `ifreq`, and both: hardened usercopy does not look where objects end if C
    // knows the length when it compiles.
    //
    // SAFETY: The bytes can be read, and the address is checked.
    let left = unsafe {
        match bytes.len() {
            16 => bindings::copy_to_user_16(to, from),
            32 => bindings::copy_to_user_32(to, from),
            len => bindings::copy_to_user(to, from, len as c_ulong),
        }
    };
    if left != 0 {
        return Err(EFAULT);
    }
    Ok(())
}

/// Numbers that are written to user space as a whole.
pub trait PutUser: Copy {
    /// Writes the number to an address in user space (`put_user()`), in one access. If some of the
    /// bytes cannot be written, x86 writes none of them.
    ///
    /// # Errors
    ///
    /// `EFAULT` if the address cannot be written.
    fn put_user(self, address: usize) -> Result;
}

impl PutUser for u16 {
    fn put_user(self, address: usize) -> Result {
        // SAFETY: No requirements: the address is checked.
        to_result(unsafe { bindings::put_user_u16(self, address as *mut u16) })
    }
}

impl PutUser for u32 {
    fn put_user(self, address: usize) -> Result {
        // SAFETY: No requirements: the address is checked.
        to_result(unsafe { bindings::put_user_u32(self, address as *mut u32) })
    }
}

impl PutUser for i32 {
    fn put_user(self, address: usize) -> Result {
        // CAST: The same bits.
        (self as u32).put_user(address)
    }
}

/// Numbers that are read from user space as a whole.
pub trait GetUser: Copy {
    /// Reads a number from an address in user space (`get_user()`), in one access.
    ///
    /// # Errors
    ///
    /// `EFAULT` if the address cannot be read.
    fn get_user(address: usize) -> Result<Self>;
}

impl GetUser for u16 {
    #[inline]
    fn get_user(address: usize) -> Result<Self> {
        let mut value = 0;
        // SAFETY: `value` can be written; the address is checked.
        to_result(unsafe { bindings::get_user_u16(&mut value, address as *const u16) })?;
        Ok(value)
    }
}

impl GetUser for i32 {
    #[inline]
    fn get_user(address: usize) -> Result<Self> {
        let mut value = 0;
        // SAFETY: `value` can be written; the address is checked.
        to_result(unsafe { bindings::get_user_u32(&mut value, address as *const u32) })?;
        // CAST: The same bits.
        Ok(value as i32)
    }
}

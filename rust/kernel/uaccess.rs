// SPDX-License-Identifier: GPL-2.0

//! Additions to the `kernel` crate's access to user space.
//!
//! Unsafe: calls of `put_user()`, which checks the address.
//!
//! C header: [`include/linux/uaccess.h`](srctree/include/linux/uaccess.h)

use bindings_net as bindings;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Numbers that are written to user space as a whole.
pub trait PutUser: Copy {
    /// Writes the number to an address in user space (`put_user()`). Unlike a copy, this writes
    /// nothing if some of the bytes cannot be written.
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

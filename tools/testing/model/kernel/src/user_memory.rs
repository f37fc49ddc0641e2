// SPDX-License-Identifier: GPL-2.0

//! The memory of a user, a model: some bytes at an address, and nothing around them.
//!
//! Each thread has its own.

use crate::{
    error::Result,
    prelude::EFAULT, //
};
use core::{
    cell::RefCell,
    ops::Range, //
};

struct Memory {
    address: usize,
    bytes: Vec<u8>,
    writable: bool,
}

thread_local! {
    static MEMORY: RefCell<Memory> = const {
        RefCell::new(Memory { address: 0, bytes: Vec::new(), writable: false })
    };
}

/// Lets this thread's user have `bytes` at an address.
pub fn set(address: usize, bytes: &[u8], writable: bool) {
    let bytes = bytes.to_vec();
    MEMORY.set(Memory {
        address,
        bytes,
        writable,
    });
}

/// Returns what is in the memory.
pub fn get() -> Vec<u8> {
    MEMORY.with_borrow(|memory| memory.bytes.clone())
}

impl Memory {
    /// Returns which of the bytes are the first of those from an address on that there are.
    fn find(&self, address: usize, len: usize) -> Range<usize> {
        match address.checked_sub(self.address) {
            Some(start) if start < self.bytes.len() => {
                start..self.bytes.len().min(start.saturating_add(len))
            }
            _ => 0..0,
        }
    }
}

/// Copies to `out` (`copy_from_user()`). What is not there is zeroed.
///
/// # Errors
///
/// `EFAULT`.
pub fn read(address: usize, out: &mut [u8]) -> Result {
    MEMORY.with_borrow(|memory| {
        let found = &memory.bytes[memory.find(address, out.len())];
        let (copied, rest) = out.split_at_mut(found.len());
        copied.copy_from_slice(found);
        rest.fill(0);
        if rest.is_empty() {
            Ok(())
        } else {
            Err(EFAULT)
        }
    })
}

/// Copies from `bytes`, as much as can be (`copy_to_user()`).
///
/// # Errors
///
/// `EFAULT`.
pub fn write(address: usize, bytes: &[u8]) -> Result {
    MEMORY.with_borrow_mut(|memory| {
        let found = memory.find(address, bytes.len());
        if !memory.writable && !bytes.is_empty() {
            return Err(EFAULT);
        }
        let len = found.len();
        memory.bytes[found].copy_from_slice(&bytes[..len]);
        if len == bytes.len() {
            Ok(())
        } else {
            Err(EFAULT)
        }
    })
}

/// Copies from `bytes`, or nothing of them (`put_user()`).
///
/// # Errors
///
/// `EFAULT`.
pub fn put(address: usize, bytes: &[u8]) -> Result {
    let found = MEMORY.with_borrow(|memory| memory.find(address, bytes.len()));
    if found.len() < bytes.len() {
        return Err(EFAULT);
    }
    write(address, bytes)
}

// SPDX-License-Identifier: GPL-2.0

//! Access to the memory of users.

use crate::{
    error::Result,
    transmute::FromBytes,
    user_memory, //
};
use core::mem::MaybeUninit;

/// An address that a user gave.
#[derive(Clone, Copy)]
pub struct UserPtr(usize);

impl UserPtr {
    pub fn from_addr(addr: usize) -> Self {
        Self(addr)
    }
}

/// Memory that a user says to have.
pub struct UserSlice {
    address: usize,
    len: usize,
}

pub struct UserSliceReader(UserSlice);

pub struct UserSliceWriter(UserSlice);

impl UserSlice {
    pub fn new(ptr: UserPtr, len: usize) -> Self {
        Self {
            address: ptr.0,
            len,
        }
    }

    pub fn reader(self) -> UserSliceReader {
        UserSliceReader(self)
    }

    pub fn writer(self) -> UserSliceWriter {
        UserSliceWriter(self)
    }

    /// Returns the address of the first `len` bytes, which are then behind.
    fn take(&mut self, len: usize) -> Result<usize> {
        self.len = self.len.checked_sub(len).ok_or(crate::prelude::EFAULT)?;
        let address = self.address;
        self.address = address.wrapping_add(len);
        Ok(address)
    }
}

impl UserSliceReader {
    pub fn read<T: FromBytes>(&mut self) -> Result<T> {
        let address = self.0.take(size_of::<T>())?;
        let mut value = MaybeUninit::<T>::zeroed();
        // SAFETY: These are all bytes of the value, and they are initialised.
        let bytes =
            unsafe { core::slice::from_raw_parts_mut(value.as_mut_ptr().cast(), size_of::<T>()) };
        user_memory::read(address, bytes)?;
        // SAFETY: Any bytes are a value.
        Ok(unsafe { value.assume_init() })
    }
}

impl UserSliceWriter {
    pub fn write_slice(&mut self, data: &[u8]) -> Result {
        let address = self.0.take(data.len())?;
        user_memory::write(address, data)
    }
}

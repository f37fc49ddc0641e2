// SPDX-License-Identifier: GPL-2.0

//! Rings of packets, in which there are none.

use super::{
    rtnl,
    SkBuff, //
};
use kernel::prelude::*;

pub struct SkbArray(());

impl SkbArray {
    pub fn new(_size: u32) -> impl PinInit<Self, Error> {
        // SAFETY: The value is initialised, or nothing is.
        unsafe {
            kernel::pinned_init::pin_init_from_closure(|slot: *mut Self| {
                slot.write(Self(()));
                Ok(())
            })
        }
    }

    pub fn consume(&self) -> Option<SkBuff> {
        None
    }

    pub fn resize_all<'a>(
        rings: impl Iterator<Item = &'a SkbArray>,
        _size: u32,
        _held: &rtnl::Held,
    ) -> Result<usize> {
        rings.for_each(|_| ());
        Ok(0)
    }
}

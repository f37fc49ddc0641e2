// SPDX-License-Identifier: GPL-2.0

//! Atomics whose loads are not calls.
//!
//! Those of the `kernel` crate call a C helper for each load, which takes ten times as long as the
//! load itself in kernels where helpers are not inlined.
//!
//! Unsafe: a value is read where others may write it.

use core::{
    mem,
    ops::{
        Deref,
        DerefMut, //
    },
    sync::atomic::fence,
};
use kernel::sync::atomic::{
    self,
    ordering::{
        AcquireOrRelaxed,
        OrderingType, //
    },
    AtomicType, //
};

/// A value that may be read and written at the same time (`kernel::sync::atomic::Atomic`).
#[repr(transparent)]
pub struct Atomic<T: AtomicType>(atomic::Atomic<T>);

impl<T: AtomicType> Atomic<T> {
    /// Creates an atomic of a value.
    #[inline]
    pub const fn new(value: T) -> Self {
        Self(atomic::Atomic::new(value))
    }

    /// Returns the value (`READ_ONCE()`, `smp_load_acquire()`).
    ///
    /// Does not compile for what is wider than a register.
    #[inline(always)]
    pub fn load<O: AcquireOrRelaxed>(&self, _: O) -> T {
        const {
            assert!(
                size_of::<T>() <= size_of::<usize>(),
                "a processor may read it in parts"
            )
        };
        // SAFETY: The pointer is valid and aligned. Whoever writes the value writes all of it at
        // once, and so is it read: as an integer that fits into a register.
        let value = unsafe { self.0.as_ptr().cast::<T::Repr>().read_volatile() };
        // SAFETY: These are the bytes of a `T`, as long as its representation.
        let value = unsafe { mem::transmute_copy::<T::Repr, T>(&value) };
        if matches!(O::TYPE, OrderingType::Acquire) {
            // What follows is not done before. Processors that order loads need no instruction.
            fence(core::sync::atomic::Ordering::Acquire);
        }
        value
    }
}

impl<T: AtomicType> Deref for Atomic<T> {
    type Target = atomic::Atomic<T>;

    #[inline]
    fn deref(&self) -> &atomic::Atomic<T> {
        &self.0
    }
}

impl<T: AtomicType> DerefMut for Atomic<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut atomic::Atomic<T> {
        &mut self.0
    }
}

// SPDX-License-Identifier: GPL-2.0

//! A value that RTNL protects.
//!
//! Unsafe: borrows what a lock protects that is somewhere else.

use super::Held;
use core::{
    cell::UnsafeCell,
    mem, //
};

/// A value that is read and changed only under RTNL.
///
/// It has the layout of `T`.
#[repr(transparent)]
pub struct Cell<T>(UnsafeCell<T>);

// SAFETY: Access takes evidence of RTNL, which one thread has at a time; so `&Cell<T>` on several
// threads passes the value between them, but never shares it.
unsafe impl<T: Send> Sync for Cell<T> {}

impl<T> Cell<T> {
    /// Creates a cell.
    pub const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Borrows the value.
    #[inline]
    pub fn as_ref<'a>(&'a self, _held: &'a Held) -> &'a T {
        // SAFETY: Changes need exclusive evidence, so nothing writes while `_held` is borrowed.
        unsafe { &*self.0.get() }
    }

    /// Borrows the value to change it.
    #[inline]
    pub fn as_mut<'a>(&'a self, _held: &'a mut Held) -> &'a mut T {
        // SAFETY: The evidence is exclusive, so there is no other reference to the value while it
        // is borrowed.
        unsafe { &mut *self.0.get() }
    }

    /// Stores a value and returns the old one.
    #[inline]
    pub fn replace(&self, value: T, held: &mut Held) -> T {
        mem::replace(self.as_mut(held), value)
    }
}

impl<T: Copy> Cell<T> {
    /// Returns a copy of the value.
    #[inline]
    pub fn get(&self, held: &Held) -> T {
        *self.as_ref(held)
    }

    /// Stores a value.
    #[inline]
    pub fn set(&self, value: T, held: &mut Held) {
        self.replace(value, held);
    }
}

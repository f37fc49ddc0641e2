// SPDX-License-Identifier: GPL-2.0

//! The RTNL mutex, and data that it protects.
//!
//! Functions that need RTNL take evidence of it instead of asserting it: `&Held` to look, and
//! `&mut Held` to change something, or to call C code that may change something. Because there is
//! one RTNL and thus one [`Held`] at a time, what is reached through `&Held` cannot change under
//! it.
//!
//! Unsafe: evidence of a lock that is C's.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

mod cell;
mod list;

pub use cell::Cell;
pub use list::{
    Linked,
    Links,
    List, //
};

use bindings_net as bindings;
use core::{
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::types::NotThreadSafe;

/// Evidence that this thread holds RTNL.
///
/// # Invariants
///
/// RTNL is held by the current thread while a value or a reference of this type exists, and no
/// other can be used at the same time.
pub struct Held(NotThreadSafe);

impl Held {
    /// Gives evidence to code that runs with RTNL held by its caller.
    ///
    /// # Safety
    ///
    /// * The current thread must hold RTNL for all of `'a`.
    /// * No other evidence may be in use during `'a`; in particular, whoever called into the C
    ///   code that led here must have lent its own as `&mut Held`.
    #[inline]
    pub unsafe fn assume<'a>() -> &'a mut Held {
        // INVARIANT: By the safety requirements of this function.
        // SAFETY: `Held` has no size, so any aligned pointer is valid for it.
        unsafe { NonNull::<Held>::dangling().as_mut() }
    }
}

/// RTNL, released when this is dropped.
#[must_use = "RTNL is released when the guard is dropped"]
pub struct Guard(Held);

/// Takes RTNL. May sleep.
#[inline]
pub fn lock() -> Guard {
    // SAFETY: No requirements. Taking it twice would be a deadlock, not unsoundness.
    unsafe { bindings::rtnl_lock() };
    // INVARIANT: RTNL was taken just now, and only one thread can have it.
    Guard(Held(NotThreadSafe))
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the invariants of `Held`, this thread holds RTNL.
        unsafe { bindings::rtnl_unlock() };
    }
}

impl Deref for Guard {
    type Target = Held;

    #[inline]
    fn deref(&self) -> &Held {
        &self.0
    }
}

impl DerefMut for Guard {
    #[inline]
    fn deref_mut(&mut self) -> &mut Held {
        &mut self.0
    }
}

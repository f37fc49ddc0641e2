// SPDX-License-Identifier: GPL-2.0

//! Pointers that readers follow under RCU.
//!
//! Unsafe: a pointer that owns a reference, and is followed without a lock.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use super::{
    Atomic,
    RcuReference, //
};
use crate::net::rtnl;
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::sync::{
    atomic::{
        Acquire,
        Relaxed,
        Release, //
    },
    rcu,
};

/// Gives evidence to code that runs in an RCU read-side critical section of its caller.
///
/// # Safety
///
/// The current thread must be in such a section for all of `'a`.
#[inline]
pub unsafe fn rcu_read_lock_held<'a>() -> &'a rcu::Guard {
    const {
        assert!(size_of::<rcu::Guard>() == 0);
    }
    // SAFETY: The guard has no size, so any aligned pointer is valid for it. Its invariant is the
    // safety requirement of this function; a reference does not end the section.
    unsafe { NonNull::dangling().as_ref() }
}

/// An RCU-protected, nullable, owning pointer that is changed under RTNL.
///
/// Following it takes evidence that the object stays: of an RCU read-side critical section, or of
/// RTNL. Storing to it takes exclusive evidence of RTNL.
///
/// It has the layout of a C pointer, so it may stand for an `__rcu` pointer in a C structure.
///
/// # Invariants
///
/// The pointer is null, or points to an object of which `self` owns the reference of an `R`.
#[repr(transparent)]
pub struct RcuPtr<R: RcuReference> {
    ptr: Atomic<*mut R::Target>,
    _owner: PhantomData<R>,
}

// SAFETY: An `RcuPtr<R>` is an `R` that hands out `&R::Target`.
unsafe impl<R: RcuReference + Send + Sync> Send for RcuPtr<R> where R::Target: Sync {}

// SAFETY: As above; all access through `&self` is atomic.
unsafe impl<R: RcuReference + Send + Sync> Sync for RcuPtr<R> where R::Target: Sync {}

impl<R: RcuReference> RcuPtr<R> {
    /// Creates a null pointer.
    pub const fn null() -> Self {
        // INVARIANT: The pointer is null.
        Self {
            ptr: Atomic::new(ptr::null_mut()),
            _owner: PhantomData,
        }
    }

    /// Follows the pointer in an RCU read-side critical section (`rcu_dereference()`).
    #[inline]
    pub fn load<'a>(&'a self, _rcu: &'a rcu::Guard) -> Option<&'a R::Target> {
        // Acquire pairs with the release in `replace`: what was written to the object before it
        // was published is visible here.
        //
        // SAFETY: By the type invariants, a non-null pointer is valid, and `RcuReference` keeps
        // the object valid until the critical section, which has begun before this load, ends;
        // even if the reference that `self` owns is dropped meanwhile.
        unsafe { self.ptr.load(Acquire).as_ref() }
    }

    /// Follows the pointer while it cannot be changed.
    #[inline]
    pub fn as_ref<'a>(&'a self, _held: &'a rtnl::Held) -> Option<&'a R::Target> {
        // SAFETY: By the type invariants, a non-null pointer is valid, and `self` keeps the
        // reference while `_held` is borrowed.
        unsafe { self.ptr.load(Relaxed).as_ref() }
    }

    /// Returns another reference of the object.
    pub fn get(&self, _held: &rtnl::Held) -> Option<R> {
        let object = NonNull::new(self.ptr.load(Relaxed))?;
        // SAFETY: By the type invariants, `self` owns a reference, and keeps it while `_held` is
        // borrowed.
        Some(unsafe { R::get(object) })
    }

    /// Stores a new value (`rcu_assign_pointer()`) and returns the old one.
    ///
    /// Readers may still use the old value until a grace period has passed; `RcuReference` makes
    /// dropping it at once all right.
    pub fn replace(&self, new: Option<R>, _held: &mut rtnl::Held) -> Option<R> {
        let old = self.ptr.load(Relaxed);
        let new = new.map_or(ptr::null_mut(), |new| new.into_raw().as_ptr());
        // INVARIANT: The reference of `new` is now owned by `self`.
        self.ptr.store(new, Release);

        // SAFETY: By the type invariants `self` owned the reference. Stores are serialised by
        // `_held`, so this is the only one that takes it over.
        NonNull::new(old).map(|old| unsafe { R::from_raw(old) })
    }
}

impl<R: RcuReference> Drop for RcuPtr<R> {
    fn drop(&mut self) {
        if let Some(ptr) = NonNull::new(*self.ptr.get_mut()) {
            // SAFETY: By the type invariants, `self` owns the reference, and nothing can take it
            // any more.
            drop(unsafe { R::from_raw(ptr) });
        }
    }
}

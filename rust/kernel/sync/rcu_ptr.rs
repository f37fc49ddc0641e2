// SPDX-License-Identifier: GPL-2.0

//! Pointers that readers follow under RCU.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use crate::net::rtnl;
use core::{
    marker::PhantomData,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::sync::{
    aref::{
        ARef,
        AlwaysRefCounted, //
    },
    atomic::{
        Acquire,
        Atomic,
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

/// Reference-counted objects whose memory outlives their last reference by a grace period.
///
/// # Safety
///
/// When the last reference to an object is dropped, the object must stay valid until every RCU
/// read-side critical section that has begun by then has ended.
pub unsafe trait RcuFreed: AlwaysRefCounted {}

/// An RCU-protected, nullable, owning pointer that is changed under RTNL.
///
/// Loading it takes evidence that the value stays: of an RCU read-side critical section, or of
/// RTNL. Storing to it takes exclusive evidence of RTNL.
///
/// It has the layout of a C pointer, so it may stand for an `__rcu` pointer in a C structure.
///
/// # Invariants
///
/// The pointer is null, or points to a `T` of which `self` owns one reference.
#[repr(transparent)]
pub struct RcuPtr<T: RcuFreed> {
    ptr: Atomic<*mut T>,
    _owner: PhantomData<ARef<T>>,
}

// SAFETY: An `RcuPtr<T>` is an `ARef<T>` that hands out `&T`, which may move to other threads if
// `T` is `Send` and `Sync`.
unsafe impl<T: RcuFreed + Send + Sync> Send for RcuPtr<T> {}

// SAFETY: As above; all access through `&self` is atomic.
unsafe impl<T: RcuFreed + Send + Sync> Sync for RcuPtr<T> {}

impl<T: RcuFreed> RcuPtr<T> {
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
    pub fn load<'a>(&'a self, _rcu: &'a rcu::Guard) -> Option<&'a T> {
        // Acquire pairs with the release in `replace`: what was written to the object before it
        // was published is visible here.
        //
        // SAFETY: By the type invariants, a non-null pointer is valid, and `T: RcuFreed` keeps the
        // object valid until the critical section, which has begun before this load, ends; even if
        // the reference that `self` owns is dropped meanwhile.
        unsafe { self.ptr.load(Acquire).as_ref() }
    }

    /// Follows the pointer under RTNL (`rtnl_dereference()`).
    #[inline]
    pub fn load_locked<'a>(&'a self, _held: &'a rtnl::Held) -> Option<&'a T> {
        // SAFETY: By the type invariants, a non-null pointer is valid. `replace` needs exclusive
        // evidence of RTNL, so `self` keeps its reference while `_held` is borrowed.
        unsafe { self.ptr.load(Relaxed).as_ref() }
    }

    /// Stores a new value (`rcu_assign_pointer()`) and returns the old one.
    ///
    /// Readers may still use the old value until a grace period has passed; `T: RcuFreed` makes
    /// dropping it at once all right.
    pub fn replace(&self, new: Option<ARef<T>>, _held: &mut rtnl::Held) -> Option<ARef<T>> {
        let old = self.ptr.load(Relaxed);
        let new = new.map_or(ptr::null_mut(), |new| ARef::into_raw(new).as_ptr());
        // INVARIANT: The reference of `new` is now owned by `self`.
        self.ptr.store(new, Release);

        // SAFETY: By the type invariants `self` owned a reference of `old`. Stores are serialised
        // by `_held`, so this is the only one that takes over that reference.
        NonNull::new(old).map(|old| unsafe { ARef::from_raw(old) })
    }
}

impl<T: RcuFreed> Drop for RcuPtr<T> {
    fn drop(&mut self) {
        if let Some(ptr) = NonNull::new(*self.ptr.get_mut()) {
            // SAFETY: By the type invariants, `self` owns a reference, and nothing can take it any
            // more.
            drop(unsafe { ARef::from_raw(ptr) });
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Smart pointers that own a reference of an object.
//!
//! Unsafe: traits whose promises the unsafe code of others relies on.

use core::ptr::NonNull;
use kernel::sync::aref::{
    ARef,
    AlwaysRefCounted, //
};

/// A smart pointer that owns one reference of an object.
///
/// # Safety
///
/// `into_raw` must return the object, which stays valid until `from_raw` gets it back and the
/// result is dropped. What `get` returns must keep it valid, too.
pub unsafe trait Reference: Sized {
    /// The object.
    type Target;

    /// Gives up the pointer, but not the reference.
    fn into_raw(self) -> NonNull<Self::Target>;

    /// Takes over a reference.
    ///
    /// # Safety
    ///
    /// [`into_raw`](Self::into_raw) must have returned `object`, and this must be the only call
    /// for it.
    unsafe fn from_raw(object: NonNull<Self::Target>) -> Self;

    /// Takes another reference.
    ///
    /// # Safety
    ///
    /// `object` must be that of a reference that exists meanwhile.
    unsafe fn get(object: NonNull<Self::Target>) -> Self;
}

/// A smart pointer to an object that may be found under RCU.
///
/// # Safety
///
/// When the last reference of an object is dropped, the object must stay valid until every RCU
/// read-side critical section that has begun by then has ended. What safe code can do with a
/// `&Target` in such a section must not make it live longer than that promise holds.
pub unsafe trait RcuReference: Reference {}

/// Reference-counted objects that may be found under RCU.
///
/// # Safety
///
/// When a reference of an object is dropped that has made it known under RCU, the object must stay
/// valid until every RCU read-side critical section that has begun by then has ended, and until
/// all references are dropped that were taken in one of those.
pub unsafe trait RcuFreed: AlwaysRefCounted {}

// SAFETY: An `ARef` is a pointer to a valid object and owns a reference of it.
unsafe impl<T: AlwaysRefCounted> Reference for ARef<T> {
    type Target = T;

    #[inline]
    fn into_raw(self) -> NonNull<T> {
        ARef::into_raw(self)
    }

    #[inline]
    unsafe fn from_raw(object: NonNull<T>) -> Self {
        // SAFETY: By the safety requirements of this function, there is a reference to take over.
        unsafe { ARef::from_raw(object) }
    }

    #[inline]
    unsafe fn get(object: NonNull<T>) -> Self {
        // SAFETY: By the safety requirements of this function, the object is valid.
        unsafe { object.as_ref() }.into()
    }
}

// SAFETY: What safe code can do with a `&T` is to take a reference. That, too, is what `RcuFreed`
// promises for.
unsafe impl<T: RcuFreed> RcuReference for ARef<T> {}

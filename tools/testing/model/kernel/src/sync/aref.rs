// SPDX-License-Identifier: GPL-2.0

//! References that an object counts.

use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};

/// Objects that count their references.
///
/// # Safety
///
/// They must stay while there is one.
pub unsafe trait AlwaysRefCounted {
    fn inc_ref(&self);

    /// # Safety
    ///
    /// The caller must own a reference.
    unsafe fn dec_ref(obj: NonNull<Self>);
}

/// A reference.
pub struct ARef<T: AlwaysRefCounted> {
    ptr: NonNull<T>,
    _owner: PhantomData<T>,
}

impl<T: AlwaysRefCounted> ARef<T> {
    /// # Safety
    ///
    /// There must be a reference to take over.
    pub unsafe fn from_raw(ptr: NonNull<T>) -> Self {
        Self {
            ptr,
            _owner: PhantomData,
        }
    }

    pub fn into_raw(me: Self) -> NonNull<T> {
        ManuallyDrop::new(me).ptr
    }
}

impl<T: AlwaysRefCounted> Deref for ARef<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: There is a reference.
        unsafe { self.ptr.as_ref() }
    }
}

impl<T: AlwaysRefCounted> From<&T> for ARef<T> {
    fn from(object: &T) -> Self {
        object.inc_ref();
        // SAFETY: That is the reference.
        unsafe { Self::from_raw(object.into()) }
    }
}

impl<T: AlwaysRefCounted> Drop for ARef<T> {
    fn drop(&mut self) {
        // SAFETY: This owns a reference.
        unsafe { T::dec_ref(self.ptr) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! References of sockets.
//!
//! Unsafe: reference counts that are C's.
//!
//! C header: [`include/net/sock.h`](srctree/include/net/sock.h)

use super::{
    Sock,
    SocketOps, //
};
use crate::{
    fs::{
        AsyncFiles,
        FileOwned, //
    },
    sync::{
        RcuReference,
        Reference, //
    },
};
use bindings_net as bindings;
use core::{
    marker::PhantomData,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    prelude::*,
    sync::atomic::{
        atomic_store,
        Atomic,
        Relaxed, //
    },
    types::ForeignOwnable, //
};

/// A counted reference of a socket (`sock_hold()`, `sock_put()`).
///
/// A socket that was found under RCU may have none left, so there is no way from a `&Sock<T>` to
/// one of these.
///
/// # Invariants
///
/// Points to a valid socket of which this owns a reference.
pub struct SockRef<T: SocketOps>(NonNull<Sock<T>>);

// SAFETY: A `Sock<T>` may be used, and freed, on any thread.
unsafe impl<T: SocketOps> Send for SockRef<T> {}
// SAFETY: As above.
unsafe impl<T: SocketOps> Sync for SockRef<T> {}

impl<T: SocketOps> Deref for SockRef<T> {
    type Target = Sock<T>;

    #[inline]
    fn deref(&self) -> &Sock<T> {
        // SAFETY: By the type invariants.
        unsafe { self.0.as_ref() }
    }
}

impl<T: SocketOps> Clone for SockRef<T> {
    #[inline]
    fn clone(&self) -> Self {
        // SAFETY: By the type invariants, there is a reference.
        unsafe { Self::get(self.0) }
    }
}

impl<T: SocketOps> Drop for SockRef<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, this owns a reference; `sk` is the first field.
        unsafe { bindings::sock_put(self.0.as_ptr().cast()) };
    }
}

// SAFETY: The object is the socket, which is valid while there is a reference.
unsafe impl<T: SocketOps> Reference for SockRef<T> {
    type Target = Sock<T>;

    #[inline]
    fn into_raw(self) -> NonNull<Sock<T>> {
        core::mem::ManuallyDrop::new(self).0
    }

    #[inline]
    unsafe fn from_raw(object: NonNull<Sock<T>>) -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self(object)
    }

    #[inline]
    unsafe fn get(object: NonNull<Sock<T>>) -> Self {
        // SAFETY: By the safety requirements of this function, there is a reference; `sk` is the
        // first field.
        unsafe { bindings::sock_hold(object.as_ptr().cast()) };
        // INVARIANT: That is a new one.
        Self(object)
    }
}

// SAFETY: By the type invariants of `Sock`, `SOCK_RCU_FREE` is set, so `sk_destruct()` leaves
// destruction and freeing to `call_rcu()`. A `&Sock<T>` gives no way to a reference.
unsafe impl<T: SocketOps> RcuReference for SockRef<T> {}

/// A reference of a socket that is borrowed from who owns it.
///
/// # Invariants
///
/// Points to a valid socket of which there is a reference during `'a`.
pub struct SockBorrow<'a, T: SocketOps>(NonNull<Sock<T>>, PhantomData<&'a SockRef<T>>);

impl<T: SocketOps> Clone for SockBorrow<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: SocketOps> Copy for SockBorrow<'_, T> {}

impl<'a, T: SocketOps> SockBorrow<'a, T> {
    /// Returns the socket.
    #[inline]
    pub fn get(self) -> &'a Sock<T> {
        // SAFETY: By the type invariants.
        unsafe { self.0.as_ref() }
    }

    /// Returns a reference of one's own.
    pub fn to_owned(self) -> SockRef<T> {
        // SAFETY: By the type invariants, there is a reference.
        unsafe { SockRef::get(self.0) }
    }
}

impl<T: SocketOps> Deref for SockBorrow<'_, T> {
    type Target = Sock<T>;

    #[inline]
    fn deref(&self) -> &Sock<T> {
        self.get()
    }
}

// SAFETY: The list is a field of the socket, which stays while there is a reference.
unsafe impl<T: SocketOps> FileOwned for SockRef<T> {
    unsafe fn set_file(&self, file: *mut bindings::file) -> Result {
        // INVARIANT: By the safety requirements of this function.
        // SAFETY: By the type invariants of `Sock`, the field is valid.
        let owner = unsafe { Atomic::from_ptr(&raw mut (*self.as_socket()).file) };
        owner
            .cmpxchg(ptr::null_mut(), file, Relaxed)
            .map(drop)
            .map_err(|_| EBUSY)
    }

    unsafe fn unset_file(&self) {
        // SAFETY: By the type invariants of `Sock`, the field is valid. netfilter and classifiers
        // look at the credentials of a packet's file while this changes: as for any other socket,
        // of which `sock_release()` does the same. They use the file in the RCU read-side critical
        // section in which they have read the field.
        unsafe { atomic_store(&raw mut (*self.as_socket()).file, ptr::null_mut(), Relaxed) };
    }

    fn async_files<'a>(borrowed: &'a SockBorrow<'_, T>) -> &'a AsyncFiles {
        borrowed.get().async_files()
    }
}

// SAFETY: The foreign pointer is that of the socket, which is aligned and not null.
unsafe impl<T: SocketOps> ForeignOwnable for SockRef<T> {
    const FOREIGN_ALIGN: usize = align_of::<Sock<T>>();

    type Borrowed<'a> = SockBorrow<'a, T>;
    type BorrowedMut<'a> = SockBorrow<'a, T>;

    fn into_foreign(self) -> *mut c_void {
        self.into_raw().as_ptr().cast()
    }

    unsafe fn from_foreign(ptr: *mut c_void) -> Self {
        // SAFETY: By the safety requirements of this function, `into_foreign` has returned this,
        // so it is not null, and handed a reference over.
        unsafe { Self::from_raw(NonNull::new_unchecked(ptr.cast())) }
    }

    #[inline]
    unsafe fn borrow<'a>(ptr: *mut c_void) -> SockBorrow<'a, T> {
        // INVARIANT: By the safety requirements of this function, the reference that
        // `into_foreign` has handed over is not taken back during `'a`.
        // SAFETY: As above, so the pointer is not null.
        SockBorrow(unsafe { NonNull::new_unchecked(ptr.cast()) }, PhantomData)
    }

    #[inline]
    unsafe fn borrow_mut<'a>(ptr: *mut c_void) -> SockBorrow<'a, T> {
        // SAFETY: By the safety requirements of this function.
        unsafe { Self::borrow(ptr) }
    }
}

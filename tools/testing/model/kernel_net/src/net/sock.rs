// SPDX-License-Identifier: GPL-2.0

//! Sockets: reference-counted objects, which are freed after a grace period.

use super::rtnl::{
    Linked,
    Links, //
};
use crate::sync::{
    RcuReference,
    Reference, //
};
use core::{
    cell::Cell,
    mem::{
        offset_of,
        ManuallyDrop, //
    },
    ops::Deref,
    ptr::NonNull,
    sync::atomic::{
        AtomicI32,
        AtomicUsize,
        Ordering::Relaxed, //
    },
};
use kernel::{
    prelude::*,
    sync::rcu::call_rcu, //
};

/// A socket with its protocol's data `T`.
pub struct Sock<T> {
    references: AtomicUsize,
    links: Links,
    life: imp::Life,
    send_buffer: AtomicI32,
    data: T,
}

/// A counted reference of a socket.
pub struct SockRef<T>(NonNull<Sock<T>>);

/// A reference of a socket that is borrowed from who owns it.
pub struct SockBorrow<'a, T>(&'a SockRef<T>);

thread_local! {
    static SOCKETS: Cell<usize> = const { Cell::new(0) };
}

/// Returns how many sockets this thread has that are not freed.
pub fn alive() -> usize {
    SOCKETS.get()
}

// SAFETY: The threads of an exploration take turns, and others have no sockets in common.
unsafe impl<T> Send for SockRef<T> {}
// SAFETY: As above.
unsafe impl<T> Sync for SockRef<T> {}

impl<T> SockRef<T> {
    /// Creates a socket.
    ///
    /// # Errors
    ///
    /// What `data` returns.
    pub fn new(data: impl PinInit<T, Error>) -> Result<Self> {
        // A value is made where it will stay, but for the model all of these can be moved.
        let mut place = Box::new(core::mem::MaybeUninit::<T>::uninit());
        // SAFETY: There is room for the value; if it is initialised it is moved from there.
        let data = unsafe {
            data.__pinned_init(place.as_mut_ptr())?;
            place.assume_init_read()
        };
        SOCKETS.set(SOCKETS.get() + 1);
        Ok(Self(NonNull::from(Box::leak(Box::new(Sock {
            references: AtomicUsize::new(1),
            links: Links::new(),
            life: imp::Life::new(),
            send_buffer: AtomicI32::new(0),
            data,
        })))))
    }

    /// Borrows the reference.
    pub fn borrow(&self) -> SockBorrow<'_, T> {
        SockBorrow(self)
    }
}

impl<T> Sock<T> {
    pub fn set_send_buffer(&self, bytes: i32) {
        self.send_buffer.store(bytes, Relaxed);
    }

    pub fn shut_down(&self) {}

    pub fn send_buffer(&self) -> i32 {
        self.send_buffer.load(Relaxed)
    }

    /// Says whether who looks for the socket under RCU may find it from here on.
    pub fn set_findable(&self, findable: bool) {
        self.life.set_findable(findable);
    }

    /// Says that somebody has found it.
    pub fn found(&self) {
        self.life.found();
    }

    /// Frees the socket.
    ///
    /// # Safety
    ///
    /// Nobody may use it any more; but if somebody does, the exploration will see it.
    unsafe fn free(this: NonNull<Self>) {
        SOCKETS.set(SOCKETS.get() - 1);
        // SAFETY: By the safety requirements of this function.
        unsafe { imp::free(this) };
    }
}

impl<T> Deref for Sock<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.life.check();
        &self.data
    }
}

impl<T> Deref for SockRef<T> {
    type Target = Sock<T>;

    fn deref(&self) -> &Sock<T> {
        // SAFETY: There is a reference.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Clone for SockRef<T> {
    fn clone(&self) -> Self {
        // SAFETY: There is a reference.
        unsafe { Self::get(self.0) }
    }
}

impl<T> Drop for SockRef<T> {
    fn drop(&mut self) {
        let this = self.0;
        match self.references.fetch_sub(1, Relaxed) {
            0 => panic!("a reference was dropped twice"),
            // SAFETY: That was the last reference, and after a grace period nobody uses it.
            1 => unsafe { call_rcu(move || Sock::free(this)) },
            _ => {}
        }
    }
}

// SAFETY: The object is the socket, which is valid while there is a reference.
unsafe impl<T> Reference for SockRef<T> {
    type Target = Sock<T>;

    fn into_raw(self) -> NonNull<Sock<T>> {
        ManuallyDrop::new(self).0
    }

    unsafe fn from_raw(object: NonNull<Sock<T>>) -> Self {
        Self(object)
    }

    unsafe fn get(object: NonNull<Sock<T>>) -> Self {
        // SAFETY: There is a reference.
        let before = unsafe { object.as_ref() }.references.fetch_add(1, Relaxed);
        assert_ne!(before, 0, "a reference of what has none");
        Self(object)
    }
}

// SAFETY: It is freed by `call_rcu()`.
unsafe impl<T> RcuReference for SockRef<T> {}

impl<T> Clone for SockBorrow<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for SockBorrow<'_, T> {}

impl<T> SockBorrow<'_, T> {
    pub fn to_owned(self) -> SockRef<T> {
        self.0.clone()
    }
}

impl<T> Deref for SockBorrow<'_, T> {
    type Target = Sock<T>;

    fn deref(&self) -> &Sock<T> {
        self.0
    }
}

// SAFETY: `links` is a field, sockets do not move, and the two functions are inverses.
unsafe impl<T> Linked for Sock<T> {
    type Ref = SockRef<T>;

    unsafe fn links(object: NonNull<Self>) -> *mut Links {
        // SAFETY: The object is valid.
        unsafe { &raw mut (*object.as_ptr()).links }
    }

    unsafe fn from_links(links: *mut Links) -> NonNull<Self> {
        // SAFETY: The links are those of a valid object.
        unsafe { NonNull::new_unchecked(links.byte_sub(offset_of!(Self, links)).cast()) }
    }
}

/// loom looks whether who uses a socket knows that it exists, and does so before it ends.
#[cfg(feature = "loom")]
mod imp {
    use super::Sock;
    use core::ptr::NonNull;
    use loom::cell::UnsafeCell;

    pub(super) struct Life {
        freed: UnsafeCell<bool>,
        findable: UnsafeCell<bool>,
    }

    impl Life {
        pub(super) fn new() -> Self {
            Self {
                freed: UnsafeCell::new(false),
                findable: UnsafeCell::new(true),
            }
        }

        pub(super) fn check(&self) {
            // SAFETY: loom looks for writers.
            let freed = self.freed.with(|freed| unsafe { *freed });
            assert!(!freed, "a queue was used that had been freed");
        }

        pub(super) fn found(&self) {
            // SAFETY: loom looks for writers.
            let findable = self.findable.with(|findable| unsafe { *findable });
            assert!(
                findable,
                "a queue was found a grace period after it had left"
            );
        }

        pub(super) fn set_findable(&self, new: bool) {
            // SAFETY: loom looks for writers.
            if self.findable.with(|findable| unsafe { *findable }) != new {
                // SAFETY: loom looks for readers.
                self.findable
                    .with_mut(|findable| unsafe { *findable = new });
            }
        }
    }

    /// Leaves the memory to those who should not use it: so it is loom that sees it.
    ///
    /// # Safety
    ///
    /// As for [`Sock::free`].
    pub(super) unsafe fn free<T>(this: NonNull<Sock<T>>) {
        // SAFETY: The memory is still there; loom looks for others who use it.
        unsafe { this.as_ref() }
            .life
            .freed
            .with_mut(|freed| unsafe { *freed = true });
        // SAFETY: Nobody uses the data any more.
        unsafe { core::ptr::drop_in_place(&raw mut (*this.as_ptr()).data) };
    }
}

/// Memory that is freed is found by other tools.
#[cfg(not(feature = "loom"))]
mod imp {
    use super::Sock;
    use core::ptr::NonNull;

    pub(super) struct Life;

    impl Life {
        pub(super) fn new() -> Self {
            Self
        }

        pub(super) fn check(&self) {}

        pub(super) fn found(&self) {}

        pub(super) fn set_findable(&self, _findable: bool) {}
    }

    /// # Safety
    ///
    /// As for [`Sock::free`].
    pub(super) unsafe fn free<T>(this: NonNull<Sock<T>>) {
        // SAFETY: It was a box, and nobody uses it any more.
        drop(unsafe { Box::from_raw(this.as_ptr()) });
    }
}

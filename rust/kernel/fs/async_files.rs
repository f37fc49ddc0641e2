// SPDX-License-Identifier: GPL-2.0

//! Signals to who uses a file.
//!
//! Unsafe: a list that C code keeps.
//!
//! C header: [`include/linux/fs.h`](srctree/include/linux/fs.h)

use crate::wait::PollEvents;
use bindings_net as bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// Open files with `O_ASYNC`, whose users are sent a signal, `SIGIO` or the one they have asked for,
/// when something happens (a list of `struct fasync_struct`).
///
/// # Invariants
///
/// The list is null or valid, and each of its files is open.
#[repr(transparent)]
pub struct AsyncFiles(Opaque<*mut bindings::fasync_struct>);

// SAFETY: C code has locks for such lists.
unsafe impl Send for AsyncFiles {}
// SAFETY: As above.
unsafe impl Sync for AsyncFiles {}

impl AsyncFiles {
    /// Uses a C list.
    ///
    /// # Safety
    ///
    /// `ptr` must point to the head of a list that is null or valid, and stays so during `'a`. Each
    /// file on it must be open, which [`FileOperations`](super::FileOperations) sees to.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut *mut bindings::fasync_struct) -> &'a Self {
        // INVARIANT: By the safety requirements of this function.
        // SAFETY: `AsyncFiles` is transparent, and the pointer is valid during `'a`.
        unsafe { &*ptr.cast() }
    }

    /// Returns the head of the C list.
    pub(super) fn as_raw(&self) -> *mut *mut bindings::fasync_struct {
        self.0.get()
    }

    /// Tells of an event, the first of `events` if there are several. What it is about must have been
    /// written before.
    #[inline]
    pub fn signal(&self, events: PollEvents) {
        // SAFETY: By the type invariants, the head is valid; it changes while it is read.
        if unsafe { !self.0.get().read_volatile().is_null() } {
            self.send(events);
        }
    }

    #[cold]
    fn send(&self, events: PollEvents) {
        let band = if events.has(PollEvents::ERROR) {
            bindings::POLL_ERR
        } else if events.has(PollEvents::READABLE) {
            bindings::POLL_IN
        } else {
            bindings::POLL_OUT
        };
        // SAFETY: By the type invariants, the list is null or valid.
        unsafe { bindings::kill_fasync(self.as_raw(), bindings::SIGIO as c_int, band as c_int) };
    }
}

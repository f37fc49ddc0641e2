// SPDX-License-Identifier: GPL-2.0

//! Packets of which a part lies in their sender's buffers.
//!
//! Unsafe: a sender is called back by pointer, once.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use bindings_net as bindings;
use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    },
};

/// A sender who waits to be told that its buffers are not used any more (`struct ubuf_info`).
///
/// It is told once: by the packet that this is given to, when that is freed, or else when this is
/// dropped.
///
/// # Invariants
///
/// `ptr` points to a valid `ubuf_info`, whose `complete` this owes one call.
pub struct ZeroCopy {
    ptr: NonNull<bindings::ubuf_info>,
}

// SAFETY: A sender may be told on any thread.
unsafe impl Send for ZeroCopy {}

impl ZeroCopy {
    /// Takes over the duty to tell a sender.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a valid `ubuf_info` that nobody else completes.
    pub(super) unsafe fn from_raw(ptr: NonNull<bindings::ubuf_info>) -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self { ptr }
    }

    /// Returns whether this is the duty to tell the sender at `ptr`.
    pub(super) fn is(&self, ptr: NonNull<bindings::ubuf_info>) -> bool {
        self.ptr == ptr
    }

    /// Gives the duty away.
    pub(super) fn into_raw(self) -> *mut bindings::ubuf_info {
        ManuallyDrop::new(self).ptr.as_ptr()
    }
}

impl Drop for ZeroCopy {
    fn drop(&mut self) {
        let ptr = self.ptr.as_ptr();
        // SAFETY: By the type invariants, the structure is valid; its operations are constant.
        let complete = unsafe { (*(*ptr).ops).complete };
        if let Some(complete) = complete {
            // SAFETY: By the type invariants, that is owed.
            unsafe { complete(ptr::null_mut(), ptr, false) };
        }
    }
}

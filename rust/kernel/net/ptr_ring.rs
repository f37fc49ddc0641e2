// SPDX-License-Identifier: GPL-2.0

//! Either end of a ring of pointers: what is done for each of them, which is inline in C, too.
//!
//! Unsafe: fields of a structure of C, under locks of C, and slots that are found by index.
//!
//! C header: [`include/linux/ptr_ring.h`](srctree/include/linux/ptr_ring.h)

use crate::sync::{
    spin_lock,
    spin_unlock, //
};
use bindings_net as bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull,
    sync::atomic::{
        fence,
        Ordering, //
    }, //
};
use kernel::prelude::*;

/// The end of a ring where entries are put in, with its lock held.
///
/// # Invariants
///
/// `ring` is initialised and stays so during `'a`. The current thread holds its producer lock.
pub(super) struct Producer<'a> {
    ring: NonNull<bindings::ptr_ring>,
    _ring: PhantomData<&'a bindings::ptr_ring>,
}

impl Producer<'_> {
    /// Takes the lock (`spin_lock()`).
    ///
    /// # Safety
    ///
    /// `ring` must point to a ring that is initialised and stays so during the lifetime of the
    /// returned value.
    #[inline(always)]
    pub(super) unsafe fn lock(ring: NonNull<bindings::ptr_ring>) -> Self {
        // SAFETY: By the safety requirements of this function.
        unsafe { spin_lock(&raw mut (*ring.as_ptr()).producer_lock) };
        // INVARIANT: By the safety requirements of this function; the lock was taken.
        Self {
            ring,
            _ring: PhantomData,
        }
    }

    /// Puts an entry into the ring (`__ptr_ring_produce()`). Returns whether there was room.
    #[inline(always)]
    pub(super) fn produce(&mut self, entry: NonNull<c_void>) -> bool {
        let ring = self.ring.as_ptr();
        // SAFETY: By the type invariants, the lock is held, under which these fields change. So
        // `producer` is the index of a slot if there are any.
        unsafe {
            let size = (*ring).size;
            let index = (*ring).producer;
            if size == 0 {
                return false;
            }
            let slot = (*ring).queue.add(index as usize);
            if !slot.read_volatile().is_null() {
                return false;
            }
            // Whoever sees the entry sees what was written to it before.
            fence(Ordering::Release);
            slot.write_volatile(entry.as_ptr());
            // OVERFLOW: It is an index.
            let next = index.wrapping_add(1);
            (*ring).producer = if next < size { next } else { 0 };
        }
        true
    }
}

impl Drop for Producer<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the lock is held.
        unsafe { spin_unlock(&raw mut (*self.ring.as_ptr()).producer_lock) };
    }
}

/// The end of a ring where entries are taken out, with its lock held.
///
/// # Invariants
///
/// `ring` is initialised and stays so during `'a`. The current thread holds its consumer lock.
pub(super) struct Consumer<'a> {
    ring: NonNull<bindings::ptr_ring>,
    _ring: PhantomData<&'a bindings::ptr_ring>,
}

impl Consumer<'_> {
    /// Takes the lock (`spin_lock()`).
    ///
    /// # Safety
    ///
    /// As for [`Producer::lock`].
    #[inline(always)]
    pub(super) unsafe fn lock(ring: NonNull<bindings::ptr_ring>) -> Self {
        // SAFETY: By the safety requirements of this function.
        unsafe { spin_lock(&raw mut (*ring.as_ptr()).consumer_lock) };
        // INVARIANT: By the safety requirements of this function; the lock was taken.
        Self {
            ring,
            _ring: PhantomData,
        }
    }

    /// Returns the oldest entry, which stays (`__ptr_ring_peek()`).
    #[inline(always)]
    pub(super) fn peek(&self) -> Option<NonNull<c_void>> {
        let ring = self.ring.as_ptr();
        // SAFETY: By the type invariants, the lock is held, under which these fields change. So
        // `consumer_head` is the index of a slot if there are any.
        let entry = unsafe {
            if (*ring).size == 0 {
                return closed();
            }
            let slot = (*ring).queue.add((*ring).consumer_head as usize);
            // What was written to the entry depends on it (`READ_ONCE()`).
            slot.read_volatile()
        };
        NonNull::new(entry)
    }

    /// Takes the oldest entry out of the ring (`__ptr_ring_consume()`).
    #[inline(always)]
    pub(super) fn consume(&mut self) -> Option<NonNull<c_void>> {
        let entry = self.peek()?;
        let ring = self.ring.as_ptr();
        // SAFETY: By the type invariants, the lock is held, under which these fields change.
        unsafe {
            // OVERFLOW: These are indices, of which the tail is not the larger one.
            let next = (*ring).consumer_head.wrapping_add(1);
            let done = next.wrapping_sub((*ring).consumer_tail);
            if done >= (*ring).batch || next >= (*ring).size {
                // Slots are given back, many at once. It is the same entry.
                return NonNull::new(bindings::__ptr_ring_consume(ring));
            }
            // Others look at it without the lock (`WRITE_ONCE()`).
            (&raw mut (*ring).consumer_head).write_volatile(next);
        }
        Some(entry)
    }
}

impl Drop for Consumer<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the lock is held.
        unsafe { spin_unlock(&raw mut (*self.ring.as_ptr()).consumer_lock) };
    }
}

/// There is no slot, so there is no entry.
#[cold]
fn closed() -> Option<NonNull<c_void>> {
    None
}

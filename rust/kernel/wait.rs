// SPDX-License-Identifier: GPL-2.0

//! Wait queues.
//!
//! Unsafe: an entry on the stack is on a list of C's while a task waits.
//!
//! C header: [`include/linux/wait.h`](srctree/include/linux/wait.h)

mod events;

pub use events::PollEvents;

use bindings_net as bindings;
use kernel::{
    error::code::ERESTARTSYS,
    prelude::*,
    types::Opaque, //
};

/// A queue of tasks and pollers that wait for something (`wait_queue_head_t`).
///
/// # Invariants
///
/// The wait queue head is initialised and does not move.
#[repr(transparent)]
pub struct WaitQueue(Opaque<bindings::wait_queue_head>);

// SAFETY: A wait queue has a lock of its own.
unsafe impl Send for WaitQueue {}
// SAFETY: As above.
unsafe impl Sync for WaitQueue {}

impl WaitQueue {
    /// Uses a C wait queue.
    ///
    /// # Safety
    ///
    /// `ptr` must point to a wait queue head that is initialised and valid during `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(ptr: *mut bindings::wait_queue_head) -> &'a Self {
        // INVARIANT: By the safety requirements of this function.
        // SAFETY: `WaitQueue` is transparent, and the pointer is valid during `'a`.
        unsafe { &*ptr.cast() }
    }

    /// Returns the C wait queue.
    #[inline]
    pub fn as_raw(&self) -> *mut bindings::wait_queue_head {
        self.0.get()
    }

    /// Wakes those who wait interruptibly for one of `events`.
    ///
    /// What the woken are to see must have been written before. Costs no lock when nobody waits.
    #[inline]
    pub fn wake_up(&self, events: PollEvents) {
        // SAFETY: By the type invariants, the wait queue is initialised.
        if unsafe { bindings::wq_has_sleeper(self.as_raw()) } {
            // SAFETY: As above.
            unsafe {
                bindings::wake_up_interruptible_poll(self.as_raw(), events.bits());
            }
        }
    }

    /// Waits until `attempt` succeeds, and returns what it returned.
    ///
    /// `attempt` must not sleep. It is called before anything else, so it costs nothing to wait
    /// for what is there already.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` if a signal arrived before `attempt` succeeded.
    #[inline]
    pub fn wait_interruptible<R>(&self, mut attempt: impl FnMut() -> Option<R>) -> Result<R> {
        match attempt() {
            Some(value) => Ok(value),
            None => self.wait_slow(attempt),
        }
    }

    #[cold]
    fn wait_slow<R>(&self, mut attempt: impl FnMut() -> Option<R>) -> Result<R> {
        let entry = Opaque::<bindings::wait_queue_entry>::uninit();
        // SAFETY: `entry` is valid for writing. It does not move, and it is off the queue before
        // it goes out of scope: see `finish_wait` below.
        unsafe { bindings::init_wait_entry(entry.get(), 0) };

        let result = loop {
            // The task is on the queue before the attempt is made, so a wake-up that follows the
            // attempt is not lost.
            //
            // SAFETY: The wait queue is initialised, and so is the entry.
            unsafe {
                bindings::prepare_to_wait(
                    self.as_raw(),
                    entry.get(),
                    bindings::TASK_INTERRUPTIBLE as c_int,
                );
            }
            if let Some(value) = attempt() {
                break Ok(value);
            }
            if current!().signal_pending() {
                break Err(ERESTARTSYS);
            }
            // SAFETY: No requirements.
            unsafe { bindings::schedule() };
        };
        // SAFETY: As above; this takes the entry off the queue.
        unsafe { bindings::finish_wait(self.as_raw(), entry.get()) };
        result
    }
}

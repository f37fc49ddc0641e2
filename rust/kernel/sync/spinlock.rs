// SPDX-License-Identifier: GPL-2.0

//! Spinlocks in C structures, taken by the one call that C makes of `spin_lock()`.
//!
//! The kernel's helpers are a call more each, in kernels where helpers are not inlined. They do it
//! where these functions are another in C: inlined, or the locks of `PREEMPT_RT`.
//!
//! Unsafe: calls of C, with a lock that C has initialised.
//!
//! C header: [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h)

use bindings_net as bindings;

/// Takes a lock (`spin_lock()`).
///
/// # Safety
///
/// `lock` must point to a lock that is initialised and that the current thread does not hold.
#[inline(always)]
pub(crate) unsafe fn spin_lock(lock: *mut bindings::spinlock) {
    #[cfg(all(CONFIG_SMP, not(CONFIG_PREEMPT_RT), not(CONFIG_INLINE_SPIN_LOCK)))]
    // SAFETY: By the safety requirements of this function. The first field of a spinlock is the
    // raw one.
    unsafe {
        bindings::_raw_spin_lock(lock.cast())
    };
    #[cfg(not(all(CONFIG_SMP, not(CONFIG_PREEMPT_RT), not(CONFIG_INLINE_SPIN_LOCK))))]
    // SAFETY: By the safety requirements of this function.
    unsafe {
        bindings::spin_lock(lock)
    };
}

/// Releases a lock (`spin_unlock()`).
///
/// # Safety
///
/// The current thread must hold `lock`.
#[inline(always)]
pub(crate) unsafe fn spin_unlock(lock: *mut bindings::spinlock) {
    #[cfg(all(CONFIG_SMP, not(CONFIG_PREEMPT_RT), CONFIG_UNINLINE_SPIN_UNLOCK))]
    // SAFETY: As in `spin_lock`.
    unsafe {
        bindings::_raw_spin_unlock(lock.cast())
    };
    #[cfg(not(all(CONFIG_SMP, not(CONFIG_PREEMPT_RT), CONFIG_UNINLINE_SPIN_UNLOCK)))]
    // SAFETY: By the safety requirements of this function.
    unsafe {
        bindings::spin_unlock(lock)
    };
}

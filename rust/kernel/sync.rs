// SPDX-License-Identifier: GPL-2.0

//! Synchronisation primitives.

mod atomic;
mod rcu_ptr;
mod reference;
mod spinlock;

pub use atomic::Atomic;
pub use rcu_ptr::{
    rcu_read_lock_held,
    RcuPtr, //
};
pub use reference::{
    RcuFreed,
    RcuReference,
    Reference, //
};
pub(crate) use spinlock::{
    spin_lock,
    spin_unlock, //
};

/// What follows is not read before what comes earlier (`smp_rmb()`).
#[inline(always)]
pub fn smp_rmb() {
    core::sync::atomic::fence(core::sync::atomic::Ordering::Acquire);
}

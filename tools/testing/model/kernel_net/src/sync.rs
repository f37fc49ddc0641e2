// SPDX-License-Identifier: GPL-2.0

//! Synchronisation primitives.

#[path = "../../../../../rust/kernel/sync/rcu_ptr.rs"]
mod rcu_ptr;
#[path = "../../../../../rust/kernel/sync/reference.rs"]
mod reference;

pub use kernel::sync::atomic::Atomic;
pub use rcu_ptr::{
    rcu_read_lock_held,
    RcuPtr, //
};
pub use reference::{
    RcuFreed,
    RcuReference,
    Reference, //
};

// SPDX-License-Identifier: GPL-2.0

//! Synchronisation primitives.

mod rcu_ptr;

pub use rcu_ptr::{
    rcu_read_lock_held,
    RcuFreed,
    RcuPtr, //
};

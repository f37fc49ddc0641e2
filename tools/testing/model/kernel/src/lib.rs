// SPDX-License-Identifier: GPL-2.0

//! Stands for the `kernel` crate on the host: as much of it as the sources need that the model
//! takes from the modules.
//!
//! What is a part of the model says so: [`sync::atomic`], [`sync::rcu`] and [`user_memory`]. The
//! rest is there to make it compile.

pub mod bindings;
pub mod error;
pub mod iov;
pub mod prelude;
pub mod sync;
pub mod transmute;
pub mod uaccess;
pub mod user_memory;

/// C's types.
pub mod ffi {
    pub use core::ffi::{
        c_int,
        c_ulong,
        c_void, //
    };
}

/// As the kernel's, but that it fails with the kernel's error if nothing else is said.
#[macro_export]
macro_rules! try_pin_init {
    ($($init:tt)*) => {
        $crate::pinned_init::try_pin_init!($($init)* ? $crate::error::Error)
    };
}

#[doc(hidden)]
pub use pinned_init;

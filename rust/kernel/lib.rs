// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over the C interfaces of a network driver.
//!
//! Each module stands at the path it would have in the kernel's own `kernel` crate, so that moving
//! it there is a rename.
//!
//! The crate is linked into every module that uses it. What it calls must therefore be built into
//! the kernel; a function over a symbol of another module is generic or `#[inline]`, so that only
//! its users depend on that module.

/// What lines in the kernel's log start with.
const __LOG_PREFIX: &[u8] = b"kernel_net\0";

pub mod cdev;
pub mod class;
pub mod compat;
mod error;
pub mod fs;
pub mod iov;
#[cfg(CONFIG_KUNIT = "y")]
pub mod kunit;
pub mod maple_tree;
pub mod net;
pub mod sync;
pub mod uaccess;
pub mod wait;

// SPDX-License-Identifier: GPL-2.0

//! Stands for the crate of safe abstractions on the host.
//!
//! What protects queues is that crate's very code: [`sync::RcuPtr`] and references, and what RTNL
//! protects, [`net::rtnl::Cell`] and [`net::rtnl::List`]; so are [`net::device::Features`], access
//! to users' memory and IO vectors. Sockets, packets and devices, which C has the most of, are as
//! much as the drivers need of them.

pub mod compat;
#[path = "../../../../../rust/kernel/error.rs"]
mod error;
#[path = "../../../../../rust/kernel/iov.rs"]
pub mod iov;
pub mod net;
pub mod sync;
#[path = "../../../../../rust/kernel/uaccess.rs"]
pub mod uaccess;
pub mod wait;

// SPDX-License-Identifier: GPL-2.0

//! Synchronisation primitives.

pub mod aref;
pub mod atomic;
pub mod rcu;

// SPDX-License-Identifier: GPL-2.0

//! Network namespaces.
//!
//! Unsafe: follows a pointer of the current task.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use bindings_net as bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// A network namespace (`struct net`).
///
/// # Invariants
///
/// The namespace is alive while it is borrowed.
#[repr(transparent)]
pub struct Namespace(Opaque<bindings::net>);

impl Namespace {
    /// Calls `f` with the network namespace of the current task.
    ///
    /// A closure, because the task may change its namespace once this returns.
    ///
    /// # Errors
    ///
    /// `ESRCH` if the task has left its namespaces because it exits: its last files are released
    /// later than that. And what `f` returns.
    pub fn with_current<R>(f: impl FnOnce(&Namespace) -> Result<R>) -> Result<R> {
        // SAFETY: Only the task itself changes its `nsproxy`, and it is busy here.
        let net = unsafe { bindings::current_net_ns() };
        // SAFETY: The task holds a reference of its namespace while it is in there, and
        // `Namespace` is transparent.
        let namespace = unsafe { net.cast::<Self>().as_ref() };
        f(namespace.ok_or(ESRCH)?)
    }

    /// Returns the C namespace.
    pub fn as_raw(&self) -> *mut bindings::net {
        self.0.get()
    }
}

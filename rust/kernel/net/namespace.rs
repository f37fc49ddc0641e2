// SPDX-License-Identifier: GPL-2.0

//! Network namespaces.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use bindings_net as bindings;
use kernel::types::Opaque;

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
    pub fn with_current<R>(f: impl FnOnce(&Namespace) -> R) -> R {
        // SAFETY: Only the task itself changes its `nsproxy`, and it is busy here. It has one: only
        // late in `do_exit()` there is none, after all files are closed, and no callback that Rust
        // code can register runs then.
        let net = unsafe { bindings::current_net_ns() };
        // SAFETY: The task holds a reference of its namespace while it is in there, and
        // `Namespace` is transparent.
        f(unsafe { &*net.cast() })
    }

    /// Returns the C namespace.
    pub fn as_raw(&self) -> *mut bindings::net {
        self.0.get()
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What Linux 7.2 lacks of 7.3's `kernel` crate.
//!
//! Unsafe: initialises by pointer in Linux 7.2, for which 7.3 has functions.

use kernel::{
    error::Error,
    ffi::c_int, //
};

/// A module, by the type that [`kernel::module`](macro@kernel::prelude::module) names
/// `LocalModule`: 7.3's [`ModuleMetadata`].
#[cfg(not(linux_7_2))]
pub use kernel::ModuleMetadata;

#[cfg(not(linux_7_2))]
pub(crate) use pin_init::{
    raw_init,
    raw_try_init, //
};

/// A module, by the type that [`kernel::module`](macro@kernel::prelude::module) names
/// `LocalModule`.
#[cfg(linux_7_2)]
pub trait ModuleMetadata {
    /// The module's `THIS_MODULE` pointer.
    const THIS_MODULE: kernel::ThisModule;
}

/// Initialises `slot`.
///
/// # Safety
///
/// `slot` must be valid for writing, and what it points to not move any more.
#[cfg(linux_7_2)]
pub(crate) unsafe fn raw_init<T>(slot: *mut T, init: impl pin_init::PinInit<T>) {
    // SAFETY: By the safety requirements of this function.
    match unsafe { init.__pinned_init(slot) } {
        Ok(()) => {}
    }
}

/// Initialises `slot`, or fails.
///
/// # Safety
///
/// As for [`raw_init`]. If this fails, `slot` is not initialised.
#[cfg(linux_7_2)]
pub(crate) unsafe fn raw_try_init<T, E>(
    slot: *mut T,
    init: impl pin_init::PinInit<T, E>,
) -> Result<(), E> {
    // SAFETY: By the safety requirements of this function.
    unsafe { init.__pinned_init(slot) }
}

/// The kernel's `rcu::rcu_barrier()`.
#[cfg(not(linux_7_2))]
pub use kernel::sync::rcu::rcu_barrier;

/// Waits for all RCU callbacks that are pending.
#[cfg(linux_7_2)]
pub fn rcu_barrier() {
    // SAFETY: No requirements.
    unsafe { bindings_net::rcu_barrier() };
}

/// Returns `ENOLINK`, which the list of 7.2 lacks: "Link has been severed".
pub fn enolink() -> Error {
    const ERRNO: c_int = -(bindings_net::ENOLINK as c_int);

    Error::from_errno(ERRNO)
}

/// Returns `ENETDOWN`, which the list lacks: "Network is down".
pub fn enetdown() -> Error {
    const ERRNO: c_int = -(bindings_net::ENETDOWN as c_int);

    Error::from_errno(ERRNO)
}

/// Returns `EOPNOTSUPP`, which the list of 7.2 lacks: "Operation not supported on transport
/// endpoint".
pub fn eopnotsupp() -> Error {
    const ERRNO: c_int = -(bindings_net::EOPNOTSUPP as c_int);

    Error::from_errno(ERRNO)
}

/// Implements [`ModuleMetadata`] for a module, where the `kernel` crate does not. To be used once
/// in each module, after `module!`.
#[macro_export]
macro_rules! module_metadata {
    () => {
        #[cfg(linux_7_2)]
        impl $crate::compat::ModuleMetadata for LocalModule {
            const THIS_MODULE: ::kernel::ThisModule = {
                extern "C" {
                    static __this_module: ::kernel::types::Opaque<::kernel::bindings::module>;
                }
                // SAFETY: This is what C's `THIS_MODULE` is.
                unsafe {
                    ::kernel::ThisModule::from_ptr((&raw const __this_module).cast_mut().cast())
                }
            };
        }
    };
}

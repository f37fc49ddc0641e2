// SPDX-License-Identifier: GPL-2.0

//! What Linux 7.2 lacks of 7.3's `kernel` crate, and of its macvlan.
//!
//! Unsafe: initialises by pointer in Linux 7.2, for which 7.3 has functions, and mends a flag of
//! macvlan's.

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

/// Calls `change`, which has macvlan give a link flags.
///
/// # Safety
///
/// `vlan` must be that of a link that is registered, and stay so; RTNL must be held.
#[cfg(not(linux_7_2))]
#[inline]
pub(crate) unsafe fn changing_flags(
    _vlan: *mut bindings_net::macvlan_dev,
    _flags: Option<u16>,
    change: impl FnOnce() -> kernel::error::Result,
) -> kernel::error::Result {
    change()
}

/// Calls `change`, which has macvlan give a link `flags`, if there are some.
///
/// macvlan of 7.2 then takes the lower device for promiscuous, or for not so any more, even if the
/// link is down, and the count of that does not add up. So it is to find the flag as it is to be.
///
/// # Safety
///
/// `vlan` must be that of a link that is registered, and stay so; RTNL must be held.
#[cfg(linux_7_2)]
pub(crate) unsafe fn changing_flags(
    vlan: *mut bindings_net::macvlan_dev,
    flags: Option<u16>,
    change: impl FnOnce() -> kernel::error::Result,
) -> kernel::error::Result {
    const NOPROMISC: u16 = bindings_net::MACVLAN_FLAG_NOPROMISC as u16;

    // SAFETY: By the safety requirements of this function, macvlan has set the fields, which change
    // under RTNL only.
    let (place, is_up) = unsafe {
        let flags = (*(*vlan).dev).flags;
        (
            &raw mut (*vlan).flags,
            flags & bindings_net::net_device_flags_IFF_UP != 0,
        )
    };
    let Some(flags) = flags.filter(|_| !is_up) else {
        return change();
    };
    // SAFETY: As above. Others read the field while it changes.
    unsafe {
        let before = place.read();
        place.write_volatile(before & !NOPROMISC | flags & NOPROMISC);
        change().inspect_err(|_| place.write_volatile(before))
    }
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

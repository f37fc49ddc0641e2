// SPDX-License-Identifier: GPL-2.0

//! Network devices.
//!
//! Unsafe: fields of a structure of C, each read in the way that C writes it.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

mod features;
mod reception;

pub use features::Features;
pub use reception::{
    MacAddress,
    Reception, //
};

use super::rtnl;
use bindings_net as bindings;
use core::{
    mem::offset_of,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        aref::AlwaysRefCounted,
        atomic::{
            atomic_load,
            Relaxed, //
        },
    },
    types::Opaque, //
};

/// Space for the name of a device, with its final NUL (`IFNAMSIZ`).
pub const NAME_SIZE: usize = bindings::IFNAMSIZ as usize;

/// Size of the `struct sockaddr` in a `struct ifreq`, in bytes.
pub const SOCKADDR_SIZE: usize = size_of::<bindings::sockaddr>();

/// A network device that is being made (`struct net_device`).
///
/// Not a [`NetDevice`]: who makes it frees it if it cannot be registered, and waits for nobody.
///
/// # Invariants
///
/// The device is initialised, and nobody else knows of it.
#[repr(transparent)]
pub struct NewDevice(Opaque<bindings::net_device>);

impl NewDevice {
    /// Uses a C device.
    ///
    /// # Safety
    ///
    /// `dev` must point to an initialised device that nobody else uses during `'a`.
    pub unsafe fn from_raw<'a>(dev: *mut bindings::net_device) -> &'a Self {
        // INVARIANT: By the safety requirements of this function.
        // SAFETY: `NewDevice` is transparent, and the pointer is valid during `'a`.
        unsafe { &*dev.cast() }
    }

    /// Sets the default length of the transmit queue, in packets.
    pub fn set_tx_queue_len(&self, len: u32) {
        // SAFETY: By the type invariants, the field is valid, and nobody else uses it.
        unsafe { (*self.0.get()).tx_queue_len = len };
    }
}

/// A network device that is registered, or was (`struct net_device`).
///
/// # Invariants
///
/// The device was registered, so that it is freed when all of its references are gone and not
/// before. It is not freed while it is borrowed.
#[repr(transparent)]
pub struct NetDevice(Opaque<bindings::net_device>);

// SAFETY: A `net_device` may be used on any thread.
unsafe impl Send for NetDevice {}
// SAFETY: The methods below read fields atomically, read what never changes, or take evidence of
// RTNL.
unsafe impl Sync for NetDevice {}

impl NetDevice {
    /// Uses a C device.
    ///
    /// # Safety
    ///
    /// `dev` must point to a device that is registered, or was, and that stays valid during `'a`.
    #[inline]
    pub unsafe fn from_raw<'a>(dev: *mut bindings::net_device) -> &'a Self {
        // INVARIANT: By the safety requirements of this function.
        // SAFETY: `NetDevice` is transparent, and the pointer is valid during `'a`.
        unsafe { &*dev.cast() }
    }

    /// Returns the C device.
    #[inline]
    pub fn as_raw(&self) -> *mut bindings::net_device {
        self.0.get()
    }

    /// Returns the index of the device in its network namespace.
    ///
    /// Positive; it changes when the device moves to a namespace where it is taken.
    pub fn ifindex(&self) -> i32 {
        // SAFETY: By the type invariants, the field is valid for reading.
        unsafe { atomic_load(&raw mut (*self.as_raw()).ifindex, Relaxed) }
    }

    /// Returns whether the device is registered.
    ///
    /// If so its driver does not uninitialise it while RTNL is held, nor before the end of the RCU
    /// read-side critical section that this is called in.
    #[inline]
    pub fn is_registered(&self) -> bool {
        self.state() == bindings::netdev_reg_state_NETREG_REGISTERED
    }

    /// Returns whether the device was unregistered, and its driver has nothing to do with it any more.
    pub(super) fn was_unregistered(&self) -> bool {
        self.state() == bindings::netdev_reg_state_NETREG_UNREGISTERED
    }

    #[inline]
    fn state(&self) -> u32 {
        // SAFETY: By the type invariants, the field is valid for reading.
        unsafe { ptr::read_volatile(&raw const (*self.as_raw()).reg_state) }.into()
    }

    /// Returns the length of the transmit queue, in packets.
    pub fn tx_queue_len(&self) -> u32 {
        // SAFETY: By the type invariants, the field is valid for reading.
        unsafe { atomic_load(&raw mut (*self.as_raw()).tx_queue_len, Relaxed) }
    }

    /// Returns what the device can do with packets.
    pub fn features(&self) -> Features {
        // SAFETY: By the type invariants, the field is valid for reading.
        Features::from_bits(unsafe { atomic_load(&raw mut (*self.as_raw()).features, Relaxed) })
    }

    /// Returns the length of the device's link-layer address, in bytes.
    fn addr_len(&self, _held: &rtnl::Held) -> u8 {
        // SAFETY: By the type invariants, the field is valid; it changes under RTNL only.
        unsafe { (*self.as_raw()).addr_len }
    }

    /// Returns the name, padded with NULs.
    pub fn name(&self, _held: &rtnl::Held) -> [u8; NAME_SIZE] {
        // SAFETY: By the type invariants, the field is valid; names change under RTNL only.
        unsafe { (*self.as_raw()).name }
    }

    /// Returns the link-layer address as the bytes of a `struct sockaddr`. They are zero if the device
    /// is not registered any more.
    #[inline]
    pub fn mac_address(&self, held: &rtnl::Held) -> [u8; SOCKADDR_SIZE] {
        let mut sockaddr: bindings::sockaddr = pin_init::zeroed();
        let mut name = self.name(held);
        if self.is_registered() {
            // SAFETY: `sockaddr` is a local variable, and the name, by which the device is found, ends
            // with a NUL. A device that is registered leaves its namespace under RTNL only, and the
            // namespace stays as long.
            unsafe {
                bindings::netif_get_mac_address(
                    &mut sockaddr,
                    bindings::dev_net(self.as_raw()),
                    name.as_mut_ptr().cast(),
                );
            }
        }
        // SAFETY: The structure has no padding, and all of it is initialised.
        unsafe { core::mem::transmute(sockaddr) }
    }

    /// Sets the link-layer address to that of a `struct sockaddr`, as a user wants it. Not to be
    /// called when the device is just being registered.
    ///
    /// # Errors
    ///
    /// `EINVAL` for another address family or a longer address, `EADDRNOTAVAIL` for a multicast or
    /// a zero address, `ENODEV` if the device is not registered any more, and what the driver
    /// returns.
    pub fn set_mac_address(&self, sockaddr: [u8; SOCKADDR_SIZE], held: &mut rtnl::Held) -> Result {
        if !self.is_registered() {
            return Err(ENODEV);
        }
        if usize::from(self.addr_len(held)) > SOCKADDR_SIZE {
            return Err(EINVAL);
        }
        let mut storage: bindings::__kernel_sockaddr_storage = pin_init::zeroed();
        // SAFETY: A `sockaddr` fits into a `sockaddr_storage`, and `storage` is a local variable.
        unsafe {
            ptr::copy_nonoverlapping(
                sockaddr.as_ptr(),
                (&raw mut storage).cast::<u8>(),
                SOCKADDR_SIZE,
            );
        }
        // SAFETY: The device is registered; RTNL is held, and lent, because notifiers run.
        to_result(unsafe {
            bindings::dev_set_mac_address_user(self.as_raw(), &mut storage, ptr::null_mut())
        })
    }

    /// Recomputes the features that are on, after what the driver wants has changed. A device that
    /// is not registered any more keeps its.
    ///
    /// # Safety
    ///
    /// The device must not be one whose operations take a lock of its own (`netdev_need_ops_lock()`).
    pub(crate) unsafe fn update_features(&self, _held: &mut rtnl::Held) {
        if self.is_registered() {
            // SAFETY: The device is registered; RTNL is held, and lent, because notifiers run. By the
            // safety requirements of this function, that is all.
            unsafe { bindings::netdev_update_features(self.as_raw()) };
        }
    }

    /// Returns whether the device was created by the link operations at `ops`.
    pub(crate) fn has_link_ops(&self, ops: *const bindings::rtnl_link_ops) -> bool {
        // SAFETY: By the type invariants, the field is valid, and is set up before the device is
        // registered.
        ptr::eq(unsafe { (*self.as_raw()).rtnl_link_ops }, ops)
    }
}

// SAFETY: `dev_hold()` and `dev_put()` count references. By the type invariants, the device is freed
// only when all have been put.
unsafe impl AlwaysRefCounted for NetDevice {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: By the type invariants, the device is valid.
        unsafe { bindings::dev_hold(self.as_raw()) };
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the safety requirements of this function, the caller owns a reference.
        unsafe { bindings::dev_put(obj.as_ptr().cast()) };
    }
}

const _: () = assert!(offset_of!(bindings::sockaddr, sa_family) == 0);

// SPDX-License-Identifier: GPL-2.0

//! Stands for the C boundary of the module.

use crate::device::TapDev;
use bindings_net as bindings;
use core::ptr::NonNull;
use kernel::sync::{
    aref::AlwaysRefCounted,
    rcu, //
};
use kernel_net::{
    net::{
        device::Features,
        rtnl,
        NetDevice, //
    },
    sync::RcuFreed,
};

/// The network device of a [`TapDev`].
#[repr(transparent)]
pub(crate) struct DevicePtr(*const NetDevice);

impl DevicePtr {
    pub(crate) fn get(&self) -> &NetDevice {
        // SAFETY: It is set before anything else is done.
        unsafe { &*self.0 }
    }
}

/// What a driver wants to be told.
#[repr(C)]
pub(crate) struct Callbacks {
    update_features: Option<unsafe extern "C" fn(*mut bindings::tap_dev, u64)>,
    count_tx_dropped: Option<unsafe extern "C" fn(*mut bindings::tap_dev)>,
    count_rx_dropped: Option<unsafe extern "C" fn(*mut bindings::tap_dev)>,
}

impl TapDev {
    pub(crate) fn update_features(&self, features: Features, _held: &mut rtnl::Held) {
        self.device().allowed.set(features);
    }

    pub(crate) fn count_tx_dropped(&self, _rcu: &rcu::Guard) {
        self.use_memory();
    }

    pub(crate) fn count_rx_dropped(&self, _rcu: &rcu::Guard) {
        self.use_memory();
    }

    /// As do the driver's functions. Fails if it is free.
    fn use_memory(&self) {
        self.offload();
    }
}

// SAFETY: As of the module's.
unsafe impl AlwaysRefCounted for TapDev {
    fn inc_ref(&self) {
        self.device().inc_ref();
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: There is a reference still.
        unsafe { NetDevice::dec_ref(obj.as_ref().device().into()) };
    }
}

// SAFETY: As of the module's.
unsafe impl RcuFreed for TapDev {}

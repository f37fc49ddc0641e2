// SPDX-License-Identifier: GPL-2.0

//! Network devices.

#[path = "../../../../../../rust/kernel/net/device/features.rs"]
mod features;

pub use features::Features;

use super::rtnl;
use core::{
    cell::Cell,
    ptr::NonNull,
    sync::atomic::{
        AtomicUsize,
        Ordering::Relaxed, //
    },
};
use kernel::{
    error::Result,
    sync::aref::AlwaysRefCounted, //
};

/// Space for the name of a device, with its final NUL.
pub const NAME_SIZE: usize = bindings_net::IFNAMSIZ as usize;

/// Size of a `struct sockaddr`, in bytes.
pub const SOCKADDR_SIZE: usize = size_of::<bindings_net::sockaddr>();

/// A network device.
pub struct NetDevice {
    references: AtomicUsize,
    address: Cell<[u8; SOCKADDR_SIZE]>,
    /// What those who use the device have been found to allow.
    pub allowed: Cell<Features>,
}

// SAFETY: The threads of an exploration take turns.
unsafe impl Sync for NetDevice {}
// SAFETY: As above.
unsafe impl Send for NetDevice {}

impl NetDevice {
    pub const NAME: [u8; NAME_SIZE] = *b"macvtap0\0\0\0\0\0\0\0\0";

    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            references: AtomicUsize::new(0),
            address: Cell::new([0; SOCKADDR_SIZE]),
            allowed: Cell::new(Features::ALL),
        }
    }

    /// Returns how many references there are.
    pub fn references(&self) -> usize {
        self.references.load(Relaxed)
    }

    pub fn tx_queue_len(&self) -> u32 {
        500
    }

    pub fn name(&self, _held: &rtnl::Held) -> [u8; NAME_SIZE] {
        Self::NAME
    }

    pub fn mac_address(&self, _held: &rtnl::Held) -> [u8; SOCKADDR_SIZE] {
        self.address.get()
    }

    pub fn set_mac_address(&self, sockaddr: [u8; SOCKADDR_SIZE], _held: &mut rtnl::Held) -> Result {
        self.address.set(sockaddr);
        Ok(())
    }
}

// SAFETY: Who has created it frees it, and looks at the references.
unsafe impl AlwaysRefCounted for NetDevice {
    fn inc_ref(&self) {
        self.references.fetch_add(1, Relaxed);
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: There is a reference still.
        let before = unsafe { obj.as_ref() }.references.fetch_sub(1, Relaxed);
        assert_ne!(before, 0, "a reference was dropped twice");
    }
}

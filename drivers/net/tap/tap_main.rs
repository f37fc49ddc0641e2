// SPDX-License-Identifier: GPL-2.0

//! Character devices through which user space, a virtual machine monitor as a rule, exchanges
//! frames with a network device: the common part of macvtap and ipvtap.
//!
//! | module       | what is in it                                                  |
//! |--------------|----------------------------------------------------------------|
//! | [`ffi`]      | the C boundary: what `if_tap.h` declares                       |
//! | [`chardev`]  | major and minor numbers, the operations of the open files      |
//! | [`device`]   | a network device's side: which queues are attached to it       |
//! | [`queue`]    | a file's side: its ring and its settings                       |
//! | [`gone`]     | what users of a file are told when its device is gone          |
//! | [`receive`]  | frames from the device into a ring                             |
//! | [`read`]     | frames from a ring to user space                               |
//! | [`transmit`] | frames from user space to the device                           |
//! | [`socket`]   | reading and writing by other kernel code: vhost-net            |
//! | [`ioctl`]    | the `TUN*` ioctls                                              |
//! | [`offload`]  | what user space can take, in terms of the device's features    |
//! | [`vnet`]     | the virtio-net header, and what it means for a packet          |
//!
//! An open file owns its queue, a socket; the device owns the queues that are attached to it, and
//! a queue owns a reference of its device. RTNL serialises all changes of that. Frames find their
//! queue, and queues their device, under RCU. See `Documentation/networking/macvtap.rst`.
//!
//! C headers: [`include/linux/if_tap.h`](srctree/include/linux/if_tap.h),
//! [`include/uapi/linux/if_tun.h`](srctree/include/uapi/linux/if_tun.h)

#![deny(unsafe_code)]

use kernel::prelude::*;

mod chardev;
mod device;
#[expect(unsafe_code, reason = "the C boundary")]
pub mod ffi;
mod gone;
mod ioctl;
mod offload;
mod queue;
mod read;
mod receive;
mod socket;
mod transmit;
mod vnet;

#[cfg(CONFIG_KUNIT = "y")]
#[expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]
mod tests;

module! {
    type: Tap,
    name: "tap",
    authors: ["The macvtap in Rust developers"],
    description: "Common library for drivers implementing the TAP interface, in Rust",
    license: "GPL",
    imports_ns: ["NETDEV_INTERNAL"],
}

kernel_net::module_metadata!();

/// The module. It is a library and does nothing by itself.
struct Tap;

impl kernel::Module for Tap {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

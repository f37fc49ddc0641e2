// SPDX-License-Identifier: GPL-2.0

//! The C boundary: what `if_tap.h` declares. The only unsafe code of the driver is here.
//!
//! tap.ko may be the one in Rust or the one in C.
//!
//! C header: [`include/linux/if_tap.h`](srctree/include/linux/if_tap.h)

use crate::link::Macvtap;
use bindings_net as bindings;
use core::mem::offset_of;
use kernel::{
    error::to_result,
    prelude::*,
    str::CStr,
    types::Opaque, //
};
use kernel_net::{
    cdev::DeviceNumber,
    class,
    compat::ModuleMetadata,
    net::{
        device::Features,
        macvlan::Link,
        rtnl,
        NetDevice, //
    },
};

/// What a link has beside macvlan's data.
#[pin_data]
pub(crate) struct Private {
    /// The queues.
    #[pin]
    pub(crate) tap: TapDev,
    /// The node, while there is one.
    pub(crate) node: rtnl::Cell<Option<class::Device>>,
}

impl Private {
    /// Creates what the link `device` has. Its readers can take packets with `offloads`.
    pub(crate) fn new(device: &NetDevice, offloads: Features) -> impl PinInit<Self> {
        let device = device.as_raw();
        // INVARIANT: `tap` is that of a `Private`, which rtnetlink makes for the device.
        pin_init!(Self {
            tap <- TapDev::new(device, offloads),
            node: rtnl::Cell::new(None),
        })
    }
}

/// tap's part of a link (`struct tap_dev`), and its minor number.
///
/// # Invariants
///
/// The structure is initialised as tap wants it, with the callbacks below. It is that of a
/// [`Private`], and its device is the link's.
#[pin_data]
#[repr(transparent)]
pub(crate) struct TapDev {
    #[pin]
    tap: Opaque<bindings::tap_dev>,
}

// SAFETY: tap accesses the structure under RTNL or RCU, and so do the methods below.
unsafe impl Send for TapDev {}
// SAFETY: As above.
unsafe impl Sync for TapDev {}

impl TapDev {
    /// Initialises a link's part. Only for [`Private::new`].
    fn new(device: *mut bindings::net_device, offloads: Features) -> impl PinInit<Self> {
        pin_init!(Self {
            tap <- Opaque::ffi_init(move |slot: *mut bindings::tap_dev| {
                // SAFETY: `slot` is valid for writing, and does not move. All zeroes is valid for
                // the structure.
                unsafe {
                    slot.write_bytes(0, 1);
                    let list = &raw mut (*slot).queue_list;
                    list.write(bindings::list_head { next: list, prev: list });
                    (*slot).tap_features = offloads.bits();
                    (*slot).update_features = Some(update_features);
                    (*slot).count_tx_dropped = Some(count_tx_dropped);
                    (*slot).count_rx_dropped = Some(count_rx_dropped);
                    // As early as that, because tap makes a minor number of its index.
                    (*slot).dev = device;
                }
            }),
        })
    }

    /// Gives the link a minor number.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is none left, `ENOMEM`.
    pub(crate) fn get_minor(&self, number: DeviceNumber, _held: &mut rtnl::Held) -> Result<u32> {
        // SAFETY: By the type invariants, the structure is valid, and stays so until the link is
        // unregistered, when it gives the number back. RTNL is held, and lent.
        to_result(unsafe { bindings::tap_get_minor(number.as_raw(), self.tap.get()) })?;
        // SAFETY: By the type invariants; the field changes under RTNL.
        Ok(u32::try_from(unsafe { (*self.tap.get()).minor })?)
    }

    /// Takes the minor number back, if there is one.
    pub(crate) fn free_minor(&self, number: DeviceNumber, _held: &mut rtnl::Held) {
        // SAFETY: By the type invariants, the structure is valid. RTNL is held, and lent.
        unsafe { bindings::tap_free_minor(number.as_raw(), self.tap.get()) };
    }

    /// Gives all queues the length of the device's transmit queue.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; all queues then have their old lengths.
    pub(crate) fn resize_queues(&self, _held: &mut rtnl::Held) -> Result {
        // SAFETY: By the type invariants, the structure is valid. RTNL is held, and lent.
        to_result(unsafe { bindings::tap_queue_resize(self.tap.get()) })
    }

    /// Detaches all queues: the link is going away.
    pub(crate) fn del_queues(&self, _held: &mut rtnl::Held) {
        // SAFETY: By the type invariants, the structure is valid. RTNL is held, and lent.
        unsafe { bindings::tap_del_queues(self.tap.get()) };
    }
}

/// Receiving, as far as tap is concerned.
pub(crate) trait Receive {
    /// Lets tap handle the frames that the link receives.
    ///
    /// # Errors
    ///
    /// `EBUSY` if someone else does.
    fn start_receiving(&self, held: &mut rtnl::Held) -> Result;

    /// Lets tap handle no more frames. When this returns, it does not.
    fn stop_receiving(&self, held: &mut rtnl::Held);
}

impl Receive for Link<'_, Macvtap> {
    fn start_receiving(&self, _held: &mut rtnl::Held) -> Result {
        // SAFETY: The device is valid, and the data of the handler the `struct tap_dev` that it
        // wants, which is part of the device. RTNL is held.
        to_result(unsafe {
            bindings::netdev_rx_handler_register(
                self.device().as_raw(),
                Some(bindings::tap_handle_frame),
                self.private().tap.tap.get().cast(),
            )
        })
    }

    fn stop_receiving(&self, _held: &mut rtnl::Held) {
        // SAFETY: The device is valid and has the handler. RTNL is held.
        unsafe { bindings::netdev_rx_handler_unregister(self.device().as_raw()) };
    }
}

/// Returns the link whose part `tap` is.
///
/// # Safety
///
/// `tap` must be the `struct tap_dev` of a link that is registered, or about to be, and stays valid
/// during `'a`.
unsafe fn link_of<'a>(tap: *mut bindings::tap_dev) -> Link<'a, Macvtap> {
    // SAFETY: By the safety requirements of this function.
    unsafe { Link::from_private(tap.byte_sub(offset_of!(Private, tap)).cast::<Private>()) }
}

/// # Safety
///
/// `tap` must be that of a valid link with queues. The caller holds RTNL, and has lent its
/// evidence.
unsafe extern "C" fn update_features(
    tap: *mut bindings::tap_dev,
    features: bindings::netdev_features_t,
) {
    // SAFETY: By the safety requirements of this function: there are queues, so it is registered.
    unsafe { link_of(tap).set_features(Features::from_bits(features), rtnl::Held::assume()) };
}

/// # Safety
///
/// `tap` must be that of a valid link with queues.
unsafe extern "C" fn count_tx_dropped(tap: *mut bindings::tap_dev) {
    // SAFETY: By the safety requirements of this function: there are queues, so it is registered.
    unsafe { link_of(tap).count_tx_dropped() };
}

/// # Safety
///
/// `tap` must be that of a valid link with queues.
unsafe extern "C" fn count_rx_dropped(tap: *mut bindings::tap_dev) {
    // SAFETY: By the safety requirements of this function: there are queues, so it is registered.
    unsafe { link_of(tap).count_rx_dropped() };
}

/// A major number whose nodes are tap's. Dropping it frees it.
///
/// # Invariants
///
/// `cdev` and `number` come from `tap_create_cdev()`.
#[pin_data(PinnedDrop)]
pub(crate) struct Chardev {
    #[pin]
    cdev: Opaque<bindings::cdev>,
    number: bindings::dev_t,
}

// SAFETY: It may be freed on any thread.
unsafe impl Send for Chardev {}
// SAFETY: Nothing can be done with a shared reference but to read the number.
unsafe impl Sync for Chardev {}

impl Chardev {
    /// Allocates a major number.
    ///
    /// # Errors
    ///
    /// `EBUSY` if there is none left, `ENOMEM`.
    pub(crate) fn new<M: ModuleMetadata>(name: &'static CStr) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            number: 0,
            cdev <- Opaque::try_ffi_init(move |cdev| {
                // SAFETY: `cdev` and the number are valid for writing and do not move, and the
                // name is a string. Dropping this frees the major number, which the module does
                // before it goes.
                to_result(unsafe {
                    bindings::tap_create_cdev(
                        cdev,
                        &raw mut (*this.as_ptr()).number,
                        name.as_char_ptr(),
                        M::THIS_MODULE.as_ptr(),
                    )
                })
            }),
        })
    }

    /// Returns the device number of minor 0.
    pub(crate) fn number(&self) -> DeviceNumber {
        DeviceNumber::from_raw(self.number)
    }
}

#[pinned_drop]
impl PinnedDrop for Chardev {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants. All nodes are gone.
        unsafe { bindings::tap_destroy_cdev(self.number, self.cdev.get()) };
    }
}

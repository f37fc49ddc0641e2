// SPDX-License-Identifier: GPL-2.0

//! The C boundary: what `if_tap.h` declares. The only unsafe code of the driver is here.
//!
//! tap.ko may be the one in Rust or the one in C.
//!
//! Unsafe: calls tap.ko by pointers into a link's private area, and is called with them.
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
    compat::ModuleMetadata,
    net::{
        device::Features,
        macvlan::{
            Link,
            NeverDropped,
            Registered, //
        },
        rtnl, //
    },
};

/// What a link has beside macvlan's data.
#[pin_data]
pub(crate) struct Private {
    #[pin]
    tap: TapDev,
    /// Whether tap handles the frames that the link receives.
    connected: rtnl::Cell<bool>,
    /// The device number of minor 0, if the link has a minor number of these.
    number: rtnl::Cell<Option<DeviceNumber>>,
}

impl Private {
    /// Creates what a link has. Its readers can take packets with `offloads`.
    pub(crate) fn new(offloads: Features) -> impl PinInit<Self> {
        pin_init!(Self {
            tap <- TapDev::new(offloads),
            connected: rtnl::Cell::new(false),
            number: rtnl::Cell::new(None),
        })
    }
}

// SAFETY: By the minor number and by the handler, tap finds the structure, and queues hold on to it:
// the minor number is given back, and the link disconnected. The rest need not be dropped.
unsafe impl NeverDropped<Macvtap> for Private {
    unsafe fn unregistered(link: Link<'_, Macvtap>, held: &mut rtnl::Held) {
        if let Some(number) = link.private().number.replace(None, held) {
            // SAFETY: The structure is valid. RTNL is held, and lent.
            unsafe { bindings::tap_free_minor(number.as_raw(), tap_of(&link)) };
        }
    }

    /// When this returns, tap handles no more frames.
    unsafe fn deleted(link: Link<'_, Macvtap>, held: &mut rtnl::Held) {
        if !link.private().connected.replace(false, held) {
            return;
        }
        // SAFETY: The device is valid and has the handler. The structure is valid, with its device
        // set. RTNL is held, and lent.
        unsafe {
            bindings::netdev_rx_handler_unregister(link.device());
            bindings::tap_del_queues(tap_of(&link));
        }
    }
}

/// tap's part of a link (`struct tap_dev`). Only with the [`Link`] can something be done with it.
///
/// # Invariants
///
/// The structure is initialised as tap wants it, with the callbacks below, but for its device.
#[pin_data]
#[repr(transparent)]
struct TapDev {
    #[pin]
    tap: Opaque<bindings::tap_dev>,
}

// SAFETY: tap accesses the structure under RTNL or RCU, and so do the functions below.
unsafe impl Send for TapDev {}
// SAFETY: As above.
unsafe impl Sync for TapDev {}

impl TapDev {
    fn new(offloads: Features) -> impl PinInit<Self> {
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
                }
            }),
        })
    }
}

/// A link, as far as tap is concerned.
pub(crate) trait TapLink {
    /// Connects the link with tap, which handles the frames that it receives from here on.
    ///
    /// # Errors
    ///
    /// `EBUSY` if someone else does.
    fn connect(&self, held: &mut rtnl::Held) -> Result;

    /// Gives all queues the length of the device's transmit queue. A link that is not connected has
    /// none.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; all queues then have their old lengths.
    fn resize_queues(&self, held: &mut rtnl::Held) -> Result;
}

/// Returns tap's part of a link, by a pointer that is good for all of [`Private`].
fn tap_of(link: &Link<'_, Macvtap>) -> *mut bindings::tap_dev {
    // SAFETY: The link's private data is valid.
    Opaque::cast_into(unsafe { &raw const (*link.private_ptr()).tap.tap })
}

impl TapLink for Link<'_, Macvtap> {
    fn connect(&self, held: &mut rtnl::Held) -> Result {
        let (device, tap) = (self.device(), tap_of(self));
        // The device as early as that, because tap makes a minor number of its index.
        //
        // SAFETY: The device is valid, and the data of the handler the `struct tap_dev` that it
        // wants, which is part of the device. RTNL is held.
        to_result(unsafe {
            (*tap).dev = device;
            bindings::netdev_rx_handler_register(
                device,
                Some(bindings::tap_handle_frame),
                tap.cast(),
            )
        })?;
        self.private().connected.set(true, held);
        Ok(())
    }

    fn resize_queues(&self, held: &mut rtnl::Held) -> Result {
        if !self.private().connected.get(held) {
            return Ok(());
        }
        // SAFETY: The structure is valid, with its device set. RTNL is held, and lent.
        to_result(unsafe { bindings::tap_queue_resize(tap_of(self)) })
    }
}

/// Gives a link a minor number, until it leaves its namespace. `number` is that of minor 0.
///
/// # Errors
///
/// `EEXIST` if it has one, `ENODEV` if it is not connected, `EINVAL` if there is none left, `ENOMEM`.
pub(crate) fn get_minor(
    link: &Registered<'_, Macvtap>,
    number: DeviceNumber,
    held: &mut rtnl::Held,
) -> Result<u32> {
    let link = link.link();
    if link.private().number.get(held).is_some() {
        return Err(EEXIST);
    }
    if !link.private().connected.get(held) {
        return Err(ENODEV);
    }
    let tap = tap_of(&link);
    // SAFETY: The structure is valid, with its device set, and stays so until `unregistered` has
    // given the number back. RTNL is held, and lent.
    to_result(unsafe { bindings::tap_get_minor(number.as_raw(), tap) })?;
    link.private().number.set(Some(number), held);
    // SAFETY: The structure is valid; the field changes under RTNL.
    Ok(u32::try_from(unsafe { (*tap).minor })?)
}

/// Returns the link whose part `tap` is.
///
/// # Safety
///
/// `tap` must be what [`tap_of`] returns for a link that is registered, or about to be, and stays
/// valid during `'a`.
unsafe fn link_of<'a>(tap: *mut bindings::tap_dev) -> Link<'a, Macvtap> {
    // SAFETY: By the safety requirements of this function.
    unsafe { Link::from_private(tap.byte_sub(offset_of!(Private, tap)).cast::<Private>()) }
}

/// # Safety
///
/// `tap` must be that of a link that is registered. The caller holds RTNL, and has lent its
/// evidence.
unsafe extern "C" fn update_features(
    tap: *mut bindings::tap_dev,
    features: bindings::netdev_features_t,
) {
    // SAFETY: By the safety requirements of this function.
    unsafe { link_of(tap).set_features(Features::from_bits(features), rtnl::Held::assume()) };
}

/// # Safety
///
/// `tap` must be that of a link that is registered, or was when the RCU read-side critical section
/// began that the caller is in.
unsafe extern "C" fn count_tx_dropped(tap: *mut bindings::tap_dev) {
    // SAFETY: By the safety requirements of this function.
    unsafe { link_of(tap).count_tx_dropped() };
}

/// # Safety
///
/// `tap` must be that of a link that is registered, or was when the RCU read-side critical section
/// began that the caller is in.
unsafe extern "C" fn count_rx_dropped(tap: *mut bindings::tap_dev) {
    // SAFETY: By the safety requirements of this function.
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

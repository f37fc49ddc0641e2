// SPDX-License-Identifier: GPL-2.0

//! Events of network devices.
//!
//! Unsafe: a callback that finds its handler behind the block that C has.
//!
//! C header: [`include/linux/netdevice.h`](srctree/include/linux/netdevice.h)

use super::{
    rtnl,
    NetDevice, //
};
use bindings_net as bindings;
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// What has happened to a device that is registered, or is about to (`enum netdev_cmd`).
///
/// What happens to a device before that, no handler is told: a [`NetDevice`] was registered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is being registered, or has come into this network namespace. An error prevents the
    /// former.
    Register,
    /// It is being unregistered, or leaves this network namespace.
    Unregister,
    /// Its `tx_queue_len` has changed. An error changes it back.
    ChangeTxQueueLen,
}

impl Event {
    fn from_raw(raw: c_ulong) -> Option<Self> {
        match u32::try_from(raw) {
            Ok(bindings::netdev_cmd_NETDEV_REGISTER) => Some(Self::Register),
            Ok(bindings::netdev_cmd_NETDEV_UNREGISTER) => Some(Self::Unregister),
            Ok(bindings::netdev_cmd_NETDEV_CHANGE_TX_QUEUE_LEN) => Some(Self::ChangeTxQueueLen),
            _ => None,
        }
    }
}

/// A handler of events.
pub trait Handler: Send + Sync + 'static {
    /// Handles an event of a device of any kind, in any network namespace.
    fn event(&self, event: Event, device: &NetDevice, held: &mut rtnl::Held) -> Result;
}

/// A registered handler of events. Dropping it unregisters it.
///
/// Both replay the registration, and unregistration, of all devices that are there.
///
/// # Invariants
///
/// `block` is registered, and its callback is that of `T`.
#[pin_data(PinnedDrop)]
#[repr(C)]
pub struct Registration<T: Handler> {
    // First: a pointer to this is a pointer to the whole.
    #[pin]
    block: Opaque<bindings::notifier_block>,
    handler: T,
}

// SAFETY: The notifier chain has a lock, and `T` may be used on any thread.
unsafe impl<T: Handler> Send for Registration<T> {}
// SAFETY: As above.
unsafe impl<T: Handler> Sync for Registration<T> {}

impl<T: Handler> Registration<T> {
    /// Registers a handler. Takes RTNL.
    ///
    /// # Errors
    ///
    /// What the handler returns for a device that is there.
    pub fn new(handler: T) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // Initialised before `block`, whose callback uses it.
            handler,
            block <- Opaque::try_ffi_init(|block: *mut bindings::notifier_block| {
                let mut init: bindings::notifier_block = pin_init::zeroed();
                init.notifier_call = Some(Self::callback);
                // SAFETY: `block` is valid for writing, and stays where it is. It is the first
                // field of a value whose `handler` is initialised.
                to_result(unsafe {
                    block.write(init);
                    bindings::register_netdevice_notifier(block)
                })
            }),
        })
    }

    /// # Safety
    ///
    /// `block` must be that of a `Registration<T>`, and `info` a `struct netdev_notifier_info`.
    /// The caller holds RTNL, and has lent its evidence.
    unsafe extern "C" fn callback(
        block: *mut bindings::notifier_block,
        event: c_ulong,
        info: *mut c_void,
    ) -> c_int {
        let Some(event) = Event::from_raw(event) else {
            return bindings::NOTIFY_DONE as c_int;
        };
        // SAFETY: By the safety requirements of this function; `block` is the first field.
        let handler = unsafe { &(*block.cast::<Self>()).handler };
        // SAFETY: By the safety requirements of this function, the device is valid meanwhile. With
        // these events it is registered, or was: `NETDEV_REGISTER` comes when nothing but the
        // handlers of that can fail any more, and then the device is unregistered.
        let device = unsafe {
            NetDevice::from_raw(bindings::netdev_notifier_info_to_dev(
                info.cast_const().cast(),
            ))
        };
        // While somebody keeps a device that was unregistered, who does is told so again and again.
        if device.was_unregistered() {
            return bindings::NOTIFY_DONE as c_int;
        }
        // SAFETY: By the safety requirements of this function.
        let held = unsafe { rtnl::Held::assume() };
        match handler.event(event, device, held) {
            Ok(()) => bindings::NOTIFY_DONE as c_int,
            // As `notifier_from_errno()` does it.
            //
            // OVERFLOW: Error numbers are small.
            Err(error) => {
                (bindings::NOTIFY_STOP_MASK as c_int)
                    | (bindings::NOTIFY_OK as c_int).wrapping_sub(error.to_errno())
            }
        }
    }
}

#[pinned_drop]
impl<T: Handler> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariants, the block is registered.
        unsafe { bindings::unregister_netdevice_notifier(self.block.get()) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The C boundary: what `if_tap.h` declares. The only unsafe code of the driver is here.
//!
//! The callers are drivers of tap links (macvtap, ipvtap), in C or in Rust, and vhost-net. What
//! they must do is the `# Safety` of each function.
//!
//! Unsafe: what C calls with pointers, and callbacks that get those back.
//!
//! C header: [`include/linux/if_tap.h`](srctree/include/linux/if_tap.h)

use crate::{
    chardev::{
        self,
        OPERATIONS, //
    },
    device::TapDev,
    queue::{
        Queue,
        QueueBorrow, //
    },
    receive::{
        self,
        Verdict, //
    },
};
use bindings_net as bindings;
use core::ptr::NonNull;
use kernel::{
    error::from_result,
    prelude::*,
    str::CStr,
    sync::{
        aref::AlwaysRefCounted,
        rcu, //
    },
};
use kernel_net::{
    cdev::{
        self,
        DeviceNumber, //
    },
    compat::rcu_barrier,
    net::{
        device::Features,
        rtnl,
        sock::RcuDrop,
        NetDevice,
        SkBuff, //
    },
    sync::{
        rcu_read_lock_held,
        RcuFreed, //
    },
};

/// Checks that functions have the prototypes of `if_tap.h`.
macro_rules! assert_prototypes {
    ($($function:ident)*) => {
        const _: () = {
            $(let _ = if true { bindings::$function } else { $function };)*
        };
    };
}

assert_prototypes! {
    tap_create_cdev
    tap_del_queues
    tap_destroy_cdev
    tap_free_minor
    tap_get_minor
    tap_get_ptr_ring
    tap_get_socket
    tap_handle_frame
    tap_queue_resize
}

/// The network device of a [`TapDev`], which its driver sets.
///
/// # Invariants
///
/// Once the `TapDev` is known as such, and not only as a [`DevHandle`], this is the device that owns
/// it, and nobody asks for it before that is registered.
#[repr(transparent)]
pub(crate) struct DevicePtr(*mut bindings::net_device);

// SAFETY: A device may be used on any thread, and the pointer does not change any more.
unsafe impl Send for DevicePtr {}
// SAFETY: As above.
unsafe impl Sync for DevicePtr {}

impl DevicePtr {
    #[inline]
    pub(crate) fn get(&self) -> &NetDevice {
        // SAFETY: By the type invariants; `self` is part of the device.
        unsafe { NetDevice::from_raw(self.0) }
    }
}

/// What a driver wants to be told.
///
/// # Invariants
///
/// The functions can be called with the `TapDev` that this is a part of while its device is
/// registered: `update_features` under RTNL, the others in an RCU read-side critical section that
/// has begun by then. Drivers free their counters before the device.
#[repr(C)]
pub(crate) struct Callbacks {
    update_features: Option<unsafe extern "C" fn(*mut bindings::tap_dev, u64)>,
    count_tx_dropped: Option<Counter>,
    count_rx_dropped: Option<Counter>,
}

type Counter = unsafe extern "C" fn(*mut bindings::tap_dev);

impl TapDev {
    /// Returns the pointer that the driver has handed out: it looks at what is around the structure,
    /// which a reference to that gives no right to.
    fn as_raw(&self) -> *mut bindings::tap_dev {
        core::ptr::with_exposed_provenance_mut(core::ptr::from_ref(self).addr())
    }

    /// Tells the driver which features users of the device allow.
    pub(crate) fn update_features(&self, features: Features, _held: &mut rtnl::Held) {
        match self.callbacks.update_features {
            Some(update_features) if self.device().is_registered() => {
                // SAFETY: By the type invariants of `Callbacks`. RTNL is held, and lent, because
                // notifiers run.
                unsafe { update_features(self.as_raw(), features.bits()) };
            }
            _ => {}
        }
    }

    /// Counts a frame from user space that was not sent.
    pub(crate) fn count_tx_dropped(&self, rcu: &rcu::Guard) {
        self.count(self.callbacks.count_tx_dropped, rcu);
    }

    /// Counts a frame that was received and not delivered.
    #[cold]
    pub(crate) fn count_rx_dropped(&self, rcu: &rcu::Guard) {
        self.count(self.callbacks.count_rx_dropped, rcu);
    }

    /// Calls one of the callbacks that count. A device that is going away counts no more.
    fn count(&self, counter: Option<Counter>, _rcu: &rcu::Guard) {
        match counter {
            // SAFETY: By the type invariants of `Callbacks`.
            Some(count) if self.device().is_registered() => unsafe { count(self.as_raw()) },
            _ => {}
        }
    }
}

// SAFETY: The structure is part of a network device, which is not freed while there is a
// reference.
unsafe impl AlwaysRefCounted for TapDev {
    fn inc_ref(&self) {
        self.device().inc_ref();
    }

    unsafe fn dec_ref(obj: NonNull<Self>) {
        // SAFETY: By the safety requirements of this function, there is a reference still.
        let device = unsafe { obj.as_ref() }.device();
        // SAFETY: As above.
        unsafe { NetDevice::dec_ref(device.into()) };
    }
}

// SAFETY: Queues drop their references when they are detached, under RTNL: at the latest in
// `tap_del_queues()`, which drivers call before they unregister the device. Unregistration waits
// for a grace period after that, then for all references, and only then frees the device.
unsafe impl RcuFreed for TapDev {}

// SAFETY: What there is to drop is a reference of a device, which is put, and the ring: its packets
// and its memory may be freed in any context.
unsafe impl RcuDrop for Queue {}

/// A [`TapDev`] that has a minor number, but maybe no device yet.
///
/// # Invariants
///
/// The pointer is valid while RTNL is held.
pub(crate) struct DevHandle(NonNull<TapDev>);

// SAFETY: The pointer is followed under RTNL only, and `TapDev` may be used on any thread.
unsafe impl Send for DevHandle {}
// SAFETY: As above.
unsafe impl Sync for DevHandle {}

impl DevHandle {
    /// Returns the `TapDev`, if it has a device.
    pub(crate) fn get<'a>(&'a self, _held: &'a rtnl::Held) -> Option<&'a TapDev> {
        let tap = self.0.as_ptr();
        // SAFETY: By the type invariants. Drivers set the device under RTNL, once.
        if unsafe { (*tap).device.0 }.is_null() {
            return None;
        }
        // SAFETY: By the type invariants; there is a device.
        Some(unsafe { &*tap })
    }
}

/// Receive handler of a tap link: `struct tap_dev` is the handler's data.
///
/// # Safety
///
/// * `*pskb` must be a packet that the caller owns, with a device, and an Ethernet header before
///   its start. The caller keeps it if this returns `RX_HANDLER_PASS`, and not otherwise.
/// * The handler data of the device must be null, or a valid `struct tap_dev` whose device is set.
/// * Must be called in an RCU read-side critical section, with bottom halves off.
#[no_mangle]
pub unsafe extern "C" fn tap_handle_frame(
    pskb: *mut *mut bindings::sk_buff,
) -> bindings::rx_handler_result_t {
    // SAFETY: By the safety requirements of this function. The handler data is an RCU-protected
    // pointer to what is initialised completely before frames arrive.
    let (skb, tap) = unsafe {
        let skb = *pskb;
        let device = (*skb)
            .__bindgen_anon_1
            .__bindgen_anon_1
            .__bindgen_anon_1
            .dev;
        let tap = &raw const (*device.cast::<bindings::net_device>()).rx_handler_data;
        (skb, tap.read_volatile().cast::<TapDev>())
    };
    // SAFETY: By the safety requirements of this function.
    let Some(tap) = (unsafe { tap.as_ref() }) else {
        return bindings::rx_handler_result::RX_HANDLER_PASS;
    };
    // SAFETY: By the safety requirements of this function.
    let verdict =
        unsafe { receive::handle_frame(tap, SkBuff::from_raw(skb), rcu_read_lock_held()) };
    match verdict {
        Verdict::Consumed => bindings::rx_handler_result::RX_HANDLER_CONSUMED,
        Verdict::Pass(skb) => {
            // The caller keeps it.
            let _ = skb.into_raw();
            bindings::rx_handler_result::RX_HANDLER_PASS
        }
    }
}

/// Detaches all queues of a device that is going away.
///
/// # Safety
///
/// `tap` must be valid, with its device set. The caller holds RTNL, and must call this before it
/// unregisters the device.
#[no_mangle]
pub unsafe extern "C" fn tap_del_queues(tap: *mut bindings::tap_dev) {
    // SAFETY: By the safety requirements of this function.
    let (tap, held) = unsafe { (&*tap.cast::<TapDev>(), rtnl::Held::assume()) };
    tap.detach_all(held);
}

/// Gives a device a minor number, in `tap->minor`.
///
/// Returns 0, or `-EINVAL` if there is none, or no such major number, or `-ENOMEM`.
///
/// # Safety
///
/// `tap` must be valid, and whenever RTNL is held stay so until it is given to
/// [`tap_free_minor`]. The caller holds RTNL.
#[no_mangle]
pub unsafe extern "C" fn tap_get_minor(
    major: bindings::dev_t,
    tap: *mut bindings::tap_dev,
) -> c_int {
    from_result(|| {
        let tap = NonNull::new(tap.cast::<TapDev>()).ok_or(EINVAL)?;
        // SAFETY: By the safety requirements of this function.
        let held = unsafe { rtnl::Held::assume() };
        let major = DeviceNumber::from_raw(major).major();
        // INVARIANT: By the safety requirements of this function.
        let minor = chardev::get_minor(major, DevHandle(tap), held)?;
        // SAFETY: By the safety requirements of this function.
        unsafe { &(*tap.as_ptr()).minor }.set(minor as i32, held);
        Ok(0)
    })
}

/// Takes the minor number of a device back, if it has one.
///
/// # Safety
///
/// `tap` must be valid. The caller holds RTNL.
#[no_mangle]
pub unsafe extern "C" fn tap_free_minor(major: bindings::dev_t, tap: *mut bindings::tap_dev) {
    // SAFETY: By the safety requirements of this function.
    let (minor, held) = unsafe {
        (
            &(*tap.cast::<TapDev>()).minor,
            rtnl::Held::assume(), //
        )
    };
    if let Ok(minor @ 1..) = u32::try_from(minor.replace(0, held)) {
        chardev::free_minor(DeviceNumber::from_raw(major).major(), minor, held);
    }
}

/// Gives all rings of a device the length of its transmit queue.
///
/// Returns 0 or `-ENOMEM`.
///
/// # Safety
///
/// `tap` must be valid, with its device set. The caller holds RTNL.
#[no_mangle]
pub unsafe extern "C" fn tap_queue_resize(tap: *mut bindings::tap_dev) -> c_int {
    // SAFETY: By the safety requirements of this function.
    let (tap, held) = unsafe { (&*tap.cast::<TapDev>(), rtnl::Held::assume()) };
    from_result(|| tap.resize(held).map(|()| 0))
}

/// Returns the queue that an open file owns.
///
/// # Safety
///
/// `file` must be valid and stay open during `'a`.
unsafe fn queue_of<'a>(file: *mut bindings::file) -> Result<QueueBorrow<'a>> {
    // SAFETY: By the safety requirements of this function.
    unsafe { OPERATIONS.data_of(file) }.ok_or(EINVAL)
}

/// Returns the socket of an open file, or `-EINVAL` if it is not one of ours.
///
/// # Safety
///
/// `file` must be valid. The caller keeps it open while it uses the socket.
#[no_mangle]
pub unsafe extern "C" fn tap_get_socket(file: *mut bindings::file) -> *mut bindings::socket {
    // SAFETY: By the safety requirements of this function.
    match unsafe { queue_of(file) } {
        Ok(queue) => {
            // vhost-net looks at the ring, but never reads, and takes no file that says an error.
            queue.notice.withdraw();
            queue.as_socket()
        }
        Err(error) => error.to_ptr(),
    }
}

/// Returns the ring of received frames of an open file, or `-EINVAL` if it is not one of ours.
///
/// # Safety
///
/// `file` must be valid. The caller keeps it open while it uses the ring, and takes only `sk_buff`s
/// out and puts only those back.
#[no_mangle]
pub unsafe extern "C" fn tap_get_ptr_ring(file: *mut bindings::file) -> *mut bindings::ptr_ring {
    // SAFETY: By the safety requirements of this function.
    match unsafe { queue_of(file) } {
        Ok(queue) => queue.ring.as_raw(),
        Err(error) => error.to_ptr(),
    }
}

/// Allocates a major number for a driver's nodes, in `*number`, and makes them work.
///
/// Returns 0 or an error number.
///
/// # Safety
///
/// * `cdev` must be valid for writing, and stay so until it is given to [`tap_destroy_cdev`], as
///   must be `module`.
/// * `number` must be valid for writing, and `name` a string.
/// * The caller does not hold RTNL.
#[no_mangle]
pub unsafe extern "C" fn tap_create_cdev(
    cdev: *mut bindings::cdev,
    number: *mut bindings::dev_t,
    name: *const c_char,
    module: *mut bindings::module,
) -> c_int {
    from_result(|| {
        // SAFETY: By the safety requirements of this function.
        let added = unsafe { cdev::add(cdev, CStr::from_char_ptr(name), &OPERATIONS, module) }?;
        if let Err(error) = chardev::add_major(added.major(), &mut rtnl::lock()) {
            // SAFETY: It was added just now.
            unsafe { cdev::remove(cdev, added) };
            return Err(error);
        }
        // SAFETY: By the safety requirements of this function.
        unsafe { *number = added.as_raw() };
        Ok(0)
    })
}

/// Frees what [`tap_create_cdev`] has allocated.
///
/// Queues that were closed are freed when this returns, so that this module may be unloaded as
/// soon as its last user is.
///
/// # Safety
///
/// `number` and `cdev` must come from a successful call of [`tap_create_cdev`], and no device have
/// a minor number of it. The caller does not hold RTNL.
#[no_mangle]
pub unsafe extern "C" fn tap_destroy_cdev(number: bindings::dev_t, cdev: *mut bindings::cdev) {
    let number = DeviceNumber::from_raw(number);
    // SAFETY: By the safety requirements of this function.
    unsafe { cdev::remove(cdev, number) };
    chardev::remove_major(number.major(), &mut rtnl::lock());
    rcu_barrier();
}

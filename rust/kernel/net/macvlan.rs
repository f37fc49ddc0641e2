// SPDX-License-Identifier: GPL-2.0

//! Kinds of links that are made over macvlan.
//!
//! Everything here is generic: only a module with such a kind depends on macvlan.
//!
//! Unsafe: callbacks with a device, and data that lies behind it.
//!
//! C headers: [`include/linux/if_macvlan.h`](srctree/include/linux/if_macvlan.h),
//! [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

use super::{
    device::{
        Features,
        NewDevice, //
    },
    rtnl,
    NetDevice, //
};
use crate::compat::raw_init;
use bindings_net as bindings;
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    str::{
        as_char_ptr_in_const_context,
        CStr, //
    },
    sync::atomic::{
        Acquire,
        Atomic,
        AtomicFlag,
        Release, //
    },
    types::Opaque, //
};

/// What a link may have beside macvlan's data: its memory is freed without dropping it, because
/// rtnetlink does so without notice.
///
/// # Safety
///
/// When a link's [`LinkKind::dellink`] has returned, and, if it was registered, the handlers of the
/// following [`Event::Unregister`](super::notifier::Event::Unregister) have, nothing may be left of
/// the value that must be dropped before its memory is used for something else.
pub unsafe trait NeverDropped {}

/// A kind of link over macvlan.
///
/// All of macvlan's attributes and modes work with it.
pub trait LinkKind: Sized + Send + Sync + 'static {
    /// The kind, as in `ip link add type KIND`.
    const KIND: &'static CStr;

    /// What each link has beside macvlan's data.
    ///
    /// It is initialised when a link is made.
    type Private: NeverDropped + Send + Sync;

    /// Sets the defaults of a device that is being made.
    fn setup(device: &NewDevice);

    /// Initialises what a link has.
    fn private() -> impl PinInit<Self::Private>;

    /// Gets a link ready. Its device is registered afterwards.
    fn newlink(link: Link<'_, Self>, held: &mut rtnl::Held) -> Result;

    /// Undoes [`newlink`](Self::newlink). The device is unregistered afterwards, or could not be
    /// registered.
    fn dellink(link: Link<'_, Self>, held: &mut rtnl::Held);
}

/// A device's private area, which rtnetlink zeroes.
///
/// # Invariants
///
/// If `initialised` is set, `data` is.
#[repr(C)]
struct Private<P> {
    // First: macvlan finds its data there.
    vlan: Opaque<bindings::macvlan_dev>,
    initialised: Atomic<bool>,
    data: P,
}

/// A link of some kind, whose device need not be registered yet.
///
/// # Invariants
///
/// The device is valid during `'a`. Its private area is a `Private<T::Private>`, and `data` is
/// initialised.
pub struct Link<'a, T: LinkKind> {
    device: NonNull<bindings::net_device>,
    _kind: PhantomData<(&'a T::Private, T)>,
}

impl<T: LinkKind> Clone for Link<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: LinkKind> Copy for Link<'_, T> {}

impl<'a, T: LinkKind> Link<'a, T> {
    /// Returns the link that `private` belongs to.
    ///
    /// # Safety
    ///
    /// `private` must be what [`private_ptr`](Self::private_ptr) returns for a link that is
    /// registered, or about to be, and stays valid during `'a`.
    pub unsafe fn from_private(private: *const T::Private) -> Self {
        // SAFETY: By the safety requirements of this function, it is a field of that structure.
        // macvlan sets `dev` before it registers the device.
        let device = unsafe {
            let area = private.byte_sub(offset_of!(Private<T::Private>, data));
            NonNull::new_unchecked((*area.cast::<bindings::macvlan_dev>()).dev)
        };
        // INVARIANT: By the safety requirements of this function.
        Self {
            device,
            _kind: PhantomData,
        }
    }

    /// Returns the C device.
    pub fn device(&self) -> *mut bindings::net_device {
        self.device.as_ptr()
    }

    fn area(&self) -> *mut Private<T::Private> {
        // SAFETY: By the type invariants, the device is valid.
        unsafe { bindings::netdev_priv(self.device()) }.cast()
    }

    fn vlan(&self) -> *mut bindings::macvlan_dev {
        self.area().cast()
    }

    /// Returns what the link has beside macvlan's data.
    pub fn private(&self) -> Pin<&'a T::Private> {
        // SAFETY: By the type invariants, the data is initialised; it does not move.
        unsafe { Pin::new_unchecked(&*self.private_ptr()) }
    }

    /// Returns a pointer to that, from which [`from_private`](Self::from_private) finds back.
    pub fn private_ptr(&self) -> *mut T::Private {
        // SAFETY: By the type invariants, the area is valid.
        unsafe { &raw mut (*self.area()).data }
    }

    /// Counts a packet that could not be sent.
    ///
    /// # Safety
    ///
    /// The device must be registered, or have been so since the RCU read-side critical section began
    /// that the caller is in.
    #[inline]
    pub unsafe fn count_tx_dropped(&self) {
        // SAFETY: By the type invariants, the structure is valid. By the safety requirements of
        // this function, macvlan has initialised it, and not freed the counters.
        unsafe { bindings::macvlan_inc_tx_dropped(self.vlan()) };
    }

    /// Counts a packet that was received and could not be delivered.
    ///
    /// # Safety
    ///
    /// The device must be registered, or have been so since the RCU read-side critical section began
    /// that the caller is in.
    #[inline]
    pub unsafe fn count_rx_dropped(&self) {
        // SAFETY: By the type invariants, the structure is valid. By the safety requirements of
        // this function, macvlan has initialised it, and not freed the counters.
        unsafe { bindings::macvlan_count_rx(self.vlan(), 0, false, false) };
    }

    /// Sets which of the features that a user may change may be on.
    ///
    /// # Safety
    ///
    /// The device must be registered.
    pub unsafe fn set_features(&self, features: Features, held: &mut rtnl::Held) {
        // SAFETY: By the type invariants, the structure is valid; this field is accessed under
        // RTNL.
        unsafe { (*self.vlan()).set_features = features.bits() };
        // SAFETY: By the safety requirements of this function.
        unsafe { NetDevice::from_raw(self.device()) }.update_features(held);
    }
}

/// The C table of a kind of links (`struct rtnl_link_ops`). Declare it as a `static`.
///
/// # Invariants
///
/// The callbacks are those of `T`.
pub struct LinkOps<T> {
    // Registration writes to it.
    ops: Opaque<bindings::rtnl_link_ops>,
    registered: AtomicFlag,
    _kind: PhantomData<T>,
}

// SAFETY: Only rtnetlink writes to the table, with locks of its own.
unsafe impl<T> Sync for LinkOps<T> {}

impl<T: LinkKind> LinkOps<T> {
    /// Creates the table of `T`.
    pub const fn new() -> Self {
        const {
            // rtnetlink allocates the area, and knows the size of it.
            assert!(align_of::<Private<T::Private>>() <= align_of::<bindings::macvlan_dev>());
        }
        let mut ops: bindings::rtnl_link_ops = pin_init::zeroed();
        ops.kind = as_char_ptr_in_const_context(T::KIND);
        ops.priv_size = size_of::<Private<T::Private>>();
        ops.setup = Some(Self::setup);
        ops.newlink = Some(Self::newlink);
        ops.dellink = Some(Self::dellink);
        ops.get_link_net = Some(Self::link_net);
        // INVARIANT: All callbacks are those of `T`.
        Self {
            ops: Opaque::new(ops),
            registered: AtomicFlag::new(false),
            _kind: PhantomData,
        }
    }

    /// Returns the link that a device is, if it is of this kind, and has got as far as
    /// [`LinkKind::newlink`].
    pub fn link_of<'a>(&'static self, device: &'a NetDevice) -> Option<Link<'a, T>> {
        if !device.has_link_ops(self.ops.get()) {
            return None;
        }
        let link = Link {
            device: NonNull::from(device).cast(),
            _kind: PhantomData,
        };
        // SAFETY: The area has the size that this table says, and was zeroed.
        let initialised = unsafe { &(*link.area()).initialised }.load(Acquire);
        // INVARIANT: By the type invariants of `Private`.
        initialised.then_some(link)
    }

    /// # Safety
    ///
    /// `dev` must be valid, and being made with this table.
    unsafe extern "C" fn setup(dev: *mut bindings::net_device) {
        // SAFETY: By the safety requirements of this function.
        let device = unsafe {
            bindings::macvlan_common_setup(dev);
            NewDevice::from_raw(dev)
        };
        T::setup(device);
    }

    /// # Safety
    ///
    /// `dev` must be valid and made with this table, but not registered, `params` and `extack`
    /// valid. The caller holds RTNL, and has lent its evidence.
    unsafe extern "C" fn newlink(
        dev: *mut bindings::net_device,
        params: *mut bindings::rtnl_newlink_params,
        extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        from_result(|| {
            let link = Link {
                // SAFETY: By the safety requirements of this function, the device is valid.
                device: unsafe { NonNull::new_unchecked(dev) },
                _kind: PhantomData,
            };
            let area = link.area();
            // INVARIANT: `data` is initialised before that is said of it, and before the link is
            // used as one.
            // SAFETY: By the safety requirements of this function, the area has the size that the
            // table says, was zeroed, and does not move. Nobody else knows of `data` yet.
            unsafe {
                raw_init(&raw mut (*area).data, T::private());
                (*area).initialised.store(true, Release);
            }
            // SAFETY: By the safety requirements of this function.
            let held = unsafe { rtnl::Held::assume() };
            T::newlink(link, held)?;
            // Nothing that can fail may follow, because there is no way back from success.
            //
            // SAFETY: By the safety requirements of this function. RTNL is held, and lent, because
            // notifiers run.
            to_result(unsafe { bindings::macvlan_common_newlink(dev, params, extack) })
                .inspect_err(|_| T::dellink(link, held))?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `dev` must be valid and made with this table, `head` null or valid. The caller holds RTNL,
    /// and has lent its evidence.
    unsafe extern "C" fn dellink(dev: *mut bindings::net_device, head: *mut bindings::list_head) {
        // INVARIANT: `newlink` has initialised the private area.
        let link = Link {
            // SAFETY: By the safety requirements of this function, the device is valid.
            device: unsafe { NonNull::new_unchecked(dev) },
            _kind: PhantomData,
        };
        // SAFETY: As above.
        T::dellink(link, unsafe { rtnl::Held::assume() });
        // SAFETY: As above.
        unsafe { bindings::macvlan_dellink(dev, head) };
    }

    /// # Safety
    ///
    /// `dev` must be valid and made with this table. The caller holds RTNL or is in an RCU
    /// read-side critical section.
    unsafe extern "C" fn link_net(dev: *const bindings::net_device) -> *mut bindings::net {
        // SAFETY: By the safety requirements of this function; macvlan's data comes first, and
        // its lower device stays as long as the link.
        unsafe {
            let vlan = bindings::netdev_priv(dev).cast::<bindings::macvlan_dev>();
            bindings::dev_net((*vlan).lowerdev)
        }
    }
}

impl<T: LinkKind> Default for LinkOps<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A registered kind of links. Dropping it deletes all links of the kind.
///
/// # Invariants
///
/// The table is registered.
pub struct Registration<T: LinkKind>(&'static LinkOps<T>);

impl<T: LinkKind> Registration<T> {
    /// Registers a kind of links (`macvlan_link_register()`).
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is one.
    pub fn new(ops: &'static LinkOps<T>) -> Result<Self> {
        // rtnetlink does not survive the same table a second time.
        if ops.registered.xchg(true, Acquire) {
            return Err(EEXIST);
        }
        // SAFETY: The table is static, not registered, and complete but for what macvlan adds.
        let registered = to_result(unsafe { bindings::macvlan_link_register(ops.ops.get()) });
        if let Err(error) = registered {
            ops.registered.store(false, Release);
            return Err(error);
        }
        // INVARIANT: It is registered now.
        Ok(Self(ops))
    }
}

impl<T: LinkKind> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::rtnl_link_unregister(self.0.ops.get()) };
        self.0.registered.store(false, Release);
    }
}

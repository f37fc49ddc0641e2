// SPDX-License-Identifier: GPL-2.0

//! Kinds of links that are made over macvlan.
//!
//! Everything here is generic: only a module with such a kind depends on macvlan.
//!
//! Unsafe: data that lies behind a device, whose memory is not this one's.
//!
//! C headers: [`include/linux/if_macvlan.h`](srctree/include/linux/if_macvlan.h),
//! [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

mod events;
mod ops;
mod options;

pub use events::Registered;
pub use ops::LinkOps;
pub use options::Options;

use super::{
    device::{
        Features,
        NewDevice, //
    },
    notifier,
    rtnl,
    NetDevice, //
};
use crate::class;
use bindings_net as bindings;
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::NonNull, //
};
use events::Events;
use kernel::{
    error::to_result,
    prelude::*,
    str::CStr,
    sync::atomic::{
        Acquire,
        Atomic,
        Release, //
    },
    types::Opaque, //
};

/// What a link may have beside macvlan's data: its memory is freed without dropping it, because
/// rtnetlink does so without notice.
///
/// # Safety
///
/// After [`unregistered`](Self::unregistered), if the link was registered, and
/// [`deleted`](Self::deleted), nothing may be left of the value that must be dropped before its
/// memory is used for something else. Either may be called without what it undoes having been done,
/// and in any order.
pub unsafe trait NeverDropped<T: LinkKind> {
    /// Undoes [`LinkKind::registered`], successful or not. The link has no node any more.
    ///
    /// # Safety
    ///
    /// The link must be leaving its network namespace, or [`LinkKind::registered`] have failed.
    unsafe fn unregistered(link: Link<'_, T>, held: &mut rtnl::Held);

    /// Undoes [`LinkKind::newlink`], successful or not.
    ///
    /// # Safety
    ///
    /// The device must be about to be unregistered, or could not be registered.
    unsafe fn deleted(link: Link<'_, T>, held: &mut rtnl::Held);
}

/// A kind of link over macvlan.
///
/// All of macvlan's attributes and modes work with it.
pub trait LinkKind: Sized + Send + Sync + 'static {
    /// The kind, as in `ip link add type KIND`.
    const KIND: &'static CStr;

    /// What each link has beside macvlan's data.
    ///
    /// It is initialised when a link is made.
    type Private: NeverDropped<Self> + Send + Sync;

    /// What each link can be told.
    type Options: Options;

    /// What all links of the kind have in common. It is dropped after the last link is gone.
    type Common: Send + Sync + 'static;

    /// Sets the defaults of a device that is being made.
    fn setup(device: &NewDevice);

    /// Initialises what a link has.
    fn private() -> impl PinInit<Self::Private>;

    /// Gets a link ready. Its device is registered afterwards.
    fn newlink(link: Link<'_, Self>, held: &mut rtnl::Held) -> Result;

    /// Does what a link wants when it is registered, or has come into another network namespace.
    /// An error prevents the former.
    fn registered(
        common: &Self::Common,
        link: Registered<'_, Self>,
        held: &mut rtnl::Held,
    ) -> Result;

    /// Does what a link wants when its `tx_queue_len` has changed. An error changes it back.
    fn tx_queue_len_changed(link: Link<'_, Self>, held: &mut rtnl::Held) -> Result;
}

/// A device's private area, which rtnetlink zeroes.
///
/// # Invariants
///
/// If `initialised` is set, `node`, `options` and `data` are.
#[repr(C)]
struct Private<P, O> {
    // First: macvlan finds its data there.
    vlan: Opaque<bindings::macvlan_dev>,
    initialised: Atomic<bool>,
    // There are none when the memory is freed: devices that are registered are unregistered first.
    node: rtnl::Cell<Option<class::Device>>,
    options: options::Current<O>,
    data: P,
}

/// The private area of a kind's devices.
type Area<T> = Private<<T as LinkKind>::Private, <T as LinkKind>::Options>;

/// A link of some kind, whose device need not be registered yet.
///
/// # Invariants
///
/// The device is valid during `'a`. Its private area is an `Area<T>`, and `node`, `options` and
/// `data` are initialised.
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
            let area = private.byte_sub(offset_of!(Area<T>, data));
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

    fn area(&self) -> *mut Area<T> {
        // SAFETY: By the type invariants, the device is valid.
        unsafe { bindings::netdev_priv(self.device()) }.cast()
    }

    fn vlan(&self) -> *mut bindings::macvlan_dev {
        self.area().cast()
    }

    fn node(&self) -> &'a rtnl::Cell<Option<class::Device>> {
        // SAFETY: By the type invariants, it is initialised; references of it are shared.
        unsafe { &(*self.area()).node }
    }

    fn options(&self) -> &'a options::Current<T::Options> {
        // SAFETY: By the type invariants, they are initialised; references of it are shared.
        unsafe { &(*self.area()).options }
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
        let device = unsafe { NetDevice::from_raw(self.device()) };
        // SAFETY: macvlan links have no lock of their own.
        unsafe { device.update_features(held) };
    }
}

/// A registered kind of links. Dropping it deletes all links of the kind.
// Fields are dropped in order: when what follows the links goes, there are none.
#[pin_data]
pub struct Registration<T: LinkKind> {
    _table: Table<T>,
    #[pin]
    _events: notifier::Registration<Events<T>>,
    _claim: Claim<T>,
}

impl<T: LinkKind> Registration<T> {
    /// Registers a kind of links (`rtnl_link_register()`). Takes RTNL.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is one, `ENOMEM`.
    pub fn new(ops: &'static LinkOps<T>, common: T::Common) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            _claim: Claim::new(ops)?,
            _events <- notifier::Registration::new(Events { ops, common }),
            _table: Table::new(_claim)?,
        })
    }
}

/// The right to register a table: rtnetlink does not survive the same one a second time.
///
/// # Invariants
///
/// It is the only one.
struct Claim<T: LinkKind>(&'static LinkOps<T>);

impl<T: LinkKind> Claim<T> {
    fn new(ops: &'static LinkOps<T>) -> Result<Self> {
        if ops.registered.xchg(true, Acquire) {
            return Err(EEXIST);
        }
        // INVARIANT: Nobody else gets one while the flag is set.
        Ok(Self(ops))
    }
}

impl<T: LinkKind> Drop for Claim<T> {
    fn drop(&mut self) {
        self.0.registered.store(false, Release);
    }
}

/// A table that is registered. Dropping it deletes all links of its kind.
///
/// # Invariants
///
/// The table is registered.
struct Table<T: LinkKind>(&'static LinkOps<T>);

impl<T: LinkKind> Table<T> {
    /// Registers the table of `claim`, with which that has not been done.
    fn new(claim: &Claim<T>) -> Result<Self> {
        // SAFETY: The table is static, and not registered, as only the owner of the claim can do
        // so.
        to_result(unsafe {
            claim.0.complete();
            bindings::rtnl_link_register(claim.0.ops.get())
        })?;
        // INVARIANT: It is registered now.
        Ok(Self(claim.0))
    }
}

impl<T: LinkKind> Drop for Table<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants.
        unsafe { bindings::rtnl_link_unregister(self.0.ops.get()) };
    }
}

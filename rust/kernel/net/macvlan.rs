// SPDX-License-Identifier: GPL-2.0

//! Kinds of links that are made over macvlan.
//!
//! Everything here is generic: only a module with such a kind depends on macvlan.
//!
//! Unsafe: callbacks with a device, and data that lies behind it.
//!
//! C headers: [`include/linux/if_macvlan.h`](srctree/include/linux/if_macvlan.h),
//! [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

mod events;
mod options;

pub use events::Registered;
pub use options::Options;

use super::{
    device::{
        Features,
        NewDevice, //
    },
    netlink::{
        ExtAck,
        Message, //
    },
    notifier,
    rtnl,
    NetDevice, //
};
use crate::{
    class,
    compat::{
        eopnotsupp,
        raw_init, //
    }, //
};
use bindings_net as bindings;
use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::{
        self,
        NonNull, //
    },
};
use events::Events;
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
use options::{
    Configurable,
    InfoData, //
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
    fn unregistered(link: Link<'_, T>, held: &mut rtnl::Held);

    /// Undoes [`LinkKind::newlink`], successful or not. The device is unregistered afterwards, or
    /// could not be registered.
    fn deleted(link: Link<'_, T>, held: &mut rtnl::Held);
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
        unsafe { NetDevice::from_raw(self.device()) }.update_features(held);
    }
}

/// How many attributes of a kind rtnetlink has space for, the first of which is none.
const ATTRIBUTES: usize = 51;

/// The C table of a kind of links (`struct rtnl_link_ops`). Declare it as a `static`.
///
/// # Invariants
///
/// The callbacks are those of `T`.
pub struct LinkOps<T> {
    // Registration writes to all of these.
    ops: Opaque<bindings::rtnl_link_ops>,
    /// macvlan's own callbacks.
    macvlan: Opaque<bindings::rtnl_link_ops>,
    policy: Opaque<[bindings::nla_policy; ATTRIBUTES]>,
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
            assert!(align_of::<Area<T>>() <= align_of::<bindings::macvlan_dev>());
        }
        let mut ops: bindings::rtnl_link_ops = pin_init::zeroed();
        ops.kind = as_char_ptr_in_const_context(T::KIND);
        ops.priv_size = size_of::<Area<T>>();
        ops.setup = Some(Self::setup);
        ops.newlink = Some(Self::newlink);
        ops.dellink = Some(Self::dellink);
        ops.get_link_net = Some(Self::link_net);
        // INVARIANT: All callbacks are those of `T`.
        Self {
            ops: Opaque::new(ops),
            macvlan: pin_init::zeroed(),
            policy: pin_init::zeroed(),
            registered: AtomicFlag::new(false),
            _kind: PhantomData,
        }
    }

    /// Completes the table with what macvlan's links have, and the attribute of the kind's own.
    ///
    /// # Safety
    ///
    /// The table must not be registered, and nobody else use it meanwhile.
    unsafe fn complete(&'static self) {
        const {
            assert!((T::Options::ATTRIBUTE as usize) < ATTRIBUTES);
        }
        let (ops, macvlan) = (self.ops.get(), self.macvlan.get());
        // This fills a table in, and then finds that there is such a kind, unless macvlan itself is
        // still about to register it.
        //
        // SAFETY: By the safety requirements of this function. A table with a kind and without
        // callbacks is one that no link can be made with.
        unsafe {
            (*macvlan).kind = as_char_ptr_in_const_context(c"macvlan");
            if bindings::macvlan_link_register(macvlan) == 0 {
                bindings::rtnl_link_unregister(macvlan);
            }
        }
        // SAFETY: By the safety requirements of this function. macvlan's policy has an entry for
        // each attribute that its table has, and there is space for those.
        unsafe {
            let policy = self.policy.get().cast::<bindings::nla_policy>();
            let own = T::Options::ATTRIBUTE.into();
            // The entries are those of the types up to the largest one.
            let entries = ((*macvlan).maxtype as usize).saturating_add(1).min(own);
            policy.copy_from_nonoverlapping((*macvlan).policy, entries);
            let own = policy.add(own);
            (*own).type_ = bindings::NLA_NESTED as u8;
            (*ops).validate = (*macvlan).validate;
            (*ops).maxtype = T::Options::ATTRIBUTE.into();
            (*ops).policy = policy;
            (*ops).changelink = Some(Self::changelink);
            (*ops).get_size = Some(Self::size);
            (*ops).fill_info = Some(Self::fill_info);
        }
    }

    /// Returns the table that a device was made with.
    ///
    /// # Safety
    ///
    /// `dev` must be valid and made with a table of `T`.
    unsafe fn of(dev: *const bindings::net_device) -> &'static Self {
        // SAFETY: By the safety requirements of this function; such tables are static.
        unsafe {
            let ops = (*dev).rtnl_link_ops;
            &*ops.byte_sub(offset_of!(Self, ops)).cast::<Self>()
        }
    }

    /// Returns macvlan's own callbacks.
    fn macvlan(&'static self) -> &'static bindings::rtnl_link_ops {
        // SAFETY: Nobody changes them once there is a link.
        unsafe { &*self.macvlan.get() }
    }

    /// Returns the link that a device is, if it is of this kind, and has got as far as
    /// [`LinkKind::newlink`].
    fn link_of<'a>(&'static self, device: &'a NetDevice) -> Option<Link<'a, T>> {
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
            // INVARIANT: They are initialised before that is said of them, and before the link is
            // used as one.
            // SAFETY: By the safety requirements of this function, the area has the size that the
            // table says, was zeroed, and does not move. Nobody else knows of the fields yet.
            unsafe {
                (&raw mut (*area).node).write(rtnl::Cell::new(None));
                raw_init(&raw mut (*area).options, options::Current::new());
                raw_init(&raw mut (*area).data, T::private());
                (*area).initialised.store(true, Release);
            }
            // SAFETY: As above.
            let (info, words, held) = unsafe {
                (
                    InfoData::new((*params).data),
                    ExtAck::from_raw(extack),
                    rtnl::Held::assume(),
                )
            };
            let request = info.request(info.is_passthru(), &words)?;
            T::newlink(link, held)
                .and_then(|()| {
                    // Nothing that can fail may follow, because there is no way back from success.
                    //
                    // SAFETY: By the safety requirements of this function. RTNL is held, and lent,
                    // because notifiers run.
                    to_result(unsafe { bindings::macvlan_common_newlink(dev, params, extack) })
                })
                .inspect_err(|_| T::Private::deleted(link, held))?;
            if !request.has_options() {
                return Ok(0);
            }
            let mut none = [ptr::null_mut(); ATTRIBUTES];
            // SAFETY: The link is registered now, and stays so while RTNL is held. The array has
            // space for all attributes.
            let (configurable, flags_only) =
                unsafe { (Configurable::new(link), InfoData::new(none.as_mut_ptr())) };
            configurable
                .change(request, held, |flags, _| {
                    // SAFETY: By the safety requirements of this function.
                    unsafe { Self::macvlan_change(dev, (*params).tb, &flags_only, flags, extack) }
                })
                .inspect_err(|_| {
                    let list = Opaque::<bindings::list_head>::uninit();
                    let head = list.get();
                    // SAFETY: As above. The list is empty at first, does not move, and is empty
                    // again when this is done. Who called this frees the device when nobody uses
                    // it any more.
                    unsafe {
                        head.write(bindings::list_head {
                            next: head,
                            prev: head,
                        });
                        Self::dellink(dev, head);
                        bindings::unregister_netdevice_many(head);
                    }
                })?;
            Ok(0)
        })
    }

    /// Has macvlan change a link as it is told, but for the flags if there are `flags`.
    ///
    /// # Safety
    ///
    /// `dev` must be registered and made with this table, `tb` and `extack` valid. The caller holds
    /// RTNL, and has lent its evidence.
    unsafe fn macvlan_change(
        dev: *mut bindings::net_device,
        tb: *mut *mut bindings::nlattr,
        info: &InfoData<'_, T::Options>,
        flags: Option<u16>,
        extack: *mut bindings::netlink_ext_ack,
    ) -> Result {
        // SAFETY: By the safety requirements of this function.
        let change = unsafe { Self::of(dev) }.macvlan().changelink;
        let change = change.ok_or_else(eopnotsupp)?;
        info.with_flags(flags, |data| {
            // SAFETY: As above; the device is a macvlan link, and the array as macvlan wants it.
            to_result(unsafe { change(dev, tb, data, extack) })
        })
    }

    /// # Safety
    ///
    /// `dev` must be registered and made with this table, `tb` valid, `data` null or what rtnetlink
    /// has parsed with this table's policy, and `extack` valid. The caller holds RTNL, and has lent
    /// its evidence.
    unsafe extern "C" fn changelink(
        dev: *mut bindings::net_device,
        tb: *mut *mut bindings::nlattr,
        data: *mut *mut bindings::nlattr,
        extack: *mut bindings::netlink_ext_ack,
    ) -> c_int {
        from_result(|| {
            // INVARIANT: `newlink` has initialised the private area.
            let link = Link::<T> {
                // SAFETY: By the safety requirements of this function, the device is valid.
                device: unsafe { NonNull::new_unchecked(dev) },
                _kind: PhantomData,
            };
            // SAFETY: By the safety requirements of this function.
            let (link, info, words, held) = unsafe {
                (
                    Configurable::new(link),
                    InfoData::new(data),
                    ExtAck::from_raw(extack),
                    rtnl::Held::assume(),
                )
            };
            let request = info.request(link.is_passthru(), &words)?;
            link.change(request, held, |flags, _| {
                // SAFETY: By the safety requirements of this function.
                unsafe { Self::macvlan_change(dev, tb, &info, flags, extack) }
            })?;
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// `dev` must be valid and made with this table. The caller holds RTNL or is in an RCU
    /// read-side critical section.
    unsafe extern "C" fn size(dev: *const bindings::net_device) -> usize {
        // SAFETY: By the safety requirements of this function.
        let (ops, device) = unsafe { (Self::of(dev), NetDevice::from_raw(dev.cast_mut())) };
        let options = ops.link_of(device).and_then(|link| link.options().get());
        let macvlan = ops.macvlan().get_size.map_or(0, |size| {
            // SAFETY: As above; the device is a macvlan link.
            unsafe { size(dev) }
        });
        macvlan.saturating_add(options.map_or(0, |options| options.size()))
    }

    /// # Safety
    ///
    /// `skb` must be valid, and nobody else use it, `dev` be valid and made with this table. The
    /// caller holds RTNL or is in an RCU read-side critical section.
    unsafe extern "C" fn fill_info(
        skb: *mut bindings::sk_buff,
        dev: *const bindings::net_device,
    ) -> c_int {
        from_result(|| {
            // SAFETY: By the safety requirements of this function.
            let (ops, device) = unsafe { (Self::of(dev), NetDevice::from_raw(dev.cast_mut())) };
            if let Some(fill) = ops.macvlan().fill_info {
                // SAFETY: As above; the device is a macvlan link.
                to_result(unsafe { fill(skb, dev) })?;
            }
            if let Some(options) = ops.link_of(device).and_then(|link| link.options().get()) {
                // SAFETY: By the safety requirements of this function.
                options.fill(unsafe { Message::from_raw(skb) })?;
            }
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
        // SAFETY: As above; the link is registered.
        let (configurable, held) = unsafe { (Configurable::new(link), rtnl::Held::assume()) };
        configurable.end(held);
        T::Private::deleted(link, held);
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

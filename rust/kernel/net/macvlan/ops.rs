// SPDX-License-Identifier: GPL-2.0

//! The table by which rtnetlink makes links of a kind, changes them, tells of them and deletes them.
//!
//! Unsafe: callbacks with a device, and a table that macvlan completes.
//!
//! C headers: [`include/linux/if_macvlan.h`](srctree/include/linux/if_macvlan.h),
//! [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

use super::{
    options::{
        self,
        Configurable,
        InfoData,
        Options, //
    },
    Area,
    Link,
    LinkKind,
    NeverDropped, //
};
use crate::{
    compat::{
        eopnotsupp,
        raw_init, //
    },
    net::{
        device::NewDevice,
        netlink::{
            ExtAck,
            Message, //
        },
        rtnl,
        NetDevice, //
    },
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
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    str::as_char_ptr_in_const_context,
    sync::atomic::{
        Acquire,
        AtomicFlag,
        Release, //
    },
    types::Opaque, //
};

/// How many attributes of a kind rtnetlink has space for, the first of which is none.
const ATTRIBUTES: usize = 51;

/// The C table of a kind of links (`struct rtnl_link_ops`). Declare it as a `static`.
///
/// # Invariants
///
/// The callbacks are those of `T`.
pub struct LinkOps<T> {
    // Registration writes to all of these.
    pub(super) ops: Opaque<bindings::rtnl_link_ops>,
    /// macvlan's own callbacks.
    macvlan: Opaque<bindings::rtnl_link_ops>,
    policy: Opaque<[bindings::nla_policy; ATTRIBUTES]>,
    pub(super) registered: AtomicFlag,
    _kind: PhantomData<T>,
}

// SAFETY: Who registers the table completes it before, alone; then only rtnetlink writes to it, with
// locks of its own.
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
    pub(super) unsafe fn complete(&'static self) {
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
    pub(super) fn link_of<'a>(&'static self, device: &'a NetDevice) -> Option<Link<'a, T>> {
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
                    // Nothing of the driver's that can fail may follow, because what undoes success
                    // is to delete the link.
                    //
                    // SAFETY: By the safety requirements of this function. RTNL is held, and lent,
                    // because notifiers run.
                    to_result(unsafe { bindings::macvlan_common_newlink(dev, params, extack) })
                })
                .inspect_err(|_| {
                    // SAFETY: The device could not be registered.
                    unsafe { T::Private::deleted(link, held) }
                })?;
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
    /// `dev` must be valid, made with this table, and registered. The caller holds RTNL or is in an RCU
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
    /// `skb` must be valid, and nobody else use it, `dev` be valid, made with this table, and
    /// registered. The caller holds RTNL or is in an RCU read-side critical section.
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
                options.fill(&mut unsafe { Message::from_raw(skb) })?;
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
        // SAFETY: As above; the device is unregistered by what follows.
        unsafe {
            T::Private::deleted(link, held);
            bindings::macvlan_dellink(dev, head);
        }
    }

    /// # Safety
    ///
    /// `dev` must be valid, made with this table, and registered. The caller holds RTNL or is in an RCU
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

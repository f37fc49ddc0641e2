// SPDX-License-Identifier: GPL-2.0

//! What a link can be told beside what macvlan knows: an attribute of its own.
//!
//! Unsafe: attributes that rtnetlink has parsed, one of which is put into another one's place.
//!
//! C headers: [`include/uapi/linux/if_link.h`](srctree/include/uapi/linux/if_link.h),
//! [`include/net/rtnetlink.h`](srctree/include/net/rtnetlink.h)

use super::{
    Link,
    LinkKind, //
};
use crate::{
    compat::changing_flags,
    net::{
        device::Reception,
        netlink::{
            Attribute,
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
    mem::{
        self,
        offset_of, //
    },
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        Arc,
        SpinLock, //
    },
};

/// macvlan's flag of a link that does not have its lower device receive all frames.
const NOPROMISC: u16 = bindings::MACVLAN_FLAG_NOPROMISC as u16;

/// macvlan's mode of a link that has its lower device for itself.
const PASSTHRU: u32 = bindings::macvlan_mode_MACVLAN_MODE_PASSTHRU;

/// What a link of some kind can be told, in one attribute beside macvlan's
/// (`IFLA_INFO_DATA`).
pub trait Options: Sized + Send + Sync + 'static {
    /// The attribute. It is nested, and none that macvlan has.
    const ATTRIBUTE: u16;

    /// Parses it; `None` if it says that the link is to have no options any more. `passthru` tells
    /// whether the link has its lower device for itself.
    ///
    /// # Errors
    ///
    /// Any, with a word to the user.
    fn parse<'a>(
        attribute: Attribute<'a>,
        passthru: bool,
        extack: &ExtAck<'a>,
    ) -> Result<Option<Self>>;

    /// Returns whether the lower device is to receive all frames; if not, the link has macvlan's
    /// flag `nopromisc` while it has these options.
    fn is_promiscuous(&self) -> bool;

    /// Returns what the link wants to receive, each time the same.
    fn receptions(&self) -> &[Reception];

    /// Returns how much space [`fill`](Self::fill) needs, in bytes.
    fn size(&self) -> usize;

    /// Tells users of them.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is not enough space.
    fn fill(&self, message: &mut Message<'_>) -> Result;
}

/// The options of a link.
#[pin_data]
pub(super) struct Current<O> {
    // A lock of its own: users may be told of it without RTNL.
    #[pin]
    options: SpinLock<Option<Arc<O>>>,
    /// Whether devices have been asked for what these want to receive.
    asked: rtnl::Cell<bool>,
    /// Whether the link would have the flag `nopromisc` without options.
    nopromisc: rtnl::Cell<bool>,
}

impl<O: Options> Current<O> {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            options <- kernel::new_spinlock!(None),
            asked: rtnl::Cell::new(false),
            nopromisc: rtnl::Cell::new(false),
        })
    }

    pub(super) fn get(&self) -> Option<Arc<O>> {
        self.options.lock().clone()
    }

    fn replace(&self, new: Option<Arc<O>>) -> Option<Arc<O>> {
        mem::replace(&mut *self.options.lock(), new)
    }
}

/// What a user asks for: options if the link is to have others, and macvlan's flags if these are
/// to be others.
pub(super) struct Request<O> {
    options: Option<Option<Arc<O>>>,
    flags: Option<u16>,
}

impl<O> Request<O> {
    pub(super) fn has_options(&self) -> bool {
        matches!(self.options, Some(Some(_)))
    }
}

/// A link that is registered, and so has a lower device.
///
/// # Invariants
///
/// It is, and stays so during `'a`.
pub(super) struct Configurable<'a, T: LinkKind> {
    link: Link<'a, T>,
}

impl<'a, T: LinkKind> Configurable<'a, T> {
    /// # Safety
    ///
    /// The link must be registered, and stay so during `'a`.
    pub(super) unsafe fn new(link: Link<'a, T>) -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self { link }
    }

    fn current(&self) -> &'a Current<T::Options> {
        self.link.options()
    }

    /// Returns whether the link has its lower device for itself.
    pub(super) fn is_passthru(&self) -> bool {
        // SAFETY: By the type invariants, macvlan has set the field. It changes under RTNL, but
        // not to this, nor from it.
        let mode = unsafe { ptr::read_volatile(&raw const (*self.link.vlan()).mode) };
        mode == PASSTHRU
    }

    /// Returns who is asked: the link for addresses, which macvlan passes on while the link is up,
    /// and the lower device for what macvlan does not pass on.
    fn whom(&self, what: Reception) -> &'a NetDevice {
        let dev = match what {
            Reception::Unicast(_) | Reception::Multicast(_) => self.link.device(),
            // SAFETY: By the type invariants, macvlan has set the field.
            Reception::AllMulticast | Reception::Vlan(_) => unsafe { (*self.link.vlan()).lowerdev },
        };
        // SAFETY: By the type invariants, the link is registered; its lower device is as long.
        unsafe { NetDevice::from_raw(dev) }
    }

    /// Asks for all of these, or for nothing.
    fn ask(&self, all: &[Reception], held: &mut rtnl::Held) -> Result {
        for (done, &what) in all.iter().enumerate() {
            self.whom(what).receive(what, held).inspect_err(|_| {
                // SAFETY: So far, it has asked for these.
                unsafe { self.give_up(all.iter().take(done), held) }
            })?;
        }
        Ok(())
    }

    /// Gives up what [`ask`](Self::ask) has asked for.
    ///
    /// # Safety
    ///
    /// It must have asked for all of these, and for each more often than this was called for it.
    unsafe fn give_up<'b>(
        &self,
        all: impl IntoIterator<Item = &'b Reception>,
        held: &mut rtnl::Held,
    ) {
        for &what in all {
            // SAFETY: By the safety requirements of this function. By the type invariants, the link
            // and its lower device are registered.
            unsafe { self.whom(what).stop_receiving(what, held) };
        }
    }

    /// Does what a user asks for. `macvlan` does macvlan's part, with other flags than the user has
    /// asked for if it gets some. If that fails, nothing changes.
    ///
    /// # Errors
    ///
    /// Those of [`NetDevice::receive`] and of `macvlan`.
    pub(super) fn change(
        &self,
        request: Request<T::Options>,
        held: &mut rtnl::Held,
        macvlan: impl FnOnce(Option<u16>, &mut rtnl::Held) -> Result,
    ) -> Result {
        let current = self.current();
        let old = current.get();
        let changes = request.options.is_some();
        let new = request.options.unwrap_or_else(|| old.clone());
        // SAFETY: By the type invariants, macvlan has set the field; it changes under RTNL.
        let now = unsafe { (*self.link.vlan()).flags };
        let nopromisc = match (request.flags, &old) {
            (None, Some(_)) => current.nopromisc.get(held),
            (flags, _) => flags.unwrap_or(now) & NOPROMISC != 0,
        };
        let effective = match &new {
            Some(options) => !options.is_promiscuous(),
            None => nopromisc,
        };
        // Whoever asks for nothing that changes the flags leaves them alone.
        let flags = (changes || request.flags.is_some()).then(|| {
            let others = request.flags.unwrap_or(now) & !NOPROMISC;
            others | if effective { NOPROMISC } else { 0 }
        });

        let added = match &new {
            Some(options) if changes => options.receptions(),
            _ => &[],
        };
        self.ask(added, held)?;
        // Without options the flags are macvlan's business alone, as in C.
        let ours = flags.filter(|_| new.is_some() || old.is_some());
        // SAFETY: By the type invariants, the link is registered. RTNL is held.
        let changed = unsafe { changing_flags(self.link.vlan(), ours, || macvlan(flags, held)) };
        changed.inspect_err(|_| {
            // SAFETY: It has just asked for these.
            unsafe { self.give_up(added, held) }
        })?;
        current.nopromisc.set(nopromisc, held);
        if changes {
            let asked = current.asked.replace(new.is_some(), held);
            current.replace(new);
            if let (true, Some(old)) = (asked, old) {
                // SAFETY: As `asked` said, it had asked for these when they came to be the options.
                unsafe { self.give_up(old.receptions(), held) };
            }
        }
        Ok(())
    }

    /// The link leaves its network namespace, and with it what it has asked for.
    pub(super) fn leave(&self, held: &mut rtnl::Held) {
        if let (true, Some(options)) = (
            self.current().asked.replace(false, held),
            self.current().get(),
        ) {
            // SAFETY: As `asked` said, it has asked for these.
            unsafe { self.give_up(options.receptions(), held) };
        }
    }

    /// The link has come into a network namespace.
    ///
    /// # Errors
    ///
    /// Those of [`NetDevice::receive`].
    pub(super) fn enter(&self, held: &mut rtnl::Held) -> Result {
        if let Some(options) = self.current().get() {
            self.ask(options.receptions(), held)?;
            self.current().asked.set(true, held);
        }
        Ok(())
    }

    /// The link goes, and with it its options.
    pub(super) fn end(&self, held: &mut rtnl::Held) {
        self.leave(held);
        self.current().replace(None);
    }
}

/// What rtnetlink has parsed of `IFLA_INFO_DATA` for a link with options `O`.
///
/// # Invariants
///
/// The pointer is null, or points to an array of pointers, one for each attribute up to
/// [`Options::ATTRIBUTE`], which are null or point to attributes that are as the policy wants them,
/// and stay so during `'a`.
pub(super) struct InfoData<'a, O> {
    data: *mut *mut bindings::nlattr,
    _attributes: PhantomData<(&'a bindings::nlattr, O)>,
}

impl<'a, O: Options> InfoData<'a, O> {
    /// # Safety
    ///
    /// `data` must be as the type invariants want it.
    pub(super) unsafe fn new(data: *mut *mut bindings::nlattr) -> Self {
        const {
            assert!(bindings::__IFLA_MACVLAN_MAX <= O::ATTRIBUTE as u32);
        }
        // INVARIANT: By the safety requirements of this function.
        Self {
            data,
            _attributes: PhantomData,
        }
    }

    /// Returns where the pointer to an attribute is, of those up to [`Options::ATTRIBUTE`].
    fn place(&self, kind: u16) -> Option<NonNull<*mut bindings::nlattr>> {
        if kind > O::ATTRIBUTE {
            return None;
        }
        let data = NonNull::new(self.data)?;
        // SAFETY: By the type invariants, there is one.
        Some(unsafe { data.add(kind.into()) })
    }

    fn get(&self, kind: u16) -> Option<Attribute<'a>> {
        // SAFETY: By the type invariants.
        let attribute = NonNull::new(unsafe { *self.place(kind)?.as_ptr() })?;
        // SAFETY: As above.
        Some(unsafe { Attribute::from_raw(attribute) })
    }

    fn value<const N: usize>(&self, kind: u32) -> Option<[u8; N]> {
        self.get(kind as u16)?.payload().first_chunk().copied()
    }

    /// Returns what the user asks for, of a link that has its lower device for itself if `passthru`
    /// says so.
    ///
    /// # Errors
    ///
    /// Those of [`Options::parse`], and `ENOMEM`.
    pub(super) fn request(&self, passthru: bool, extack: &ExtAck<'a>) -> Result<Request<O>> {
        let options = match self.get(O::ATTRIBUTE) {
            None => None,
            Some(attribute) => Some(match O::parse(attribute, passthru, extack)? {
                None => None,
                Some(options) => Some(Arc::new(options, GFP_KERNEL)?),
            }),
        };
        Ok(Request {
            options,
            flags: self
                .value(bindings::IFLA_MACVLAN_FLAGS)
                .map(u16::from_ne_bytes),
        })
    }

    /// Returns whether the user wants a link to have its lower device for itself.
    pub(super) fn is_passthru(&self) -> bool {
        self.value(bindings::IFLA_MACVLAN_MODE)
            .is_some_and(|mode| u32::from_ne_bytes(mode) == PASSTHRU)
    }

    /// Calls `f` with the array, in which the flags are `flags` meanwhile if there are some.
    pub(super) fn with_flags<R>(
        &self,
        flags: Option<u16>,
        f: impl FnOnce(*mut *mut bindings::nlattr) -> R,
    ) -> R {
        let place = self.place(bindings::IFLA_MACVLAN_FLAGS as u16);
        let (Some(flags), Some(place)) = (flags, place) else {
            return f(self.data);
        };
        let mut attribute = FlagsAttribute::new(flags);
        // SAFETY: By the type invariants, the place is valid, and nobody else looks at it
        // meanwhile.
        let asked = unsafe { place.replace((&raw mut attribute).cast()) };
        let result = f(self.data);
        // SAFETY: As above.
        unsafe { place.write(asked) };
        result
    }
}

/// An attribute with macvlan's flags, as it stands in a message.
#[repr(C)]
struct FlagsAttribute {
    header: bindings::nlattr,
    flags: u16,
    padding: u16,
}

impl FlagsAttribute {
    fn new(flags: u16) -> Self {
        Self {
            header: bindings::nlattr {
                // What is behind the flags does not count.
                nla_len: offset_of!(Self, padding) as u16,
                nla_type: bindings::IFLA_MACVLAN_FLAGS as u16,
            },
            flags,
            padding: 0,
        }
    }
}

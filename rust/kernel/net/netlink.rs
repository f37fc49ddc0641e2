// SPDX-License-Identifier: GPL-2.0

//! Attributes of netlink messages: those that users send, and those that they are told.
//!
//! Unsafe: messages that C code has allocated, and goes on to use.
//!
//! C header: [`include/net/netlink.h`](srctree/include/net/netlink.h)

use bindings_net as bindings;
use core::{
    marker::PhantomData,
    mem,
    ptr::NonNull,
    slice, //
};
use kernel::{
    error::to_result,
    prelude::*,
    str::CStr, //
};

/// Length of what comes before an attribute's payload, in bytes.
const HEADER: usize = size_of::<bindings::nlattr>();

/// What attributes are aligned to in a message, in bytes.
const ALIGN: usize = bindings::NLA_ALIGNTO as usize;

/// Length of the longest attribute, in bytes.
const LONGEST: usize = u16::MAX as usize;

/// Returns how much of a message an attribute with such a payload takes, in bytes
/// (`nla_total_size()`).
pub const fn total_size(payload: usize) -> usize {
    // Nothing in memory is that long.
    payload.saturating_add(HEADER).saturating_add(ALIGN - 1) & !(ALIGN - 1)
}

/// An attribute that a user has sent (`struct nlattr`).
///
/// # Invariants
///
/// `bytes` starts with a header, and is as long as that says.
#[derive(Clone, Copy)]
pub struct Attribute<'a> {
    bytes: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// Uses a C attribute.
    ///
    /// # Safety
    ///
    /// `attr` must point to an attribute that is as long as it says, and that nobody changes during
    /// `'a`.
    pub(crate) unsafe fn from_raw(attr: NonNull<bindings::nlattr>) -> Self {
        // SAFETY: By the safety requirements of this function.
        let bytes = unsafe {
            let len = (*attr.as_ptr()).nla_len;
            slice::from_raw_parts(attr.as_ptr().cast::<u8>(), usize::from(len))
        };
        // INVARIANT: By the safety requirements of this function.
        Self { bytes }
    }

    /// Takes the first attribute off `bytes`, with what is behind it to align the next; `None` if
    /// there is none.
    fn split_first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let len = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        if len < HEADER {
            return None;
        }
        let (bytes, rest) = (bytes.get(..len)?, bytes.get(len..)?);
        // OVERFLOW: It wraps to what is left to the next multiple.
        let padding = len.wrapping_neg() % ALIGN;
        // INVARIANT: It has the length that was read there.
        Some((Self { bytes }, rest.get(padding..).unwrap_or_default()))
    }

    /// Returns which attribute it is, of those that may stand where it stands.
    pub fn kind(self) -> u16 {
        let kind = self
            .bytes
            .get(2..)
            .and_then(|bytes| bytes.first_chunk())
            .map_or(0, |&kind| u16::from_ne_bytes(kind));
        kind & bindings::NLA_TYPE_MASK as u16
    }

    /// Returns what it says.
    pub fn payload(self) -> &'a [u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    /// Returns the attributes in it.
    pub fn nested(self) -> Attributes<'a> {
        Attributes {
            rest: self.payload(),
        }
    }
}

/// Attributes one after the other.
pub struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    /// `EINVAL` for what is no attribute, which is the last one then.
    type Item = Result<Attribute<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = mem::take(&mut self.rest);
        if bytes.is_empty() {
            return None;
        }
        let Some((first, rest)) = Attribute::split_first(bytes) else {
            return Some(Err(EINVAL));
        };
        self.rest = rest;
        Some(Ok(first))
    }
}

/// Where the user who sent a message is told what is wrong with it (`struct netlink_ext_ack`).
///
/// # Invariants
///
/// The pointer is null, or valid during `'a`, in which the message stays as it is.
pub struct ExtAck<'a> {
    extack: *mut bindings::netlink_ext_ack,
    // Invariant: what is told of an attribute is told of the same message's.
    _message: PhantomData<fn(&'a ()) -> &'a ()>,
}

impl<'a> ExtAck<'a> {
    /// Uses C's structure.
    ///
    /// # Safety
    ///
    /// `extack` must be null, or valid during `'a`, in which the message stays as it is. When that
    /// ends, it is read only while the message is as it was.
    pub(crate) unsafe fn from_raw(extack: *mut bindings::netlink_ext_ack) -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self {
            extack,
            _message: PhantomData,
        }
    }

    /// Says what is wrong (`NL_SET_ERR_MSG()`), and with which attribute (`NL_SET_BAD_ATTR()`).
    pub fn refuse(&self, attribute: Attribute<'a>, message: &'static CStr) {
        if self.extack.is_null() {
            return;
        }
        // SAFETY: By the type invariants. The attribute is a part of the message.
        unsafe {
            (*self.extack)._msg = message.as_char_ptr();
            (*self.extack).bad_attr = attribute.bytes.as_ptr().cast();
        }
    }
}

/// A message that users are sent, while it is being filled (`struct sk_buff`).
///
/// # Invariants
///
/// The packet is valid during `'a`, and nobody else uses it.
pub struct Message<'a> {
    skb: *mut bindings::sk_buff,
    _packet: PhantomData<&'a mut bindings::sk_buff>,
}

impl Message<'_> {
    /// Uses a C packet.
    ///
    /// # Safety
    ///
    /// `skb` must be valid during the lifetime of what is returned, and nobody else use it.
    pub(crate) unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self {
            skb,
            _packet: PhantomData,
        }
    }

    /// Adds an attribute.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is not enough space, or an attribute cannot be that long.
    pub fn put(&mut self, kind: u16, payload: &[u8]) -> Result {
        if total_size(payload.len()) > LONGEST {
            return Err(EMSGSIZE);
        }
        // SAFETY: By the type invariants. The payload has that length.
        to_result(unsafe {
            bindings::nla_put(
                self.skb,
                kind.into(),
                payload.len() as c_int,
                payload.as_ptr().cast(),
            )
        })
    }

    /// Adds an attribute that holds those that `fill` adds. If that fails, none is added.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` if there is not enough space, or an attribute cannot be that long; and those of
    /// `fill`.
    pub fn nest(&mut self, kind: u16, fill: impl FnOnce(&mut Self) -> Result) -> Result {
        // SAFETY: By the type invariants.
        let start = unsafe { bindings::nla_nest_start(self.skb, kind.into()) };
        if start.is_null() {
            return Err(EMSGSIZE);
        }
        fill(self)
            // SAFETY: By the type invariants. It was started there, and what was added since then
            // is behind it.
            .and_then(|()| to_result(unsafe { bindings::nla_nest_end_safe(self.skb, start) }))
            // SAFETY: As above.
            .inspect_err(|_| unsafe { bindings::nla_nest_cancel(self.skb, start) })
    }
}

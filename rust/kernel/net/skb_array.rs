// SPDX-License-Identifier: GPL-2.0

//! Rings of packets.
//!
//! Unsafe: a ring of pointers, in C's layout, which C code may use as well.
//!
//! C headers: [`include/linux/skb_array.h`](srctree/include/linux/skb_array.h),
//! [`include/linux/ptr_ring.h`](srctree/include/linux/ptr_ring.h)

use super::{
    ptr_ring::{
        Consumer,
        Producer, //
    },
    rtnl,
    DropReason,
    SkBuff, //
};
use bindings_net as bindings;
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    types::Opaque, //
};

/// A ring of packets, between several producers and several consumers (`struct skb_array`).
///
/// Its `struct ptr_ring` may be handed to C code that takes packets out, as vhost-net does. A
/// packet in a ring has no device, because it may outlive any.
///
/// # Invariants
///
/// The ring is initialised, and each non-null entry is a packet that the ring owns.
#[pin_data(PinnedDrop)]
#[repr(transparent)]
pub struct SkbArray {
    #[pin]
    ring: Opaque<bindings::ptr_ring>,
}

// SAFETY: A ring and the packets in it may be used on any thread.
unsafe impl Send for SkbArray {}
// SAFETY: A ring has locks of its own.
unsafe impl Sync for SkbArray {}

impl SkbArray {
    /// Creates a ring of `size` packets. One of none takes no packet.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the memory cannot be had, or `size` is out of all proportion.
    pub fn new(size: u32) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            ring <- Opaque::try_ffi_init(move |ring| {
                let size = c_int::try_from(size).map_err(|_| ENOMEM)?;
                // SAFETY: `ring` is valid for writing.
                to_result(unsafe { bindings::ptr_ring_init(ring, size, bindings::GFP_KERNEL_ACCOUNT) })
            }),
        })
    }

    /// Returns the C ring.
    #[inline]
    pub fn as_raw(&self) -> *mut bindings::ptr_ring {
        self.ring.get()
    }

    /// Returns the C ring as a pointer that is not null.
    #[inline(always)]
    fn ring(&self) -> NonNull<bindings::ptr_ring> {
        // SAFETY: It is the address of a field.
        unsafe { NonNull::new_unchecked(self.as_raw()) }
    }

    /// Puts a packet into the ring. A full ring gives it back as it was.
    ///
    /// Bottom halves must be off, as they are in receive handlers: a resize takes the same lock
    /// with bottom halves off.
    #[inline(always)]
    pub fn produce(&self, skb: SkBuff) -> Result<(), SkBuff> {
        self.producer().produce(skb)
    }

    /// Returns the end of the ring where packets are put in, for several of them. Others who put
    /// packets in wait until it is dropped.
    ///
    /// Bottom halves must be off, as for [`produce`](Self::produce).
    #[inline(always)]
    pub fn producer(&self) -> SkbProducer<'_> {
        // SAFETY: By the type invariants, the ring is initialised; it is borrowed.
        SkbProducer(unsafe { Producer::lock(self.ring()) })
    }

    /// Takes the oldest packet out of the ring.
    ///
    /// If others do so with bottom halves off, they must be off here, too.
    #[inline(always)]
    pub fn consume(&self) -> Option<SkBuff> {
        // SAFETY: By the type invariants, the ring is initialised; it is borrowed.
        let skb = unsafe { Consumer::lock(self.ring()) }.consume()?;
        // SAFETY: By the type invariants, the ring owned the packet, and does so no more.
        Some(unsafe { SkBuff::from_raw(skb.as_ptr().cast()) })
    }

    /// Empties the ring, and lets it take no more packets.
    pub fn close(&self) {
        // First: a resize frees what it finds with bottom halves off.
        while let Some(skb) = self.consume() {
            skb.drop_reason(DropReason::NotSpecified);
        }
        // Without memory for that it stays open, until it is freed.
        //
        // SAFETY: By the type invariants, the ring is initialised and holds packets, which is what
        // `discard` takes.
        let _ = unsafe { resize(&mut [self.as_raw()], 0, discard) };
    }

    /// Returns whether the ring is empty.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        // SAFETY: By the type invariants, the ring is initialised; it is borrowed.
        unsafe { Consumer::lock(self.ring()) }.peek().is_none()
    }

    /// Returns the length of the oldest packet with its VLAN tag, in bytes; zero if there is none.
    #[inline]
    pub fn peek_len(&self) -> c_int {
        // SAFETY: By the type invariants, the ring is initialised and holds packets, so it is a
        // `struct skb_array`, which is nothing but the ring.
        unsafe { bindings::skb_array_peek_len(self.as_raw().cast()) }
    }

    /// Resizes several rings to `size` packets: all of them, or none.
    ///
    /// A ring that holds more packets than that keeps the oldest ones. Returns how many were
    /// dropped.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn resize_all<'a>(
        rings: impl Iterator<Item = &'a SkbArray>,
        size: u32,
        _held: &rtnl::Held,
    ) -> Result<usize> {
        let mut raw = KVec::new();
        for ring in rings {
            raw.push(ring.as_raw(), GFP_KERNEL)?;
        }
        if raw.is_empty() {
            return Ok(0);
        }
        let size = c_int::try_from(size).map_err(|_| ENOMEM)?;
        // There is one resize at a time, because RTNL is held.
        DISCARDED.store(0, Relaxed);
        // SAFETY: By the type invariants, all the rings are initialised and hold packets, which is
        // what `discard_and_count` takes.
        unsafe { resize(&mut raw, size, discard_and_count) }?;
        Ok(DISCARDED.load(Relaxed))
    }
}

/// The end of a ring where packets are put in. Nobody else can meanwhile.
pub struct SkbProducer<'a>(Producer<'a>);

impl SkbProducer<'_> {
    /// Puts a packet into the ring. A full ring gives it back as it was.
    #[inline(always)]
    pub fn produce(&mut self, mut skb: SkBuff) -> Result<(), SkBuff> {
        let device = skb.set_device(ptr::null_mut());
        let entry = skb.as_entry();
        if self.0.produce(entry) {
            // INVARIANT: The packet was owned here, and is owned by the ring now.
            let _ = skb.into_raw();
            Ok(())
        } else {
            // Whoever watches what is dropped wants to know where.
            skb.set_device(device);
            Err(skb)
        }
    }
}

/// Resizes rings, all or none. What there is no room for is given to `discard`.
///
/// # Safety
///
/// The rings must be initialised and hold packets, and `discard` take over the packet that it is
/// called with.
unsafe fn resize(
    rings: &mut [*mut bindings::ptr_ring],
    size: c_int,
    discard: unsafe extern "C" fn(*mut c_void),
) -> Result {
    let count = u32::try_from(rings.len())?;
    // SAFETY: By the safety requirements of this function.
    to_result(unsafe {
        bindings::ptr_ring_resize_multiple_bh(
            rings.as_mut_ptr(),
            count,
            size,
            bindings::GFP_KERNEL_ACCOUNT,
            Some(discard),
        )
    })
}

/// How many packets the resize under way has dropped.
static DISCARDED: Atomic<usize> = Atomic::new(0);

/// Drops a packet that there is no room for any more.
///
/// # Safety
///
/// `skb` must be a packet that the caller owns.
unsafe extern "C" fn discard_and_count(skb: *mut c_void) {
    // SAFETY: By the safety requirements of this function.
    unsafe { SkBuff::from_raw(skb.cast()) }.drop_reason(DropReason::FullRing);
    DISCARDED.fetch_add(1, Relaxed);
}

/// Drops a packet that was in a ring.
///
/// # Safety
///
/// `skb` must be a packet that the caller owns.
unsafe extern "C" fn discard(skb: *mut c_void) {
    // SAFETY: By the safety requirements of this function.
    unsafe { SkBuff::from_raw(skb.cast()) }.drop_reason(DropReason::NotSpecified);
}

#[pinned_drop]
impl PinnedDrop for SkbArray {
    fn drop(self: Pin<&mut Self>) {
        // Without the lock: nobody else uses the ring any more, and this may run in a context that
        // the lock is not used in otherwise.
        loop {
            // SAFETY: By the type invariants, the ring is initialised.
            let skb = unsafe { bindings::__ptr_ring_consume(self.as_raw()) };
            if skb.is_null() {
                break;
            }
            // SAFETY: By the type invariants, the ring owned this packet.
            unsafe { discard(skb) };
        }
        // SAFETY: By the type invariants, the ring is initialised. It is empty.
        unsafe { bindings::ptr_ring_cleanup(self.as_raw(), None) };
    }
}

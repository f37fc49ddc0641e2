// SPDX-License-Identifier: GPL-2.0

//! Packets.
//!
//! Unsafe: fields of a structure of C, some in unions, and calls that take packets over.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

mod copy;
mod flow;
#[cfg(CONFIG_KUNIT = "y")]
#[expect(clippy::arithmetic_side_effects, reason = "for tests")]
pub(super) mod kunit;

pub use flow::FlowKeys;

use super::{
    device::{
        Features,
        NetDevice, //
    },
    gso::GsoKind,
    DropReason,
    ZeroCopy, //
};
use crate::error::to_result;
use bindings_net as bindings;
use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    prelude::*,
    sync::rcu, //
};

type RawHeaders = bindings::sk_buff__bindgen_ty_4__bindgen_ty_1;

/// Who has verified, or will compute, the checksum of a packet (`skb->ip_summed`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum IpSummed {
    /// Nobody (`CHECKSUM_NONE`).
    None,
    /// The sender or the hardware has verified it (`CHECKSUM_UNNECESSARY`).
    Unnecessary,
    /// A sum over the whole packet is there (`CHECKSUM_COMPLETE`).
    Complete,
    /// It is still to be computed, from the checksum start on (`CHECKSUM_PARTIAL`).
    Partial,
}

/// Length of an Ethernet header, in bytes.
const ETH_HLEN: usize = bindings::ETH_HLEN as usize;

/// Where the protocol stands in it, in bytes.
const ETH_PROTOCOL: usize = 2 * bindings::ETH_ALEN as usize;

/// Length of a VLAN tag, in bytes.
const VLAN_HLEN: usize = bindings::VLAN_HLEN as usize;

/// Where a header is that was not set (`skb_mac_header_was_set()`).
const NO_HEADER: u16 = u16::MAX;

/// Reads a field of a packet.
macro_rules! field {
    ($skb:ident.$field:ident) => {{
        // SAFETY: By the type invariants, the packet is valid, and this field changes through
        // `&mut self` only.
        unsafe { (*$skb.as_raw()).$field }
    }};
}

/// A packet (`struct sk_buff`), owned.
///
/// It is used up by handing it over, or with [`consume`](Self::consume) when it has reached its
/// destination, or with [`drop_reason`](Self::drop_reason) when it has not. There is no other way:
/// letting one go out of scope does not link, so no packet is lost without a reason. (Kernels with
/// `CONFIG_RUST_BUILD_ASSERT_ALLOW` panic instead.)
///
/// # Invariants
///
/// `ptr` points to a valid `sk_buff` of which this owns the only reference. Others may have clones,
/// which share the data; nobody changes what the methods below read.
#[repr(transparent)]
pub struct SkBuff {
    ptr: NonNull<bindings::sk_buff>,
}

// SAFETY: A packet may be used and freed on any thread.
unsafe impl Send for SkBuff {}

impl Drop for SkBuff {
    #[inline(always)]
    fn drop(&mut self) {
        build_error!("A packet is neither handed over, nor consumed, nor dropped with a reason.");
    }
}

impl SkBuff {
    /// Takes over a packet.
    ///
    /// # Safety
    ///
    /// `skb` must point to a valid packet of which the caller owns the only reference, which passes
    /// to the returned value. If it has a device, that must stay while the value does.
    #[inline]
    pub unsafe fn from_raw(skb: *mut bindings::sk_buff) -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self {
            // SAFETY: A valid pointer is not null.
            ptr: unsafe { NonNull::new_unchecked(skb) },
        }
    }

    /// Says that a new packet has `reserve` bytes of space before it, `linear` bytes that follow
    /// that, and `paged` bytes in pages (`skb_reserve()`, `skb_put()`).
    ///
    /// # Safety
    ///
    /// `skb` must point to a valid packet that has no data yet, and whose buffer and pages have
    /// as much.
    #[inline]
    pub(super) unsafe fn lay_out(
        skb: *mut bindings::sk_buff,
        reserve: u32,
        linear: u32,
        paged: u32,
    ) {
        // SAFETY: By the safety requirements of this function.
        unsafe {
            (*skb).data = (*skb).data.add(reserve as usize);
            // OVERFLOW: That is in the buffer, and C has made one packet of it all.
            let behind = reserve.wrapping_add(linear);
            #[cfg(CONFIG_64BIT)]
            let tail = (*skb).tail.wrapping_add(behind);
            #[cfg(not(CONFIG_64BIT))]
            let tail = (*skb).tail.add(behind as usize);
            (*skb).tail = tail;
            (*skb).len = linear.wrapping_add(paged);
            (*skb).data_len = paged;
        }
    }

    /// Hands the packet over to C code.
    #[inline]
    pub fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).as_raw()
    }

    /// Returns the C packet.
    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::sk_buff {
        self.ptr.as_ptr()
    }

    /// Returns what stands for the packet in a ring of pointers.
    #[inline]
    pub(super) fn as_entry(&self) -> NonNull<c_void> {
        self.ptr.cast()
    }

    #[inline]
    fn headers(&self) -> &RawHeaders {
        // SAFETY: By the type invariants, the packet is valid, and these fields change through
        // `&mut self` only. Both members of the union are the same structure.
        unsafe { (*self.as_raw()).__bindgen_anon_4.__bindgen_anon_1.as_ref() }
    }

    #[inline]
    fn headers_mut(&mut self) -> &mut RawHeaders {
        // SAFETY: As in `headers`.
        unsafe { (*self.as_raw()).__bindgen_anon_4.__bindgen_anon_1.as_mut() }
    }

    /// Returns the shared info, which lies at the end of the packet's buffer.
    #[inline]
    pub(super) fn shinfo(&self) -> *mut bindings::skb_shared_info {
        let end = field!(self.end);
        #[cfg(CONFIG_64BIT)]
        let head = field!(self.head);
        #[cfg(CONFIG_64BIT)]
        // SAFETY: By the type invariants, `end` is an offset into the buffer at `head`.
        let end = unsafe { head.add(end as usize) };
        end.cast()
    }

    /// Frees a packet that has reached its destination.
    #[inline]
    pub fn consume(self) {
        // SAFETY: The reference that this owned is handed over.
        unsafe { bindings::consume_skb(self.into_raw()) };
    }

    /// Frees a packet that has not reached its destination.
    #[inline]
    pub fn drop_reason(self, reason: DropReason) {
        // SAFETY: The reference that this owned is handed over.
        unsafe { bindings::sk_skb_reason_drop(ptr::null(), self.into_raw(), reason as u32) };
    }

    /// Returns the length of the packet, in bytes, from its first header on.
    #[inline]
    pub fn len(&self) -> usize {
        field!(self.len) as usize
    }

    /// Returns whether the packet has no data.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the length of the linear part, in bytes (`skb_headlen()`).
    #[inline]
    pub fn headlen(&self) -> usize {
        // OVERFLOW: By the type invariants, the fragments are a part of the packet.
        field!(self.len).wrapping_sub(field!(self.data_len)) as usize
    }

    /// Returns the linear part.
    #[inline]
    pub fn linear(&self) -> &[u8] {
        let data = field!(self.data);
        // SAFETY: By the type invariants, that many bytes are there, and change through
        // `&mut self` only.
        unsafe { core::slice::from_raw_parts(data, self.headlen()) }
    }

    /// Returns the space before the packet, in bytes (`skb_headroom()`).
    #[inline]
    fn headroom(&self) -> usize {
        // OVERFLOW: By the type invariants, the packet starts in the buffer at `head`.
        (field!(self.data) as usize).wrapping_sub(field!(self.head) as usize)
    }

    /// Moves the start of the packet back over `len` bytes of its link-layer header (`skb_push()`).
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there are fewer bytes of it before the packet. What lies before that header has
    /// never been written.
    #[inline]
    pub fn push(&mut self, len: usize) -> Result {
        let mac_header = self.headers().mac_header;
        if mac_header == NO_HEADER || self.headroom().saturating_sub(usize::from(mac_header)) < len
        {
            return Err(ENOSPC);
        }
        // SAFETY: By the type invariants, the packet is valid, and the space is there.
        unsafe {
            let skb = self.as_raw();
            (*skb).data = (*skb).data.sub(len);
            // OVERFLOW: The packet with its header is what was received.
            (*skb).len = (*skb).len.wrapping_add(len as u32);
        }
        Ok(())
    }

    /// Makes sure that the first `len` bytes are in the linear part (`pskb_may_pull()`).
    ///
    /// Returns whether they are; not so if the packet is shorter, or for want of memory.
    #[inline]
    pub fn may_pull(&mut self, len: usize) -> bool {
        let headlen = self.headlen();
        if len <= headlen {
            return true;
        }
        if len > self.len() {
            return false;
        }
        // CAST: The length of a packet fits into an `int`.
        #[expect(clippy::arithmetic_side_effects, reason = "that was compared above")]
        let missing = (len - headlen) as c_int;
        // SAFETY: By the type invariants, the packet is valid and may be changed.
        !unsafe { bindings::__pskb_pull_tail(self.as_raw(), missing) }.is_null()
    }

    /// Returns the Ethernet type or VLAN protocol, in network byte order (`skb->protocol`).
    #[inline]
    pub fn protocol(&self) -> [u8; 2] {
        self.headers().protocol.to_ne_bytes()
    }

    /// Sets the protocol, given in network byte order.
    #[inline]
    pub fn set_protocol(&mut self, protocol: [u8; 2]) {
        self.headers_mut().protocol = u16::from_ne_bytes(protocol);
    }

    /// Converts an offset from the start of the packet to one from the start of its buffer.
    ///
    /// The kernel keeps header offsets in 16 bits, and so does not know of headers further out.
    #[inline(always)]
    fn header_offset(&self, offset: usize) -> Result<u16> {
        // OVERFLOW: The sum is an offset into the buffer.
        let in_buffer = self.headroom().wrapping_add(offset);
        if offset > self.headlen() || in_buffer > usize::from(u16::MAX) {
            return Err(EINVAL);
        }
        Ok(in_buffer as u16)
    }

    /// Says that the packet starts with its Ethernet header, which the network header follows, and
    /// takes the protocol from there.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not in the linear part.
    #[inline(always)]
    pub fn set_ethernet_header(&mut self) -> Result {
        let data = field!(self.data);
        let headroom = self.headroom();
        // OVERFLOW: The sum is an offset into the buffer.
        let network = headroom.wrapping_add(ETH_HLEN);
        // The kernel keeps header offsets in 16 bits, and so does not know of headers further out.
        if self.headlen() < ETH_HLEN || network > usize::from(u16::MAX) {
            return Err(EINVAL);
        }
        // SAFETY: By the type invariants, the linear part is there, and it has the whole header.
        let protocol = unsafe { data.add(ETH_PROTOCOL).cast::<u16>().read_unaligned() };
        let headers = self.headers_mut();
        headers.mac_header = headroom as u16;
        headers.network_header = network as u16;
        headers.protocol = protocol;
        Ok(())
    }

    /// Says that the network header is `offset` bytes into the packet.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not in the linear part.
    #[inline]
    pub fn set_network_header(&mut self, offset: usize) -> Result {
        self.headers_mut().network_header = self.header_offset(offset)?;
        Ok(())
    }

    /// Says that the transport header is `offset` bytes into the packet.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is not in the linear part.
    #[inline]
    pub fn set_transport_header(&mut self, offset: usize) -> Result {
        self.headers_mut().transport_header = self.header_offset(offset)?;
        Ok(())
    }

    /// Returns how far the transport header is into the packet, in bytes.
    ///
    /// Negative if it lies before it. Meaningless before it has been set.
    #[inline]
    pub fn transport_offset(&self) -> isize {
        // OVERFLOW: Neither is larger than an `isize`.
        (self.headers().transport_header as isize).wrapping_sub(self.headroom() as isize)
    }

    /// Follows the VLAN tags in the packet and returns the offset of the header behind them, in
    /// bytes.
    ///
    /// `None` if the packet has no such tag, or ends within one.
    #[inline]
    pub fn vlan_depth(&mut self) -> Option<usize> {
        let protocol = self.headers().protocol;
        let vlan = [bindings::ETH_P_8021Q, bindings::ETH_P_8021AD];
        if !vlan.contains(&u32::from(u16::from_be(protocol))) {
            return None;
        }
        let mut depth = 0;
        // SAFETY: By the type invariants, the packet is valid and may be changed.
        let inner =
            unsafe { bindings::vlan_get_protocol_and_depth(self.as_raw(), protocol, &mut depth) };
        if inner == 0 {
            return None;
        }
        usize::try_from(depth).ok()
    }

    /// Returns the checksum state.
    #[inline]
    pub fn ip_summed(&self) -> IpSummed {
        match u32::from(self.headers().ip_summed()) {
            bindings::CHECKSUM_PARTIAL => IpSummed::Partial,
            bindings::CHECKSUM_UNNECESSARY => IpSummed::Unnecessary,
            bindings::CHECKSUM_COMPLETE => IpSummed::Complete,
            _ => IpSummed::None,
        }
    }

    /// Returns where a partial checksum starts, in bytes from the start of the packet
    /// (`skb_checksum_start_offset()`), modulo 2^16.
    #[inline]
    pub fn csum_start(&self) -> u16 {
        // SAFETY: All members of the union are plain integers.
        let start = unsafe { self.headers().__bindgen_anon_1.__bindgen_anon_1.csum_start };
        start.wrapping_sub(self.headroom() as u16)
    }

    /// Returns where a partial checksum is to be stored, in bytes from where it starts.
    #[inline]
    pub fn csum_offset(&self) -> u16 {
        // SAFETY: All members of the union are plain integers.
        unsafe { self.headers().__bindgen_anon_1.__bindgen_anon_1.csum_offset }
    }

    /// Says that a checksum is still to be computed (`skb_partial_csum_set()`).
    ///
    /// Returns whether `start` and `offset`, in bytes, lie in the linear part.
    #[inline]
    pub fn partial_csum_set(&mut self, start: u16, offset: u16) -> bool {
        // SAFETY: By the type invariants, the packet is valid and may be changed.
        unsafe { bindings::skb_partial_csum_set(self.as_raw(), start, offset) }
    }

    /// Returns whether a partial checksum must be computed for a receiver with `features`.
    ///
    /// Those are about sums like that of TCP; SCTP's is another.
    #[inline]
    pub fn needs_checksum(&self, features: Features) -> bool {
        self.ip_summed() == IpSummed::Partial
            && (!features.intersects(Features::CSUM_MASK) || self.csum_is_sctp())
    }

    /// `skb_csum_is_sctp()`.
    #[inline]
    fn csum_is_sctp(&self) -> bool {
        #[cfg(CONFIG_IP_SCTP)]
        return self.headers().csum_not_inet() != 0;
        #[cfg(not(CONFIG_IP_SCTP))]
        return false;
    }

    /// Computes a partial checksum for a receiver with `features` (`skb_csum_hwoffload_help()`).
    ///
    /// # Errors
    ///
    /// `EINVAL` for a checksum out of the packet, `ENOMEM`.
    pub fn complete_checksum(&mut self, features: Features) -> Result {
        // SAFETY: By the type invariants, the packet is valid and may be changed.
        to_result(unsafe { bindings::skb_csum_hwoffload_help(self.as_raw(), features.bits()) })
    }

    /// Returns the size of a segment's payload, in bytes, if the packet is to be segmented.
    #[inline]
    pub fn gso_size(&self) -> Option<u16> {
        // SAFETY: By the type invariants, the shared info is valid.
        let size = unsafe { (*self.shinfo()).gso_size };
        (size != 0).then_some(size)
    }

    /// Returns the kind of segmentation, and whether ECN's CWR is set, of a packet that is to be
    /// segmented. `None` for kinds that are not known here.
    #[inline]
    pub fn gso_kind(&self) -> Option<(GsoKind, bool)> {
        // SAFETY: By the type invariants, the shared info is valid.
        GsoKind::from_raw(unsafe { (*self.shinfo()).gso_type })
    }

    /// Says that the packet is to be segmented, by someone who does not trust its headers.
    ///
    /// # Errors
    ///
    /// `EBUSY` for a packet that was cloned: clones share the shared info.
    #[inline]
    pub fn set_gso(&mut self, kind: GsoKind, ecn: bool, size: u16) -> Result {
        // SAFETY: By the type invariants, the packet is valid.
        if unsafe { bindings::sk_buff::cloned_raw(self.as_raw()) } != 0 {
            return Err(EBUSY);
        }
        let shinfo = self.shinfo();
        // SAFETY: By the type invariants, the shared info is valid; without clones, these fields
        // change through `&mut self` only.
        unsafe {
            (*shinfo).gso_size = size;
            (*shinfo).gso_type = kind.to_raw(ecn) | bindings::SKB_GSO_DODGY;
            (*shinfo).gso_segs = 0;
        }
        Ok(())
    }

    /// Says that the packet's pages are somebody's who may read and write them meanwhile, so that
    /// nobody else writes there.
    pub(super) fn share_pages(&mut self) {
        // SAFETY: By the type invariants, the shared info is valid, and changes through `&mut self`
        // only.
        unsafe { (*self.shinfo()).flags |= bindings::SKBFL_SHARED_FRAG as u8 };
    }

    /// Says that the packet's pages are a sender's, who is told when they are not used any more
    /// (`skb_zcopy_init()`).
    ///
    /// # Errors
    ///
    /// `EBUSY` for a packet that was cloned, or has pages of some other sender.
    pub fn set_zero_copy(&mut self, sender: ZeroCopy) -> Result {
        // SAFETY: By the type invariants, the packet and its shared info are valid.
        let (cloned, owned) = unsafe {
            (
                bindings::sk_buff::cloned_raw(self.as_raw()) != 0,
                u32::from((*self.shinfo()).flags) & bindings::SKBFL_ZEROCOPY_ENABLE != 0,
            )
        };
        if cloned || owned {
            return Err(EBUSY);
        }
        // SAFETY: By the type invariants, the packet is valid, and its shared info changes through
        // `&mut self` only. Who frees the packet completes the sender.
        unsafe { bindings::skb_zcopy_init(self.as_raw(), sender.into_raw()) };
        Ok(())
    }

    /// Returns the flow hash; zero if there is none (`skb_get_hash()`).
    #[inline]
    pub fn hash(&mut self) -> u32 {
        // SAFETY: By the type invariants, the packet is valid and may be changed.
        unsafe { bindings::skb_get_hash(self.as_raw()) }
    }

    /// Returns the receive queue that the device recorded (`skb_get_rx_queue()`).
    #[inline]
    pub fn rx_queue(&self) -> Option<u16> {
        field!(self.queue_mapping).checked_sub(1)
    }

    /// Returns the VLAN tag that lies beside the packet, not in it: the tag's protocol and the tag
    /// control information, as they are in frames.
    #[inline]
    pub fn vlan_tag(&self) -> Option<[u8; VLAN_HLEN]> {
        let headers = self.headers();
        // SAFETY: All members of the union are plain integers.
        let (all, tag) = unsafe {
            (
                headers.__bindgen_anon_2.vlan_all,
                headers.__bindgen_anon_2.__bindgen_anon_1,
            )
        };
        let [proto0, proto1] = tag.vlan_proto.to_ne_bytes();
        let [tci0, tci1] = tag.vlan_tci.to_be_bytes();
        (all != 0).then_some([proto0, proto1, tci0, tci1])
    }

    /// Calls `f` with the packet's device set, and sets it back.
    ///
    /// Outside of this a packet that was made here has none, so it can outlive any.
    #[inline]
    pub(super) fn with_device<R>(
        &mut self,
        device: &NetDevice,
        f: impl FnOnce(*mut bindings::sk_buff) -> R,
    ) -> R {
        let before = self.set_device(device.as_raw());
        let result = f(self.as_raw());
        self.set_device(before);
        result
    }

    /// Sets the device of the packet, which may be null, and returns the one it had.
    #[inline]
    pub(super) fn set_device(
        &mut self,
        device: *mut bindings::net_device,
    ) -> *mut bindings::net_device {
        // SAFETY: By the type invariants, the packet is valid. Outside of queues, `next`, `prev`
        // and `dev` are what is in use of the union.
        unsafe {
            let list = &raw mut (*self.as_raw()).__bindgen_anon_1.__bindgen_anon_1;
            let dev = &mut (*list).__bindgen_anon_1.dev;
            core::mem::replace(dev, device.cast()).cast()
        }
    }

    /// Returns the protocol that the link-layer header says, in network byte order; zero if there
    /// is none, or the packet does not start with such a header (`dev_parse_header_protocol()`).
    pub fn parse_header_protocol(&mut self, device: &NetDevice) -> [u8; 2] {
        // C looks there without asking.
        let mac_header = usize::from(self.headers().mac_header);
        if mac_header != self.headroom() || self.headlen() < bindings::ETH_HLEN as usize {
            return [0, 0];
        }
        self.with_device(device, |skb| {
            // SAFETY: By the type invariants, the packet is valid, and it has a device. The part of
            // its header that has a protocol is there.
            unsafe { bindings::dev_parse_header_protocol(skb) }
        })
        .to_ne_bytes()
    }

    /// Sends the packet on a device (`dev_queue_xmit()`). What becomes of it is the device's
    /// business.
    #[inline]
    pub fn transmit(mut self, device: &NetDevice, _rcu: &rcu::Guard) {
        self.set_device(device.as_raw());
        // SAFETY: The reference is handed over. The packet has a device, which is borrowed, and
        // which lets go of its packets before it goes away.
        unsafe { bindings::__dev_queue_xmit(self.into_raw(), ptr::null_mut()) };
    }
}

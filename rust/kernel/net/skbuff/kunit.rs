// SPDX-License-Identifier: GPL-2.0

//! Packets to order, for KUnit suites.
//!
//! Unsafe: packets with fields to order, all of which are looked at.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use super::{
    NetDevice,
    RawHeaders,
    SkBuff, //
};
use bindings_net as bindings;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// What a packet says of its checksum and its segmentation.
#[derive(Debug)]
pub struct Offload {
    /// `SKB_GSO_*` bits.
    pub gso_type: u32,
    /// The size of a segment's payload, in bytes; zero if the packet is not to be segmented.
    pub gso_size: u16,
    /// `CHECKSUM_*`.
    pub ip_summed: u8,
    /// Where a partial checksum starts, in bytes from the start of the buffer.
    pub csum_start: u16,
    /// Where a partial checksum is to be stored, in bytes from where it starts.
    pub csum_offset: u16,
    /// Whether a VLAN tag lies beside the packet.
    pub vlan_tag: bool,
}

/// All of a packet that someone who looks at its headers may set.
#[derive(PartialEq, Eq, Debug)]
pub struct Snapshot {
    len: usize,
    headlen: usize,
    headroom: usize,
    fragments: u8,
    gso_size: u16,
    gso_type: u32,
    gso_segs: u16,
    headers: [u8; size_of::<RawHeaders>()],
    bytes: KVec<u8>,
}

impl SkBuff {
    /// Creates a packet with `headroom` bytes before it, of which `linear` are in its linear part
    /// and `paged` in fragments.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `ENOBUFS`.
    pub fn for_test(headroom: usize, linear: &[u8], paged: &[u8]) -> Result<Self> {
        let mut error = 0;
        // SAFETY: `error` is a local variable.
        let skb = unsafe {
            bindings::alloc_skb_with_frags(
                headroom + linear.len(),
                paged.len(),
                0,
                &mut error,
                bindings::GFP_KERNEL,
            )
        };
        if skb.is_null() {
            to_result(error)?;
            return Err(ENOMEM);
        }
        // SAFETY: The packet is valid, and nobody else knows it. There is that much space, and that
        // much in its fragments.
        unsafe {
            bindings::skb_reserve(skb, headroom as c_int);
            bindings::skb_put(skb, linear.len() as u32);
            (*skb).len += paged.len() as u32;
            (*skb).data_len = paged.len() as u32;
        }
        for (offset, bytes) in [(0, linear), (linear.len(), paged)] {
            // SAFETY: The packet is valid, as long as that, and may be changed.
            let stored = unsafe {
                bindings::skb_store_bits(
                    skb,
                    offset as c_int,
                    bytes.as_ptr().cast(),
                    bytes.len() as c_int,
                )
            };
            // It cannot fail: the range is in the packet.
            debug_assert_eq!(stored, 0);
        }
        // SAFETY: The reference is the only one, and the packet has no device.
        Ok(unsafe { Self::from_raw(skb) })
    }

    /// Sets what the packet says of its checksum and its segmentation.
    pub fn set_offload(&mut self, offload: &Offload) {
        let shinfo = self.shinfo();
        // SAFETY: By the type invariants, the shared info is valid, and these fields change
        // through `&mut self` only.
        unsafe {
            (*shinfo).gso_type = offload.gso_type;
            (*shinfo).gso_size = offload.gso_size;
        }
        let headers = self.headers_mut();
        headers.set_ip_summed(offload.ip_summed);
        headers.__bindgen_anon_1.__bindgen_anon_1.csum_start = offload.csum_start;
        headers.__bindgen_anon_1.__bindgen_anon_1.csum_offset = offload.csum_offset;
        headers.__bindgen_anon_2.vlan_all = offload.vlan_tag.into();
    }

    /// Says that `device` has received the packet.
    pub fn set_received_by(&mut self, device: &'static NetDevice) {
        self.set_device(device.as_raw());
    }

    /// Sets the flow hash, zero for none, and the receive queue that the device recorded.
    pub fn set_flow(&mut self, hash: u32, rx_queue: Option<u16>) {
        let headers = self.headers_mut();
        headers.hash = hash;
        // Or it would be computed.
        headers.set_sw_hash(1);
        let mapping = rx_queue.map_or(0, |queue| queue + 1);
        // SAFETY: By the type invariants, the packet is valid, and this field changes through
        // `&mut self` only.
        unsafe { (*self.as_raw()).queue_mapping = mapping };
    }

    /// Returns all that someone who looks at the packet's headers may set.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let mut bytes = KVec::from_elem(0, self.len(), GFP_KERNEL)?;
        // SAFETY: By the type invariants, the packet is valid and as long as `bytes`.
        to_result(unsafe {
            bindings::skb_copy_bits(
                self.as_raw(),
                0,
                bytes.as_mut_ptr().cast(),
                self.len() as c_int,
            )
        })?;
        // SAFETY: Packets are zeroed before they are used, so all bytes are initialised, and they
        // change through `&mut SkBuff` only.
        let mut headers: RawHeaders = unsafe { core::ptr::read(self.headers()) };
        // The processor, which depends on nothing.
        headers.alloc_cpu = 0;
        // SAFETY: As above, and the structure is as long as the array.
        let headers =
            unsafe { core::mem::transmute::<RawHeaders, [u8; size_of::<RawHeaders>()]>(headers) };
        let shinfo = self.shinfo();
        // SAFETY: By the type invariants, the shared info is valid, and these fields change
        // through `&mut self` only.
        let (fragments, gso_size, gso_type, gso_segs) = unsafe {
            (
                (*shinfo).nr_frags,
                (*shinfo).gso_size,
                (*shinfo).gso_type,
                (*shinfo).gso_segs,
            )
        };
        Ok(Snapshot {
            len: self.len(),
            headlen: self.headlen(),
            headroom: self.headroom(),
            fragments,
            gso_size,
            gso_type,
            gso_segs,
            headers,
            bytes,
        })
    }
}

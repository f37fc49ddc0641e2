// SPDX-License-Identifier: GPL-2.0

//! How C reads, writes and applies virtio-net headers, for KUnit suites to compare with.
//!
//! Unsafe: calls with packets and iterators, and headers that are looked at as bytes.
//!
//! C headers: [`drivers/net/tun_vnet.h`](srctree/drivers/net/tun_vnet.h),
//! [`include/linux/virtio_net.h`](srctree/include/linux/virtio_net.h)

use super::{
    NetDevice,
    SkBuff, //
};
use bindings_net as bindings;
use kernel::{
    error::to_result,
    iov::{
        IovIterDest,
        IovIterSource, //
    },
    prelude::*,
};

/// Flag of a queue: the header is little-endian (`TUN_VNET_LE`).
pub const LE: u32 = 0x8000_0000;

/// Flag of a queue: the header is big-endian, if not [`LE`] (`TUN_VNET_BE`).
pub const BE: u32 = 0x4000_0000;

/// A header (`struct virtio_net_hdr`), as it is in memory.
pub type Bytes = [u8; size_of::<bindings::virtio_net_hdr>()];

fn to_struct(bytes: Bytes) -> bindings::virtio_net_hdr {
    // SAFETY: The structure has no padding, and all values are valid for it.
    unsafe { core::mem::transmute(bytes) }
}

fn to_bytes(header: bindings::virtio_net_hdr) -> Bytes {
    // SAFETY: As above.
    unsafe { core::mem::transmute(header) }
}

/// Reads a header of `size` bytes, and returns it and the length of the linear part it wants.
///
/// # Errors
///
/// `EINVAL`, `EFAULT`.
pub fn hdr_get(size: i32, flags: u32, from: &mut IovIterSource<'_>) -> Result<(Bytes, usize)> {
    let mut header = to_struct(Bytes::default());
    // SAFETY: `from` is a valid iterator, and `header` a local variable.
    let len = unsafe { bindings::tun_vnet_hdr_get(size, flags, from.as_raw(), &mut header) };
    to_result(len)?;
    Ok((to_bytes(header), len as usize))
}

/// Writes a header of `size` bytes.
///
/// # Errors
///
/// `EINVAL`, `EFAULT`.
pub fn hdr_put(size: i32, to: &mut IovIterDest<'_>, header: Bytes) -> Result {
    // SAFETY: `to` is a valid iterator, and the header lives until the end of this statement.
    to_result(unsafe { bindings::tun_vnet_hdr_put(size, to.as_raw(), &to_struct(header)) })
}

/// Applies a header to a packet of `device`.
///
/// # Errors
///
/// `EINVAL`.
pub fn hdr_to_skb(flags: u32, skb: &mut SkBuff, device: &NetDevice, header: Bytes) -> Result {
    to_result(skb.with_device(device, |skb| {
        // SAFETY: `with_device` calls this with a valid packet, which may be changed; the header
        // lives until the end of this statement.
        unsafe { bindings::tun_vnet_hdr_to_skb(flags, skb, &to_struct(header)) }
    }))
}

/// Describes a packet of `device`.
///
/// # Errors
///
/// `EINVAL`.
pub fn hdr_from_skb(flags: u32, skb: &SkBuff, device: &NetDevice) -> Result<Bytes> {
    let mut header = to_struct(Bytes::default());
    let tag_len = skb.vlan_tag().map_or(0, |_| bindings::VLAN_HLEN as c_int);
    // What `tun_vnet_hdr_from_skb()` calls, and warns if it fails.
    //
    // SAFETY: The packet is valid, and `header` is a local variable.
    to_result(unsafe {
        bindings::virtio_net_hdr_from_skb(skb.as_raw(), &mut header, true, true, tag_len)
    })?;
    // SAFETY: The packet and the device are valid, and `header` is a local variable.
    to_result(unsafe {
        bindings::tun_vnet_hdr_from_skb(flags, device.as_raw(), skb.as_raw(), &mut header)
    })?;
    Ok(to_bytes(header))
}

// SPDX-License-Identifier: GPL-2.0

//! Stands for the crate of C declarations on the host.
//!
//! The numbers are those of C. What was a C function is one of the model's here.

#![allow(non_camel_case_types)]
// As C's, they have no other requirements than those that C says.
#![allow(clippy::missing_safety_doc)]

use kernel::{
    bindings::{
        iov_iter,
        list_head, //
    },
    error::Result,
    ffi::{
        c_int,
        c_ulong,
        c_void, //
    },
    sync::atomic::Atomic,
    user_memory,
};

pub const IFF_TAP: u32 = 2;
pub const IFF_NO_PI: u32 = 0x1000;
pub const IFF_VNET_HDR: u32 = 0x4000;
pub const IFF_MULTI_QUEUE: u32 = 0x100;
pub const IFF_ATTACH_QUEUE: u32 = 0x200;
pub const IFF_DETACH_QUEUE: u32 = 0x400;
pub const IFNAMSIZ: u32 = 16;
pub const ENETDOWN: u32 = 100;
pub const ENOLINK: u32 = 67;
pub const NETIF_F_SG: u64 = 1;
pub const NETIF_F_FRAGLIST: u64 = 0x40;
pub const NETIF_F_HIGHDMA: u64 = 0x20;
pub const NETIF_F_GSO: u64 = 0x800;
pub const NETIF_F_GSO_MASK: u64 = 0xfffff0000;
pub const NETIF_F_GSO_PARTIAL: u64 = 0x10000000;
pub const NETIF_F_GRO: u64 = 0x4000;
pub const NETIF_F_HW_CSUM: u64 = 8;
pub const NETIF_F_CSUM_MASK: u64 = 0x1a;
pub const NETIF_F_TSO: u64 = 0x10000;
pub const NETIF_F_TSO6: u64 = 0x100000;
pub const NETIF_F_TSO_ECN: u64 = 0x40000;
pub const NETIF_F_GSO_UDP_L4: u64 = 0x200000000;
pub const VLAN_HLEN: u32 = 4;
pub const UDP_MAX_SEGMENTS: u32 = 128;
pub const TCP_MIN_GSO_SIZE: u32 = 8;
pub const GSO_BY_FRAGS: u32 = 0xffff;
pub const IPPROTO_TCP: u32 = 6;
pub const IPPROTO_UDP: u32 = 17;
pub const EPOLLIN: c_ulong = 1;
pub const EPOLLOUT: c_ulong = 4;
pub const EPOLLERR: c_ulong = 8;
pub const EPOLLRDNORM: c_ulong = 0x40;
pub const EPOLLRDBAND: c_ulong = 0x80;
pub const EPOLLWRNORM: c_ulong = 0x100;
pub const EPOLLWRBAND: c_ulong = 0x200;
pub const ETH_P_IP: u32 = 0x800;
pub const ETH_P_IPV6: u32 = 0x86dd;
pub const SIOCGIFHWADDR: u32 = 0x8927;
pub const SIOCSIFHWADDR: u32 = 0x8924;
pub const TUNSETIFF: u32 = 0x400454ca;
pub const TUNGETIFF: u32 = 0x800454d2;
pub const TUNSETQUEUE: u32 = 0x400454d9;
pub const TUNGETFEATURES: u32 = 0x800454cf;
pub const TUNSETSNDBUF: u32 = 0x400454d4;
pub const TUNSETOFFLOAD: u32 = 0x400454d0;
pub const TUNGETVNETHDRSZ: u32 = 0x800454d7;
pub const TUNSETVNETHDRSZ: u32 = 0x400454d8;
pub const TUNGETVNETLE: u32 = 0x800454dd;
pub const TUNSETVNETLE: u32 = 0x400454dc;
pub const TUNGETVNETBE: u32 = 0x800454df;
pub const TUNSETVNETBE: u32 = 0x400454de;
pub const TUN_F_CSUM: u32 = 1;
pub const TUN_F_TSO4: u32 = 2;
pub const TUN_F_TSO6: u32 = 4;
pub const TUN_F_TSO_ECN: u32 = 8;
pub const TUN_F_UFO: u32 = 0x10;
pub const TUN_F_USO4: u32 = 0x20;
pub const TUN_F_USO6: u32 = 0x40;
pub const VIRTIO_NET_HDR_F_NEEDS_CSUM: u32 = 1;
pub const VIRTIO_NET_HDR_F_DATA_VALID: u32 = 2;
pub const VIRTIO_NET_HDR_GSO_NONE: u32 = 0;
pub const VIRTIO_NET_HDR_GSO_TCPV4: u32 = 1;
pub const VIRTIO_NET_HDR_GSO_UDP: u32 = 3;
pub const VIRTIO_NET_HDR_GSO_TCPV6: u32 = 4;
pub const VIRTIO_NET_HDR_GSO_UDP_L4: u32 = 5;
pub const VIRTIO_NET_HDR_GSO_ECN: u32 = 0x80;

/// Exploring what more of them do would only take longer.
pub const MAX_TAP_QUEUES: u32 = if cfg!(feature = "loom") { 3 } else { 256 };

#[repr(C)]
pub struct virtio_net_hdr {
    pub flags: u8,
    pub gso_type: u8,
    pub hdr_len: u16,
    pub gso_size: u16,
    pub csum_start: u16,
    pub csum_offset: u16,
}

#[repr(C)]
pub struct ifreq {
    pub ifr_ifrn: [u8; 16],
    pub ifr_ifru: [u8; 24],
}

#[repr(C)]
pub struct sockaddr {
    pub sa_family: u16,
    pub sa_data: [u8; 14],
}

/// The structure as C drivers know it.
///
/// The drivers in Rust have another view of it, and see to it that the two agree: so what is
/// private there is looked at by this.
#[repr(C)]
pub struct tap_dev {
    pub dev: *const c_void,
    pub flags: u16,
    pub taps: [Atomic<*mut c_void>; MAX_TAP_QUEUES as usize],
    pub queue_list: list_head,
    pub numvtaps: Atomic<i32>,
    pub numqueues: i32,
    pub tap_features: Atomic<u64>,
    pub minor: i32,
    pub update_features: Option<unsafe extern "C" fn(*mut tap_dev, u64)>,
    pub count_tx_dropped: Option<unsafe extern "C" fn(*mut tap_dev)>,
    pub count_rx_dropped: Option<unsafe extern "C" fn(*mut tap_dev)>,
}

fn to_errno(result: Result) -> c_int {
    result.map_or_else(|error| error.to_errno(), |()| 0)
}

pub unsafe fn put_user_u16(value: u16, to: *mut u16) -> c_int {
    to_errno(user_memory::put(to.addr(), &value.to_ne_bytes()))
}

pub unsafe fn put_user_u32(value: u32, to: *mut u32) -> c_int {
    to_errno(user_memory::put(to.addr(), &value.to_ne_bytes()))
}

/// # Safety
///
/// `value` must be valid for writing.
pub unsafe fn get_user_u16(value: *mut u16, from: *const u16) -> c_int {
    let mut bytes = [0; 2];
    let read = user_memory::read(from.addr(), &mut bytes);
    // SAFETY: By the safety requirements of this function.
    unsafe { value.write(u16::from_ne_bytes(bytes)) };
    to_errno(read)
}

/// # Safety
///
/// `value` must be valid for writing.
pub unsafe fn get_user_u32(value: *mut u32, from: *const u32) -> c_int {
    let mut bytes = [0; 4];
    let read = user_memory::read(from.addr(), &mut bytes);
    // SAFETY: By the safety requirements of this function.
    unsafe { value.write(u32::from_ne_bytes(bytes)) };
    to_errno(read)
}

/// How many bytes were not written, of which only the first may be good, is not told: some or none.
pub unsafe fn copy_to_user(to: *mut c_void, from: *const c_void, len: c_ulong) -> c_ulong {
    // SAFETY: The caller has so many bytes.
    let bytes = unsafe { core::slice::from_raw_parts(from.cast(), len as usize) };
    user_memory::write(to.addr(), bytes).map_or(len, |()| 0)
}

/// # Safety
///
/// See [`copy_to_user`].
pub unsafe fn copy_to_user_16(to: *mut c_void, from: *const c_void) -> c_ulong {
    // SAFETY: By the safety requirements of this function.
    unsafe { copy_to_user(to, from, 16) }
}

/// # Safety
///
/// See [`copy_to_user`].
pub unsafe fn copy_to_user_32(to: *mut c_void, from: *const c_void) -> c_ulong {
    // SAFETY: By the safety requirements of this function.
    unsafe { copy_to_user(to, from, 32) }
}

pub unsafe fn iov_iter_advance(iter: &mut iov_iter, len: usize) {
    iter.advance(len);
}

pub unsafe fn iov_iter_npages(_iter: &iov_iter, _max: c_int) -> c_int {
    unreachable!("transmit.rs, which asks for pages, is not here");
}

pub unsafe fn iov_iter_zero(len: usize, iter: *mut iov_iter) -> usize {
    // SAFETY: The caller has a valid iterator to write to.
    unsafe { (*iter).zero(len) }
}

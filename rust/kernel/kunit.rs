// SPDX-License-Identifier: GPL-2.0

//! What the KUnit suites of drivers need beside packets: IO vectors over memory of the kernel, and
//! a network device.
//!
//! Unsafe: iterators over memory that is borrowed.
//!
//! C header: [`include/linux/uio.h`](srctree/include/linux/uio.h)

use crate::net::NetDevice;
use bindings_net as bindings;
use core::mem::MaybeUninit;
use kernel::iov::{
    IovIterDest,
    IovIterSource, //
};

/// Returns the loopback device of the initial network namespace. It has Ethernet headers.
pub fn loopback() -> &'static NetDevice {
    // SAFETY: The initial namespace and its loopback device are never freed.
    unsafe { NetDevice::from_raw(bindings::init_net.loopback_dev.cast()) }
}

/// Makes an iterator in the given direction over `len` bytes at `base`, and calls `f` with it.
fn with_iter<R>(
    direction: u32,
    base: *mut u8,
    len: usize,
    f: impl FnOnce(*mut bindings::iov_iter) -> R,
) -> R {
    let vec = bindings::kvec {
        iov_base: base.cast(),
        iov_len: len,
    };
    let mut iter = MaybeUninit::uninit();
    // SAFETY: Both are local variables, and stay until `f` has returned.
    unsafe { bindings::iov_iter_kvec(iter.as_mut_ptr(), direction, &vec, 1, len) };
    f(iter.as_mut_ptr())
}

/// Calls `f` with a source that has `bytes`.
pub fn with_source<R>(bytes: &[u8], f: impl FnOnce(&mut IovIterSource<'_>) -> R) -> R {
    let base = bytes.as_ptr().cast_mut();
    with_iter(bindings::ITER_SOURCE, base, bytes.len(), |iter| {
        // SAFETY: `iter` is a valid iterator, for a source, and `bytes` stay while `f` runs.
        f(unsafe { IovIterSource::from_raw(iter) })
    })
}

/// Calls `f` with a destination that has room for as many bytes as there are in `bytes`.
pub fn with_dest<R>(bytes: &mut [u8], f: impl FnOnce(&mut IovIterDest<'_>) -> R) -> R {
    let base = bytes.as_mut_ptr();
    with_iter(bindings::ITER_DEST, base, bytes.len(), |iter| {
        // SAFETY: `iter` is a valid iterator, for a destination, and `bytes` stay, and are not used
        // otherwise, while `f` runs.
        f(unsafe { IovIterDest::from_raw(iter) })
    })
}

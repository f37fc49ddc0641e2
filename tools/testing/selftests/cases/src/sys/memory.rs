// SPDX-License-Identifier: GPL-2.0
//! Addresses that the kernel cannot read or write, and buffers that end at one.

use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::slice;

use nix::sys::mman::{mmap_anonymous, mprotect, munmap, MapFlags, ProtFlags};

/// Nothing is mapped there, but the address belongs to user space.
pub const UNMAPPED: usize = 0x10;
/// A kernel address: refused before any driver sees it.
pub const KERNEL: usize = 0xffff_8880_0000_0000;

const PAGE: usize = 4096;

/// A buffer between two unmapped pages. Its address fits into 32 bits, so that
/// 32-bit system calls can be given it.
pub struct Guarded {
    pages: NonNull<libc::c_void>,
    size: usize,
}

impl Guarded {
    pub fn new(size: usize) -> Guarded {
        let size = size.next_multiple_of(PAGE);
        let total = NonZeroUsize::new(size + 2 * PAGE).expect("not zero");
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_32BIT;
        // SAFETY: A new mapping touches no existing memory.
        let pages =
            unsafe { mmap_anonymous(None, total, ProtFlags::PROT_NONE, flags) }.expect("memory");
        // SAFETY: The pages between the first and the last are this mapping's.
        unsafe {
            mprotect(
                pages.byte_add(PAGE),
                size,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
            )
        }
        .expect("accessible memory");
        Guarded { pages, size }
    }

    pub fn start(&self) -> usize {
        self.pages.as_ptr() as usize + PAGE
    }

    /// The address from which `length` bytes are mapped, and no more.
    pub fn tail(&self, length: usize) -> usize {
        assert!(length <= self.size);
        self.start() + self.size - length
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: The mapping is readable and writable and lives as long as
        // `self`, which is borrowed.
        unsafe { slice::from_raw_parts_mut(self.start() as *mut u8, self.size) }
    }

    /// Puts `bytes` where the mapped memory ends and returns their address.
    pub fn put_at_tail(&mut self, bytes: &[u8]) -> usize {
        let at = self.size - bytes.len();
        self.bytes()[at..].copy_from_slice(bytes);
        self.tail(bytes.len())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: The mapping is this object's own.
        unsafe { munmap(self.pages, self.size + 2 * PAGE) }.expect("munmap");
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Addresses that the kernel cannot read or write, buffers that end at one, and such that
//! change.

use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::sys::mman::{madvise, mmap_anonymous, mprotect, munmap, MapFlags, MmapAdvise, ProtFlags};

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

/// Memory that one thread changes, or gives back, while the kernel reads or writes it for
/// another.
pub struct Shared {
    pages: NonNull<libc::c_void>,
    size: usize,
}

// SAFETY: All of the program's accesses are atomic.
unsafe impl Send for Shared {}
// SAFETY: As above.
unsafe impl Sync for Shared {}

impl Shared {
    pub fn new(size: usize) -> Shared {
        let size = size.next_multiple_of(PAGE);
        let length = NonZeroUsize::new(size).expect("not zero");
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: A new mapping touches no existing memory.
        let pages = unsafe { mmap_anonymous(None, length, access, MapFlags::MAP_PRIVATE) };
        Shared {
            pages: pages.expect("memory"),
            size,
        }
    }

    pub fn address(&self) -> usize {
        self.pages.as_ptr() as usize
    }

    pub fn store(&self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.size);
        for (place, &byte) in (at..).zip(bytes) {
            let place = (self.address() + place) as *mut u8;
            // SAFETY: The byte is this mapping's, which lives as long as `self`.
            unsafe { AtomicU8::from_ptr(place) }.store(byte, Ordering::Relaxed);
        }
    }

    /// It is there again, as zeroes, when it is touched.
    pub fn give_back(&self) {
        // SAFETY: The mapping is this object's own, and zeroes are as good as any bytes.
        unsafe { madvise(self.pages, self.size, MmapAdvise::MADV_DONTNEED) }.expect("madvise");
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // SAFETY: The mapping is this object's own.
        unsafe { munmap(self.pages, self.size) }.expect("munmap");
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Memory whose pages come when the test says so: whoever touches one waits for it,
//! in the kernel, too.

use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;

use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::mman::{mmap_anonymous, munmap, MapFlags, ProtFlags};

use super::wait;

const PAGE: usize = 4096;

/// From `linux/userfaultfd.h`.
const UFFD_API: u64 = 0xaa;
const UFFDIO_API: u64 = 0xc018_aa3f;
const UFFDIO_REGISTER: u64 = 0xc020_aa00;
const UFFDIO_COPY: u64 = 0xc028_aa03;
const REGISTER_MISSING: u64 = 1;

/// What is told of a fault: `struct uffd_msg`.
const MESSAGE: usize = 32;

/// One page that is not there yet.
pub struct Absent {
    page: NonNull<libc::c_void>,
    handler: OwnedFd,
}

// SAFETY: The page belongs to this object, and is only ever an address for the kernel.
unsafe impl Send for Absent {}
// SAFETY: As above.
unsafe impl Sync for Absent {}

impl Absent {
    pub fn new() -> Absent {
        let size = NonZeroUsize::new(PAGE).expect("not zero");
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: A new mapping touches no existing memory.
        let page = unsafe { mmap_anonymous(None, size, access, MapFlags::MAP_PRIVATE) };
        let page = page.expect("memory");
        // SAFETY: userfaultfd() takes no pointers.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
        let fd = Errno::result(fd).expect("userfaultfd") as i32;
        // SAFETY: The descriptor is new and nobody else's.
        let handler = unsafe { OwnedFd::from_raw_fd(fd) };
        let absent = Absent { page, handler };
        absent.request(UFFDIO_API, &mut [UFFD_API, 0, 0]);
        let start = absent.address() as u64;
        absent.request(
            UFFDIO_REGISTER,
            &mut [start, PAGE as u64, REGISTER_MISSING, 0],
        );
        absent
    }

    pub fn address(&self) -> usize {
        self.page.as_ptr() as usize
    }

    /// Until somebody waits for the page.
    pub fn wait_touched(&self) {
        wait::events(&self.handler, PollFlags::POLLIN);
        let handler = self.handler.try_clone().expect("a descriptor");
        let mut message = [0; MESSAGE];
        File::from(handler)
            .read_exact(&mut message)
            .expect("a fault");
    }

    /// The page, with these bytes at its start.
    pub fn provide(&self, bytes: &[u8]) {
        let mut content = vec![0u8; PAGE];
        content[..bytes.len()].copy_from_slice(bytes);
        let source = content.as_ptr() as u64;
        self.request(
            UFFDIO_COPY,
            &mut [self.address() as u64, source, PAGE as u64, 0, 0],
        );
    }

    fn request<const N: usize>(&self, request: u64, argument: &mut [u64; N]) {
        // SAFETY: The argument is laid out as the request's structure, all of whose fields are
        // 64-bit numbers; the addresses in it are this object's page and a buffer of its size.
        let done = unsafe { libc::ioctl(self.handler.as_raw_fd(), request, argument.as_mut_ptr()) };
        Errno::result(done).expect("a request of userfaultfd");
    }
}

impl Drop for Absent {
    fn drop(&mut self) {
        // SAFETY: The mapping is this object's own.
        unsafe { munmap(self.page, PAGE) }.expect("munmap");
    }
}

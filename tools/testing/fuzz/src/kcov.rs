// SPDX-License-Identifier: GPL-2.0
//! What the calling thread runs of the kernel's instrumented code, from
//! `CONFIG_KCOV`. Interrupts, softirqs and other threads are not seen.

use std::fs::File;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::mman::{mmap, munmap, MapFlags, ProtFlags};
use nix::{request_code_none, request_code_read};

const PATH: &str = "/sys/kernel/debug/kcov";

const INIT_TRACE: u64 = request_code_read!(b'c', 1, size_of::<u64>());
const ENABLE: u64 = request_code_none!(b'c', 100);
const DISABLE: u64 = request_code_none!(b'c', 101);
const TRACE_PC: usize = 0;

/// A program of operations runs through some ten thousand places. What does not
/// fit is not recorded.
const RECORDS: usize = 1 << 18;

pub struct Kcov {
    file: File,
    /// The number of records, and these.
    memory: NonNull<AtomicU64>,
}

impl Kcov {
    /// From here on the calling thread is recorded, for its whole life.
    pub fn start() -> Kcov {
        let file = File::options().read(true).write(true).open(PATH);
        let file = file.expect("KCOV in the kernel");
        ioctl(&file, INIT_TRACE, RECORDS).expect("KCOV_INIT_TRACE");
        let size = NonZeroUsize::new(RECORDS * size_of::<u64>()).expect("not zero");
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: A new mapping touches no existing memory.
        let memory = unsafe { mmap(None, size, access, MapFlags::MAP_SHARED, &file, 0) };
        let memory = memory.expect("KCOV's memory").cast();
        ioctl(&file, ENABLE, TRACE_PC).expect("KCOV_ENABLE");
        Kcov { file, memory }
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: The mapping has as many words and lives as long as `self`. The
        // kernel writes to it in this thread only, when it is in a system call.
        unsafe { slice::from_raw_parts(self.memory.as_ptr(), RECORDS) }
    }

    /// Forgets what was recorded.
    pub fn reset(&self) {
        self.words()[0].store(0, Ordering::Relaxed);
    }

    /// The addresses recorded since then, in order, each time that it was met.
    pub fn addresses(&self) -> impl Iterator<Item = u64> + '_ {
        let (count, records) = self.words().split_first().expect("a number of records");
        let count = count.load(Ordering::Relaxed) as usize;
        records
            .iter()
            .take(count)
            .map(|record| record.load(Ordering::Relaxed))
    }
}

impl Drop for Kcov {
    fn drop(&mut self) {
        // Closing the file ends the recording, too, but not before the memory is
        // no longer mapped.
        let _ = ioctl(&self.file, DISABLE, 0);
        // SAFETY: The mapping is this object's own.
        unsafe { munmap(self.memory.cast(), RECORDS * size_of::<u64>()) }.expect("munmap");
    }
}

fn ioctl(file: &File, request: u64, argument: usize) -> nix::Result<()> {
    // SAFETY: None of KCOV's requests here takes an address.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), request, argument) };
    Errno::result(done).map(drop)
}

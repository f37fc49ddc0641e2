// SPDX-License-Identifier: GPL-2.0
//! Clocks. In a machine that counts instructions, a nanosecond is one.

use std::mem;
use std::time::Duration;

use nix::errno::Errno;

/// Runs on while the program waits.
pub fn elapsed() -> Duration {
    now(libc::CLOCK_MONOTONIC)
}

/// Runs only while the calling thread does, in the kernel or out of it.
pub fn cpu() -> Duration {
    now(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn now(clock: libc::clockid_t) -> Duration {
    // SAFETY: All zeroes are a valid time.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: The pointer is that of a timespec.
    let done = unsafe { libc::clock_gettime(clock, &mut time) };
    Errno::result(done).expect("clock_gettime");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

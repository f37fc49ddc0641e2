// SPDX-License-Identifier: GPL-2.0
//! Waiting for something that another context brings about. Nothing waits for
//! a time to pass: a condition is polled, and the deadline is a failure.

use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{poll, PollFd, PollFlags, PollTimeout};

/// Ample for an emulated machine under load.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Until all that is under RCU at this moment is so no more. What is done then
/// is about to be done.
pub fn grace_period() {
    // SAFETY: membarrier() takes no pointers.
    let done = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
    Errno::result(done).expect("membarrier");
}

/// What poll() reports at this moment.
pub fn events_now(file: &impl AsFd, wanted: PollFlags) -> PollFlags {
    poll_for(file.as_fd(), wanted, PollTimeout::ZERO)
}

/// What poll() reports as soon as it reports something.
pub fn events(file: &impl AsFd, wanted: PollFlags) -> PollFlags {
    let events = poll_for(
        file.as_fd(),
        wanted,
        PollTimeout::try_from(DEADLINE).expect("a short time"),
    );
    assert!(!events.is_empty(), "poll() waited in vain for {wanted:?}");
    events
}

fn poll_for(file: BorrowedFd, wanted: PollFlags, timeout: PollTimeout) -> PollFlags {
    let mut files = [PollFd::new(file, wanted)];
    poll(&mut files, timeout).expect("poll");
    files[0].revents().expect("known events")
}

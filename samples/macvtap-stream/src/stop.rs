// SPDX-License-Identifier: GPL-2.0
//! The signals that end the program, as something to wait for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Readable once such a signal has come.
pub struct Stop {
    signals: SigSet,
    file: SignalFd,
}

impl AsFd for Stop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Stop {
    /// From now on they do not kill the program.
    pub fn on_signals() -> io::Result<Stop> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGTERM);
        signals.add(Signal::SIGINT);
        signals.thread_block()?;
        let file = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?;
        Ok(Stop { signals, file })
    }

    /// Takes the signal that has come. The next one kills.
    pub fn acknowledge(&self) -> io::Result<()> {
        self.file.read_signal()?;
        self.signals.thread_unblock()?;
        Ok(())
    }

    /// Waits until `file` is readable or such a signal has come; whether it has.
    pub fn or_readable(&self, file: &impl AsFd) -> io::Result<bool> {
        let mut files = [
            PollFd::new(self.as_fd(), PollFlags::POLLIN),
            PollFd::new(file.as_fd(), PollFlags::POLLIN),
        ];
        poll(&mut files, PollTimeout::NONE)?;
        Ok(files[0].any().unwrap_or(false))
    }
}

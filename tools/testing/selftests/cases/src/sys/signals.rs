// SPDX-License-Identifier: GPL-2.0
//! Signals that files send.

use std::os::fd::{AsRawFd, RawFd};

use nix::fcntl::{fcntl, FcntlArg, OFlag};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::getpid;

use super::tap::Tap;
use super::wait;

/// A signal that a file has sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub signal: i32,
    pub file: RawFd,
    /// As poll() tells them.
    pub events: u32,
}

/// The signal of which each one is queued.
pub fn queued_signal() -> i32 {
    libc::SIGRTMIN()
}

/// Catches the signals of files that are sent to this process, for as long as it
/// lives: there is a process for each case.
pub struct Signals(SignalFd);

impl Signals {
    pub fn catch() -> Signals {
        // SAFETY: A set is numbers.
        let mut raw: libc::sigset_t = unsafe { std::mem::zeroed() };
        for signal in [queued_signal(), Signal::SIGIO as i32] {
            // SAFETY: The set is valid.
            unsafe { libc::sigaddset(&mut raw, signal) };
        }
        // SAFETY: The set was initialised.
        let set = unsafe { SigSet::from_sigset_t_unchecked(raw) };
        set.thread_block().expect("signals to be blocked");
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Signals(SignalFd::with_flags(&set, flags).expect("signalfd()"))
    }

    /// The next one, if it has been sent.
    pub fn next(&self) -> Option<Told> {
        let info = self.0.read_signal().expect("a read of signalfd")?;
        Some(Told {
            signal: info.ssi_signo as i32,
            file: info.ssi_fd,
            events: info.ssi_band,
        })
    }

    pub fn wait(&self) -> Told {
        let mut told = None;
        wait::until("a signal", || {
            told = self.next();
            told.is_some()
        });
        told.expect("a signal")
    }
}

/// The request for another signal than SIGIO.
pub const F_SETSIG: i32 = 10;

/// Has `file` send signals to this process: SIGIO, or the one given.
pub fn send(file: &Tap, signal: Option<i32>) {
    let call = |command: i32, argument: i32| {
        // SAFETY: Neither command takes a pointer.
        let result = unsafe { libc::fcntl(file.as_raw_fd(), command, argument) };
        nix::errno::Errno::result(result).expect("fcntl()");
    };
    call(libc::F_SETOWN, getpid().as_raw());
    call(F_SETSIG, signal.unwrap_or(0));
    set(file, true);
}

/// Sets or clears O_ASYNC.
pub fn set(file: &Tap, on: bool) {
    let mut flags = flags(file);
    flags.set(OFlag::O_ASYNC, on);
    file.set_status(flags).expect("F_SETFL");
}

pub fn flags(file: &Tap) -> OFlag {
    OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL).expect("F_GETFL"))
}

// SPDX-License-Identifier: GPL-2.0
//! The programs in samples, which lie beside this one.

use std::env;
use std::fs;
use std::io::Read as _;
use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::tap::Tap;
use super::wait;

pub fn path(name: &str) -> PathBuf {
    let own = env::current_exe().expect("this program's path");
    own.with_file_name(name)
}

/// It is killed when this goes out of scope.
pub struct Sample(Child);

impl Sample {
    pub fn start(name: &str, arguments: &[&str]) -> Sample {
        let mut command = Command::new(path(name));
        command.args(arguments).stdin(Stdio::null());
        Sample(command.stderr(Stdio::piped()).spawn().expect("a sample"))
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id() as i32)
    }

    pub fn signal(&self, signal: Signal) {
        signal::kill(self.pid(), signal).expect("kill");
    }

    pub fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("the sample").is_some()
    }

    /// How it ends, and what it says.
    pub fn end(&mut self) -> (ExitStatus, String) {
        wait::until("a sample to end", || self.has_ended());
        let mut said = String::new();
        let mut stderr = self.0.stderr.take().expect("what it says");
        stderr.read_to_string(&mut said).expect("what it says");
        (self.0.wait().expect("its status"), said)
    }

    /// Its queue, once it has one, as this process sees it.
    pub fn queue(&self) -> Tap {
        let mut found = None;
        wait::until("a sample to open its queue", || {
            found = self.file_of_a_node();
            found.is_some()
        });
        let file = found.expect("its descriptor");
        // SAFETY: Both calls take no pointers.
        let file = unsafe {
            let process = libc::syscall(libc::SYS_pidfd_open, self.0.id(), 0);
            let process = Errno::result(process).expect("pidfd_open");
            libc::syscall(libc::SYS_pidfd_getfd, process, file, 0)
        };
        let file = Errno::result(file).expect("pidfd_getfd") as RawFd;
        // SAFETY: The descriptor is new and nobody else's.
        Tap::from(unsafe { OwnedFd::from_raw_fd(file) })
    }

    fn file_of_a_node(&self) -> Option<RawFd> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.0.id())).ok()?;
        let node = files.flatten().find(|file| {
            let target = fs::read_link(file.path());
            target.is_ok_and(|target| target.to_string_lossy().starts_with("/dev/tap"))
        });
        node?.file_name().to_str()?.parse().ok()
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

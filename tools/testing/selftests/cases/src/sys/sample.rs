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
        Tap::from(self.file("/dev/tap"))
    }

    /// A file that it has, once it has it, by how its path or name begins.
    pub fn file(&self, target: &str) -> OwnedFd {
        let mut found = None;
        wait::until("a sample to open its file", || {
            found = self.find_file(target);
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
        unsafe { OwnedFd::from_raw_fd(file) }
    }

    fn find_file(&self, target: &str) -> Option<RawFd> {
        let files = fs::read_dir(format!("/proc/{}/fd", self.0.id())).ok()?;
        let file = files.flatten().find(|file| {
            let path = fs::read_link(file.path());
            path.is_ok_and(|path| path.to_string_lossy().starts_with(target))
        });
        file?.file_name().to_str()?.parse().ok()
    }
}

impl Drop for Sample {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

// SPDX-License-Identifier: GPL-2.0
//! Network namespaces of the calling thread.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};

use nix::mount::{mount, MsFlags};
use nix::sched::{setns, unshare, CloneFlags};
use nix::unistd::Pid;

pub struct Netns(File);

impl AsRawFd for Netns {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl Netns {
    pub fn current() -> Netns {
        Netns(File::open("/proc/thread-self/ns/net").expect("the network namespace"))
    }

    /// That of another process.
    pub fn of(process: Pid) -> Netns {
        Netns(File::open(format!("/proc/{process}/ns/net")).expect("its network namespace"))
    }

    /// Makes a namespace and enters it.
    pub fn enter_new() -> Netns {
        unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
        Netns::current()
    }

    /// Makes a namespace and does not enter it.
    pub fn another() -> Netns {
        let home = Netns::current();
        let other = Netns::enter_new();
        home.enter();
        other
    }

    pub fn enter(&self) {
        setns(&self.0, CloneFlags::CLONE_NEWNET).expect("setns");
    }
}

/// Makes /sys show the current network namespace, for this process only.
pub fn mount_sysfs() {
    unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace");
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none).expect("private mounts");
    mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), none).expect("sysfs");
}

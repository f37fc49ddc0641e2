// SPDX-License-Identifier: GPL-2.0
//! Processes in control groups: the calling one, to count the memory that the kernel needs
//! for it, and others, to freeze them.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{mount, umount, MsFlags};
use nix::unistd::Pid;

use super::wait;

struct Group {
    mounted: PathBuf,
}

impl Group {
    fn new(controller: Option<&str>) -> Group {
        let mounted = PathBuf::from("/tmp/macvtap-selftests-cgroup");
        fs::create_dir_all(&mounted).expect("a directory");
        let none = None::<&str>;
        mount(none, &mounted, Some("cgroup2"), MsFlags::empty(), none).expect("cgroup2");
        if let Some(controller) = controller {
            write(&mounted.join("cgroup.subtree_control"), controller);
        }
        let group = Group { mounted };
        fs::create_dir(group.path()).expect("a control group");
        group
    }

    fn path(&self) -> PathBuf {
        self.mounted.join("macvtap-selftests")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.path());
        let _ = umount(&self.mounted);
    }
}

pub struct MemoryGroup(Group);

impl MemoryGroup {
    pub fn enter() -> MemoryGroup {
        let group = Group::new(Some("+memory"));
        write(&group.path().join("cgroup.procs"), "0");
        MemoryGroup(group)
    }

    /// What the group is charged with, in bytes.
    pub fn charged(&self) -> u64 {
        let charged = fs::read_to_string(self.0.path().join("memory.current")).expect("a charge");
        charged.trim().parse().expect("a number")
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        write(&self.0.mounted.join("cgroup.procs"), "0");
    }
}

pub struct Freezer(Group);

impl Freezer {
    pub fn of(process: Pid) -> Freezer {
        let group = Group::new(None);
        write(&group.path().join("cgroup.procs"), &process.to_string());
        Freezer(group)
    }

    /// Stops the process wherever it is, and lets it go on.
    pub fn pause(&self) {
        let file = self.0.path().join("cgroup.freeze");
        write(&file, "1");
        wait::until("a process to freeze", || {
            let events = fs::read_to_string(self.0.path().join("cgroup.events"));
            events.expect("the group's state").contains("frozen 1")
        });
        write(&file, "0");
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

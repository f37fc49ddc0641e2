// SPDX-License-Identifier: GPL-2.0
//! The calling process in a control group of its own, which counts the memory
//! that the kernel needs for it.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{mount, umount, MsFlags};

pub struct MemoryGroup {
    mounted: PathBuf,
}

impl MemoryGroup {
    pub fn enter() -> MemoryGroup {
        let mounted = PathBuf::from("/tmp/macvtap-selftests-cgroup");
        fs::create_dir_all(&mounted).expect("a directory");
        let none = None::<&str>;
        mount(none, &mounted, Some("cgroup2"), MsFlags::empty(), none).expect("cgroup2");
        write(&mounted.join("cgroup.subtree_control"), "+memory");
        let group = MemoryGroup { mounted };
        fs::create_dir(group.path()).expect("a control group");
        write(&group.path().join("cgroup.procs"), "0");
        group
    }

    fn path(&self) -> PathBuf {
        self.mounted.join("macvtap-selftests")
    }

    /// What the group is charged with, in bytes.
    pub fn charged(&self) -> u64 {
        let charged = fs::read_to_string(self.path().join("memory.current")).expect("a charge");
        charged.trim().parse().expect("a number")
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        write(&self.mounted.join("cgroup.procs"), "0");
        let _ = fs::remove_dir(self.path());
        let _ = umount(&self.mounted);
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

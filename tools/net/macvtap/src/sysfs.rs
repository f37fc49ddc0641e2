// SPDX-License-Identifier: GPL-2.0
//! The sysfs of the network namespace that this program runs in, which need not be the one that
//! is mounted at /sys: entering a namespace mounts nothing.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

use rustix::fs::{openat, Dir, Mode, OFlags, CWD};
use rustix::mount::{fsconfig_create, fsmount, fsopen, FsMountFlags, FsOpenFlags, MountAttrFlags};

/// Its root.
pub struct Sysfs(OwnedFd);

impl Sysfs {
    /// Root gets a mount of its own, which is in no directory. Others have to do with /sys.
    pub fn open() -> io::Result<Sysfs> {
        let root = mount().or_else(|_| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            openat(CWD, "/sys", flags, Mode::empty())
        });
        Ok(Sysfs(root?))
    }

    /// What is in a file, without white space around it.
    pub fn read(&self, path: &str) -> io::Result<String> {
        let file = openat(&self.0, path, OFlags::CLOEXEC, Mode::empty())?;
        let mut text = String::new();
        std::fs::File::from(file).read_to_string(&mut text)?;
        Ok(text.trim().to_owned())
    }

    /// The names in a directory.
    pub fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(&self.0, path, flags, Mode::empty())?;
        Dir::read_from(directory)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }
}

fn mount() -> rustix::io::Result<OwnedFd> {
    let context = fsopen("sysfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::MOUNT_ATTR_RDONLY,
    )
}

// SPDX-License-Identifier: GPL-2.0
//! The character device of a link.

use std::io;
use std::path::PathBuf;

use rustix::fs::{makedev, stat, FileType};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::link::Link;
use crate::sysfs::Sysfs;

/// Where a link's node should be.
#[derive(Debug, Serialize)]
pub struct Node {
    /// As udev and devtmpfs name it.
    pub path: PathBuf,
    /// Whether it is there, and is this link's.
    pub exists: bool,
    /// Its number, by which the kernel knows it.
    #[serde(skip)]
    pub device: u64,
}

impl Node {
    /// The link's, as sysfs has it.
    pub fn of(link: &Link, sysfs: &Sysfs) -> Result<Node> {
        let directory = format!("class/net/{}", link.name);
        // Another namespace may have a link of the same name.
        let index = sysfs.read(&format!("{directory}/ifindex"));
        if index.ok() != Some(link.index.to_string()) {
            return Err(Error::failed(format!(
                "the node of {} is not known: /sys belongs to another network namespace (run as root)",
                link.name
            )));
        }
        let missing = || {
            format!(
                "the node of {} is not known: it has none in sysfs",
                link.name
            )
        };
        let (name, device) = look(sysfs, &format!("{directory}/macvtap"))
            .map_err(|error| Error::failed(format!("{}: {error}", missing())))?
            .ok_or_else(|| Error::failed(missing()))?;
        let path = PathBuf::from("/dev").join(name);
        let exists = stat(&path).is_ok_and(|file| {
            FileType::from_raw_mode(file.st_mode) == FileType::CharacterDevice
                && file.st_rdev == device
        });
        Ok(Node {
            path,
            exists,
            device,
        })
    }
}

/// The name and the number of the device in that directory.
fn look(sysfs: &Sysfs, directory: &str) -> io::Result<Option<(String, u64)>> {
    let names = sysfs.list(directory)?;
    let Some(device) = names.iter().find(|name| name.starts_with("tap")) else {
        return Ok(None);
    };
    let uevent = sysfs.read(&format!("{directory}/{device}/uevent"))?;
    Ok(parse(&uevent))
}

/// From what udev hears, since the device's own name need not be that of its node.
fn parse(uevent: &str) -> Option<(String, u64)> {
    let value = |key| {
        uevent
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
    };
    let device = makedev(value("MAJOR")?.parse().ok()?, value("MINOR")?.parse().ok()?);
    Some((value("DEVNAME")?.to_owned(), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_udev_hears() {
        let device = makedev(236, 524_288);
        assert_eq!(
            parse("MAJOR=236\nMINOR=524288\nDEVNAME=tap524288"),
            Some(("tap524288".to_owned(), device))
        );
        assert_eq!(parse("MAJOR=236\nMINOR=x\nDEVNAME=tap5"), None);
        assert_eq!(parse("MAJOR=236\nDEVNAME=tap5"), None);
        assert_eq!(parse("MAJOR=236\nMINOR=5"), None);
        assert_eq!(parse(""), None);
    }
}

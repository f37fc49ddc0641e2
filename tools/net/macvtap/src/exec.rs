// SPDX-License-Identifier: GPL-2.0
//! Runs a program with queues of a link open, as QEMU and others want to have them.

use std::ffi::{CStr, OsString};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use command_fds::{CommandFdExt as _, FdMapping};
use rustix::fs::{mknodat, FileType, Mode, CWD};
use rustix::io::Errno;
use rustix::ioctl::{ioctl, opcode, Getter};
use tempfile::Builder;

use crate::error::{Error, Result, FAILED, NOT_PERMITTED};
use crate::link::Link;
use crate::netlink::Netlink;
use crate::node::Node;
use crate::sysfs::Sysfs;

/// The exit status of whatever else fails: the program has the other ones.
const BEFORE_PROGRAM: u8 = 125;
/// The exit status if the program was found, but cannot be run.
const CANNOT_RUN: u8 = 126;
/// The exit status if there is no such program.
const NOT_FOUND: u8 = 127;

/// The first descriptor that is passed.
const FIRST: i32 = 3;

const TUNGETIFF: rustix::ioctl::Opcode = opcode::read::<libc::c_uint>(b'T', 210);

/// Becomes the program; returns only if that failed.
pub fn exec(name: &str, queues: u16, command: &[OsString]) -> Result<()> {
    let files = prepare(name, queues).map_err(|error| error.with_status(BEFORE_PROGRAM))?;
    let mappings = files
        .into_iter()
        .zip(FIRST..)
        .map(|(file, child_fd)| FdMapping {
            parent_fd: file.into(),
            child_fd,
        });
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| Error::failed("no program"))?;
    let error = Command::new(program)
        .args(arguments)
        .fd_mappings(mappings.collect())
        .map_err(|error| Error::failed(error.to_string()))?
        .exec();
    let status = match error.kind() {
        io::ErrorKind::NotFound => NOT_FOUND,
        _ => CANNOT_RUN,
    };
    let message = format!("cannot run {}: {error}", program.to_string_lossy());
    Err(Error::new(status, message))
}

/// Only what it returns is left open.
fn prepare(name: &str, queues: u16) -> Result<Vec<File>> {
    let link = Link::named(&Netlink::connect()?, name)?;
    let node = Node::of(&link, &Sysfs::open()?)?;
    let files = open(&link, &node, queues)?;
    for file in &files {
        check(file, &link)?;
    }
    Ok(files)
}

fn open(link: &Link, node: &Node, queues: u16) -> Result<Vec<File>> {
    if node.exists {
        return open_path(link, &node.path, queues);
    }
    // For root only, and gone as soon as it is open.
    let private = Builder::new()
        .prefix(".macvtap-")
        .make_in("/dev", |path| {
            let mode = Mode::RUSR | Mode::WUSR;
            Ok(mknodat(
                CWD,
                path,
                FileType::CharacterDevice,
                mode,
                node.device,
            )?)
        })
        .map_err(|error| {
            let path = node.path.display();
            let permission = error.kind() == io::ErrorKind::PermissionDenied;
            let (status, remedy) = if permission {
                (
                    NOT_PERMITTED,
                    ": run as root, or have the node made (by udev, or mknod)",
                )
            } else {
                (FAILED, "")
            };
            let message = format!(
                "there is no {path} of {}, and none can be made: {error}{remedy}",
                link.name
            );
            Error::new(status, message)
        })?;
    open_path(link, private.path(), queues)
}

fn open_path(link: &Link, path: &Path, queues: u16) -> Result<Vec<File>> {
    // They block, as those that a shell opens. QEMU and cloud-hypervisor change that.
    let open = || OpenOptions::new().read(true).write(true).open(path);
    let files: io::Result<Vec<File>> = (0..queues).map(|_| open()).collect();
    files.map_err(|error| {
        let attempt = format!("cannot open {} of {}: {error}", path.display(), link.name);
        match Errno::from_io_error(&error) {
            Some(Errno::ACCESS | Errno::PERM) => Error::new(
                NOT_PERMITTED,
                format!("{attempt}: run as root, or give this user the node (by a udev rule, or chown)"),
            ),
            Some(Errno::BUSY) => Error::failed(format!(
                "{attempt}: a link has no more than 256 queues, \"macvtap list\" tells who has them open"
            )),
            Some(Errno::NODEV | Errno::NXIO) => {
                Error::failed(format!("{attempt}: the link was deleted meanwhile"))
            }
            _ => Error::failed(attempt),
        }
    })
}

/// That it is a queue of the link: another link may have got the number meanwhile.
fn check(file: &File, link: &Link) -> Result<()> {
    // SAFETY: TUNGETIFF writes a struct ifreq, and nothing else.
    let request = unsafe { ioctl(file, Getter::<TUNGETIFF, libc::ifreq>::new()) };
    let name = request.map(|request| request.ifr_name.map(|byte| byte as u8));
    let name = name.as_ref().map(|name| CStr::from_bytes_until_nul(name));
    match name {
        Ok(Ok(name)) if name.to_bytes() == link.name.as_bytes() => Ok(()),
        Ok(_) => Err(Error::failed(format!(
            "{} was renamed or deleted meanwhile: try again",
            link.name
        ))),
        Err(error) => Err(Error::failed(format!(
            "what was opened is no queue of {}: {error}",
            link.name
        ))),
    }
}

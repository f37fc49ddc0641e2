// SPDX-License-Identifier: GPL-2.0
//! Which processes have a link's node open. Each time that it was opened made a queue, which all
//! who have inherited or been passed the file share.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{makedev, statx, AtFlags, FileType, StatxFlags, CWD};
use rustix::io::Errno;
use serde::Serialize;

/// A process that has queues open.
#[derive(Debug, Serialize)]
pub struct User {
    /// Its number.
    pub pid: i32,
    /// What it calls itself.
    pub command: String,
    /// How many queues it has open.
    pub queues: usize,
}

/// The queues of one link.
#[derive(Debug, Default, Serialize)]
pub struct Queues {
    /// How many are open.
    pub open: usize,
    /// Whether no process was hidden from this user.
    pub complete: bool,
    /// By whom they are open.
    pub users: Vec<User>,
}

/// "2: qemu-system-x86 (4711)". A number stands for those that others share.
impl fmt::Display for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.open)?;
        if !self.complete {
            f.write_str(" or more")?;
        }
        for (i, user) in self.users.iter().enumerate() {
            let separator = if i == 0 { ":" } else { "," };
            write!(f, "{separator} {} ({})", user.command, user.pid)?;
        }
        Ok(())
    }
}

/// A file descriptor of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Descriptor {
    pid: i32,
    number: i32,
}

/// All open character devices there are, as far as this user may look.
pub struct OpenDevices {
    by_device: HashMap<u64, Vec<Descriptor>>,
    complete: bool,
}

impl OpenDevices {
    /// Looks through /proc.
    pub fn look() -> io::Result<OpenDevices> {
        let mut found = OpenDevices {
            by_device: HashMap::new(),
            // It may be hidden altogether.
            complete: Path::new("/proc/1").exists(),
        };
        let own = std::process::id() as i32;
        for process in fs::read_dir("/proc")? {
            let process = process?;
            match number(&process.file_name()) {
                // What it has inherited, its parent has open as well.
                Some(pid) if pid != own => found.look_at(pid, &process.path()),
                _ => {}
            }
        }
        Ok(found)
    }

    fn look_at(&mut self, pid: i32, process: &Path) {
        let descriptors = match fs::read_dir(process.join("fd")) {
            Ok(descriptors) => descriptors,
            Err(error) => {
                // Those that have ended meanwhile have nothing open.
                if error.kind() == io::ErrorKind::PermissionDenied {
                    self.complete = false;
                }
                return;
            }
        };
        for descriptor in descriptors.flatten() {
            let Some(number) = number(&descriptor.file_name()) else {
                continue;
            };
            if let Some(device) = character_device(&descriptor.path()) {
                let descriptors = self.by_device.entry(device).or_default();
                descriptors.push(Descriptor { pid, number });
            }
        }
    }

    /// The queues of the link whose node has that number.
    pub fn queues(&self, device: u64) -> Queues {
        let mut descriptors = self.by_device.get(&device).cloned().unwrap_or_default();
        descriptors.sort();
        let users = descriptors
            .chunk_by(|a, b| a.pid == b.pid)
            .map(|of_one| User {
                pid: of_one[0].pid,
                command: command(of_one[0].pid),
                queues: different(of_one, compare),
            })
            .collect();
        Queues {
            open: different(&descriptors, compare),
            complete: self.complete,
            users,
        }
    }
}

fn number(name: &std::ffi::OsStr) -> Option<i32> {
    name.to_str()?.parse().ok()
}

fn command(pid: i32) -> String {
    let command = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(&command).trim_end().to_owned()
}

/// The number of the device that is open, without asking a file server anything.
fn character_device(descriptor: &Path) -> Option<u64> {
    // Sockets and the like have no path.
    let path = fs::read_link(descriptor).ok()?;
    if path.as_os_str().as_bytes().first() != Some(&b'/') {
        return None;
    }
    let file = statx(CWD, descriptor, AtFlags::STATX_DONT_SYNC, StatxFlags::TYPE).ok()?;
    let kind = FileType::from_raw_mode(file.stx_mode.into());
    (kind == FileType::CharacterDevice).then(|| makedev(file.stx_rdev_major, file.stx_rdev_minor))
}

/// How many different files these are, by an order of files.
fn different(
    descriptors: &[Descriptor],
    compare: impl Fn(&Descriptor, &Descriptor) -> Ordering,
) -> usize {
    let mut files: Vec<Descriptor> = Vec::new();
    for descriptor in descriptors {
        // Not sort(): processes come and go, and then there is no order.
        if let Err(at) = files.binary_search_by(|file| compare(file, descriptor)) {
            files.insert(at, *descriptor);
        }
    }
    files.len()
}

/// The kernel's order of open files. If it does not tell, each descriptor counts.
fn compare(a: &Descriptor, b: &Descriptor) -> Ordering {
    match kcmp(a, b) {
        Ok(0) => Ordering::Equal,
        Ok(1) => Ordering::Less,
        Ok(2) => Ordering::Greater,
        _ => a.cmp(b),
    }
}

fn kcmp(a: &Descriptor, b: &Descriptor) -> rustix::io::Result<libc::c_long> {
    const KCMP_FILE: libc::c_int = 0;
    let number = |number: i32| number as libc::c_ulong;
    // SAFETY: kcmp() takes numbers only, and changes nothing.
    let order = unsafe {
        libc::syscall(
            libc::SYS_kcmp,
            a.pid,
            b.pid,
            KCMP_FILE,
            number(a.number),
            number(b.number),
        )
    };
    if order < 0 {
        return Err(Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO));
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::fd::AsRawFd as _;
    use std::process;

    fn descriptor(pid: i32, number: i32) -> Descriptor {
        Descriptor { pid, number }
    }

    #[test]
    fn shared_files_count_once() {
        // Files a, b and c, of which some have several descriptors.
        let files = HashMap::from([((1, 3), 'b'), ((1, 4), 'a'), ((2, 3), 'b'), ((2, 9), 'c')]);
        let descriptors = [(1, 3), (1, 4), (2, 3), (2, 9)];
        let compare = |a: &Descriptor, b: &Descriptor| {
            files[&(a.pid, a.number)].cmp(&files[&(b.pid, b.number)])
        };
        let of = |range: std::ops::Range<usize>| {
            let descriptors: Vec<Descriptor> = descriptors[range]
                .iter()
                .map(|&(pid, number)| descriptor(pid, number))
                .collect();
            different(&descriptors, compare)
        };
        assert_eq!(of(0..4), 3);
        assert_eq!(of(0..2), 2);
        assert_eq!(of(0..1), 1);
        assert_eq!(of(0..0), 0);
    }

    #[test]
    fn no_order_is_no_harm() {
        let descriptors: Vec<Descriptor> = (0..50).map(|number| descriptor(1, number)).collect();
        assert_eq!(different(&descriptors, |_, _| Ordering::Greater), 50);
    }

    #[test]
    fn the_number_of_a_device() {
        let file = File::open("/dev/null").unwrap();
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        assert_eq!(character_device(Path::new(&path)), Some(makedev(1, 3)));
    }

    #[test]
    fn devices_that_a_process_has_open() {
        let mut child = process::Command::new("sleep")
            .arg("60")
            .stdin(process::Stdio::null())
            .spawn()
            .unwrap();
        let queues = OpenDevices::look().unwrap().queues(makedev(1, 3));
        child.kill().unwrap();
        child.wait().unwrap();
        let user = |pid: u32| queues.users.iter().find(|user| user.pid == pid as i32);
        assert!(user(child.id()).unwrap().queues >= 1);
        assert!(queues.open >= 1);
        assert!(user(process::id()).is_none());
    }

    #[test]
    fn what_is_no_device() {
        let file = File::open("/proc/self/comm").unwrap();
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        assert_eq!(character_device(Path::new(&path)), None);
        let (socket, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
        assert_eq!(character_device(Path::new(&path)), None);
    }

    #[test]
    fn shown() {
        let user = |pid, queues| User {
            pid,
            command: "qemu".to_owned(),
            queues,
        };
        let mut queues = Queues {
            open: 0,
            complete: true,
            users: Vec::new(),
        };
        assert_eq!(queues.to_string(), "0");
        queues.complete = false;
        assert_eq!(queues.to_string(), "0 or more");
        queues = Queues {
            open: 3,
            complete: true,
            users: vec![user(7, 2), user(9, 1)],
        };
        assert_eq!(queues.to_string(), "3: qemu (7), qemu (9)");
    }
}

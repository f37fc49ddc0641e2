// SPDX-License-Identifier: GPL-2.0
//! The ways in which a program comes to have a queue's file.

use std::fs::{self, File, Permissions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{chown, chroot, FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use nix::errno::Errno::{self, EACCES, EBADF, EEXIST, EINVAL, ENOTDIR, EROFS};
use nix::fcntl::{open, OFlag};
use nix::mount::{mount, MsFlags};
use nix::poll::PollFlags;
use nix::sched::{unshare, CloneFlags};
use nix::sys::stat::{mknod, Mode, SFlag};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Lone, Wire};
use crate::sys::tap::Tap;
use crate::sys::{pass, process, wait};

/// Flags of open(), and its result.
#[rustfmt::skip]
const FLAGS: &[(&str, i32, nix::Result<()>)] = &[
    ("O_APPEND", libc::O_APPEND, Ok(())),
    ("O_TRUNC", libc::O_TRUNC, Ok(())),
    ("O_CREAT", libc::O_CREAT, Ok(())),
    ("O_SYNC", libc::O_SYNC, Ok(())),
    ("O_NOCTTY", libc::O_NOCTTY, Ok(())),
    ("O_NOFOLLOW", libc::O_NOFOLLOW, Ok(())),
    ("O_NOATIME", libc::O_NOATIME, Ok(())),
    ("O_LARGEFILE", libc::O_LARGEFILE, Ok(())),
    ("O_ASYNC", libc::O_ASYNC, Ok(())),
    ("O_DIRECT", libc::O_DIRECT, Err(EINVAL)),
    ("O_CREAT | O_EXCL", libc::O_CREAT | libc::O_EXCL, Err(EEXIST)),
    ("O_DIRECTORY", libc::O_DIRECTORY, Err(ENOTDIR)),
    ("O_TMPFILE", libc::O_TMPFILE, Err(ENOTDIR)),
];

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = cases![
        for_ioctls_only,
        through_proc,
        path_only,
        passed_over_a_socket,
        passed_by_a_program_that_ends,
        stat_of_the_file,
        mode_and_owner_of_the_node,
        in_a_chroot,
        where_devices_are_forbidden,
        read_only_file_system,
    ];
    for &(name, flags, result) in FLAGS {
        cases.push(Case::new(format!("{name}: {result:?}"), move || {
            assert_open(flags, result);
        }));
    }
    cases
}

fn assert_open(flags: i32, result: nix::Result<()>) {
    let wire = Wire::new();
    match Tap::open_path(wire.link.node(), libc::O_NONBLOCK | flags) {
        Ok(tap) => {
            assert_eq!(result, Ok(()));
            wire.assert_both_ways(&tap);
        }
        Err(error) => assert_eq!(result, Err(error)),
    }
}

/// For neither reading nor writing, as some device tools do.
fn for_ioctls_only() {
    let lone = Lone::new();
    let neither = OFlag::from_bits_retain(libc::O_ACCMODE);
    let file = open(lone.link.node().as_str(), neither, Mode::empty()).expect("a queue");
    let tap = Tap::from(file);
    assert_eq!(tap.read(&mut [0; 100]), Err(EBADF));
    assert_eq!(tap.write(&[0; 100]), Err(EBADF));
    assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, lone.link.name);
}

/// It is a queue of its own.
fn through_proc() {
    let lone = Lone::new();
    lone.tap.set_bare();
    let path = format!("/proc/self/fd/{}", lone.tap.as_raw_fd());
    let again = Tap::open_path(path, libc::O_NONBLOCK).expect("another queue");
    let flags = |tap: &Tap| tap.name_and_flags().expect("TUNGETIFF").1;
    assert_eq!(flags(&lone.tap) & libc::IFF_VNET_HDR, 0);
    assert_ne!(flags(&again) & libc::IFF_VNET_HDR, 0);
}

/// No queue, but what can be made one.
fn path_only() {
    let wire = Wire::new();
    let path = Tap::open_path(wire.link.node(), libc::O_PATH).expect("a path");
    assert_eq!(path.read(&mut [0; 100]), Err(EBADF));
    assert_eq!(path.name_and_flags(), Err(EBADF));
    let again = format!("/proc/self/fd/{}", path.as_raw_fd());
    let tap = Tap::open_path(again, libc::O_NONBLOCK).expect("a queue");
    for _ in 0..8 {
        wire.assert_both_ways(&tap);
    }
}

/// As libvirt hands it to QEMU. It stays what it was, whoever closes it.
fn passed_over_a_socket() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    tap.set_number(libc::TUNSETVNETHDRSZ, 12).expect("a size");
    let passed = Tap::from(pass::over_a_socket(tap));
    assert_eq!(passed.number(libc::TUNGETVNETHDRSZ), Ok(12));
    passed
        .set_number(libc::TUNSETVNETHDRSZ, 10)
        .expect("a size");
    wire.assert_both_ways(&passed);
}

/// As cloud-hypervisor gets all queues of a card, by its API: in one message, from somebody
/// who has opened and set them up, and is gone when they are used.
fn passed_by_a_program_that_ends() {
    const QUEUES: usize = 4;
    let wire = Wire::new();
    let (near, far) = pass::sockets();
    process::in_child(
        || {
            let taps: Vec<_> = (0..QUEUES).map(|_| Tap::open(&wire.link)).collect();
            taps.iter().for_each(Tap::set_bare);
            pass::send(&near, &taps.iter().collect::<Vec<_>>());
        },
        |_| (),
    );
    let taps: Vec<Tap> = pass::receive(&far).into_iter().map(Tap::from).collect();
    assert_eq!(taps.len(), QUEUES);
    for length in 60..100 {
        let frame = frame::outgoing(length);
        for tap in &taps {
            assert_eq!(tap.write(&frame), Ok(length));
            frame::assert_same(&wire.peer.receive().frame, &frame);
        }
        // One of them gets it: which, the kernel decides for each flow.
        let frame = frame::incoming(length);
        wire.peer.send(&frame);
        wait::until("the frame to arrive", || {
            let waits = |tap| !wait::events_now(tap, PollFlags::POLLIN).is_empty();
            taps.iter().any(waits)
        });
        let mut buffer = [0; 200];
        let got: Vec<_> = taps
            .iter()
            .filter_map(|tap| tap.read(&mut buffer).ok())
            .collect();
        assert_eq!(got, [length]);
        frame::assert_same(&buffer[..length], &frame);
    }
    for (left, tap) in taps.into_iter().enumerate() {
        tap.set_queue(libc::IFF_DETACH_QUEUE)
            .expect("a queue of the link");
        assert_eq!(
            tap.set_queue(libc::IFF_ATTACH_QUEUE),
            Ok(()),
            "{left} closed"
        );
    }
}

fn stat_of_the_file() {
    let lone = Lone::new();
    let node = fs::metadata(lone.link.node()).expect("the node");
    let path = format!("/proc/self/fd/{}", lone.tap.as_raw_fd());
    let file = fs::metadata(path).expect("the file");
    assert!(file.file_type().is_char_device());
    assert_eq!((file.ino(), file.rdev()), (node.ino(), node.rdev()));
    assert_eq!((file.size(), file.blocks()), (0, 0));
}

fn mode_and_owner_of_the_node() {
    let lone = Lone::new();
    let path = format!("/proc/self/fd/{}", lone.tap.as_raw_fd());
    fs::set_permissions(&path, Permissions::from_mode(0o640)).expect("another mode");
    chown(&path, Some(1000), Some(1001)).expect("another owner");
    let node = fs::metadata(lone.link.node()).expect("the node");
    let owner = (node.uid(), node.gid(), node.mode() & 0o7777);
    assert_eq!(owner, (1000, 1001, 0o640));
}

/// A file system of its own, with a node for the link.
fn file_system(lone: &Lone, flags: MsFlags) -> &'static Path {
    const PLACE: &str = "/run";
    let none = None::<&str>;
    let number = fs::metadata(lone.link.node()).expect("the node").rdev();
    unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace");
    mount(none, "/", none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none).expect("private mounts");
    mount(none, PLACE, Some("tmpfs"), MsFlags::empty(), none).expect("a file system");
    let node = Path::new(PLACE).join("node");
    mknod(&node, SFlag::S_IFCHR, Mode::S_IRUSR | Mode::S_IWUSR, number).expect("a node");
    let remount = MsFlags::MS_REMOUNT | flags;
    mount(none, PLACE, none, remount, none).expect("other flags");
    Path::new(PLACE)
}

fn in_a_chroot() {
    let lone = Lone::new();
    chroot(file_system(&lone, MsFlags::empty())).expect("chroot");
    let tap = Tap::open_path("/node", 0).expect("a queue");
    assert_eq!(tap.name_and_flags().expect("TUNGETIFF").0, lone.link.name);
}

fn where_devices_are_forbidden() {
    let lone = Lone::new();
    let place = file_system(&lone, MsFlags::MS_NODEV);
    let tap = Tap::open_path(place.join("node"), 0);
    assert_eq!(tap.err(), Some(EACCES));
}

/// A device may be written to all the same.
fn read_only_file_system() {
    let lone = Lone::new();
    let place = file_system(&lone, MsFlags::MS_RDONLY);
    let refused = File::create(place.join("file")).map_err(|error| error.raw_os_error());
    assert_eq!(refused.err(), Some(Some(EROFS as i32)));
    let tap = Tap::open_path(place.join("node"), libc::O_NONBLOCK).expect("a queue");
    assert_eq!(tap.read(&mut [0; 100]), Err(Errno::EAGAIN));
}

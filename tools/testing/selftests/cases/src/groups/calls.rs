// SPDX-License-Identifier: GPL-2.0
//! System calls that are meant for other kinds of files, on a queue.

use std::os::fd::AsRawFd as _;

use nix::errno::Errno::{self, EBADF, EINVAL, ENODEV, ENOTDIR, ENOTSOCK, ENOTTY, ESPIPE};
use nix::sys::memfd::{memfd_create, MFdFlags};
use nix::unistd::{ftruncate, pipe};

use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::call::call;
use crate::sys::signals;
use crate::sys::tap::Tap;
use crate::vnet;

/// What the arguments are made of.
struct Files {
    tap: usize,
    other_tap: usize,
    pipe_out: usize,
    pipe_in: usize,
    file: usize,
    buffer: usize,
    /// Of the buffer's beginning.
    vector: usize,
}

const F_SETSIG: usize = signals::F_SETSIG as usize;
const DN_ACCESS: usize = 1;
const FIOQSIZE: usize = 0x5460;
const FIGETBSZ: usize = 2;
const FIBMAP: usize = 1;
const BUFFER: usize = 4096;
const COUNT: usize = 100;
const RDWR_LOCK: usize = (libc::LOCK_EX | libc::LOCK_NB) as usize;

type Arguments = fn(&Files) -> [usize; 6];
type Row = (&'static str, libc::c_long, Arguments, nix::Result<usize>);

#[rustfmt::skip]
const CALLS: &[Row] = &[
    ("fdatasync", libc::SYS_fdatasync, |f| [f.tap, 0, 0, 0, 0, 0], Err(EINVAL)),
    ("sync_file_range", libc::SYS_sync_file_range, |f| [f.tap, 0, COUNT, 0, 0, 0], Err(ESPIPE)),
    ("syncfs", libc::SYS_syncfs, |f| [f.tap, 0, 0, 0, 0, 0], Ok(0)),
    ("fallocate", libc::SYS_fallocate, |f| [f.tap, 0, 0, COUNT, 0, 0], Err(ENODEV)),
    ("fadvise64", libc::SYS_fadvise64, |f| [f.tap, 0, COUNT, 0, 0, 0], Ok(0)),
    ("readahead", libc::SYS_readahead, |f| [f.tap, 0, COUNT, 0, 0, 0], Err(EINVAL)),
    ("getdents64", libc::SYS_getdents64, |f| [f.tap, f.buffer, BUFFER, 0, 0, 0], Err(ENOTDIR)),
    ("fchdir", libc::SYS_fchdir, |f| [f.tap, 0, 0, 0, 0, 0], Err(ENOTDIR)),
    ("getsockopt", libc::SYS_getsockopt, |f| [f.tap, 1, 3, f.buffer, f.buffer, 0], Err(ENOTSOCK)),
    ("bind", libc::SYS_bind, |f| [f.tap, f.buffer, 16, 0, 0, 0], Err(ENOTSOCK)),
    ("shutdown", libc::SYS_shutdown, |f| [f.tap, 2, 0, 0, 0, 0], Err(ENOTSOCK)),
    ("copy_file_range from it", libc::SYS_copy_file_range, |f| [f.tap, 0, f.file, 0, COUNT, 0], Err(EINVAL)),
    ("copy_file_range to it", libc::SYS_copy_file_range, |f| [f.file, 0, f.tap, 0, COUNT, 0], Err(EINVAL)),
    ("sendfile to another", libc::SYS_sendfile, |f| [f.other_tap, f.tap, 0, COUNT, 0, 0], Err(EINVAL)),
    ("splice to another", libc::SYS_splice, |f| [f.tap, 0, f.other_tap, 0, COUNT, 0], Err(EINVAL)),
    ("splice to a pipe with an offset", libc::SYS_splice, |f| [f.tap, f.buffer, f.pipe_in, 0, COUNT, 0], Err(EINVAL)),
    ("splice to a pipe without waiting", libc::SYS_splice, |f| [f.tap, 0, f.pipe_in, 0, COUNT, libc::SPLICE_F_NONBLOCK as usize], Err(EINVAL)),
    ("splice from a pipe, to move pages", libc::SYS_splice, |f| [f.pipe_out, 0, f.tap, 0, COUNT, libc::SPLICE_F_MOVE as usize], Err(EINVAL)),
    ("tee from it", libc::SYS_tee, |f| [f.tap, f.pipe_in, COUNT, 0, 0, 0], Err(EINVAL)),
    ("tee to it", libc::SYS_tee, |f| [f.pipe_out, f.tap, COUNT, 0, 0, 0], Err(EINVAL)),
    ("vmsplice", libc::SYS_vmsplice, |f| [f.tap, f.vector, 1, 0, 0, 0], Err(EBADF)),
    ("flock", libc::SYS_flock, |f| [f.tap, RDWR_LOCK, 0, 0, 0, 0], Ok(0)),
    ("F_SETLEASE read", libc::SYS_fcntl, |f| [f.tap, libc::F_SETLEASE as usize, libc::F_RDLCK as usize, 0, 0, 0], Err(EINVAL)),
    ("F_SETLEASE write", libc::SYS_fcntl, |f| [f.tap, libc::F_SETLEASE as usize, libc::F_WRLCK as usize, 0, 0, 0], Err(EINVAL)),
    ("F_GETLEASE", libc::SYS_fcntl, |f| [f.tap, libc::F_GETLEASE as usize, 0, 0, 0, 0], Ok(libc::F_UNLCK as usize)),
    ("F_NOTIFY", libc::SYS_fcntl, |f| [f.tap, libc::F_NOTIFY as usize, DN_ACCESS, 0, 0, 0], Err(ENOTDIR)),
    ("F_GETPIPE_SZ", libc::SYS_fcntl, |f| [f.tap, libc::F_GETPIPE_SZ as usize, 0, 0, 0, 0], Err(EBADF)),
    ("F_GET_SEALS", libc::SYS_fcntl, |f| [f.tap, libc::F_GET_SEALS as usize, 0, 0, 0, 0], Err(EINVAL)),
    ("F_SETOWN", libc::SYS_fcntl, |f| [f.tap, libc::F_SETOWN as usize, 0, 0, 0, 0], Ok(0)),
    ("F_GETOWN", libc::SYS_fcntl, |f| [f.tap, libc::F_GETOWN as usize, 0, 0, 0, 0], Ok(0)),
    ("F_SETSIG", libc::SYS_fcntl, |f| [f.tap, F_SETSIG, libc::SIGIO as usize, 0, 0, 0], Ok(0)),
    ("O_DIRECT set later", libc::SYS_fcntl, |f| [f.tap, libc::F_SETFL as usize, libc::O_DIRECT as usize, 0, 0, 0], Err(EINVAL)),
    ("FIOQSIZE", libc::SYS_ioctl, |f| [f.tap, FIOQSIZE, f.buffer, 0, 0, 0], Err(ENOTTY)),
    ("FIGETBSZ", libc::SYS_ioctl, |f| [f.tap, FIGETBSZ, f.buffer, 0, 0, 0], Ok(0)),
    ("FIBMAP", libc::SYS_ioctl, |f| [f.tap, FIBMAP, f.buffer, 0, 0, 0], Err(EINVAL)),
    ("FS_IOC_GETFLAGS", libc::SYS_ioctl, |f| [f.tap, libc::FS_IOC_GETFLAGS as usize, f.buffer, 0, 0, 0], Err(EINVAL)),
    ("lseek to data", libc::SYS_lseek, |f| [f.tap, 0, libc::SEEK_DATA as usize, 0, 0, 0], Err(ESPIPE)),
    ("pread at a negative offset", libc::SYS_pread64, |f| [f.tap, f.buffer, COUNT, usize::MAX, 0, 0], Err(EINVAL)),
    ("pwrite at a negative offset", libc::SYS_pwrite64, |f| [f.tap, f.buffer, COUNT, usize::MAX, 0, 0], Err(EINVAL)),
    ("read of a negative length", libc::SYS_read, |f| [f.tap, f.buffer, usize::MAX, 0, 0, 0], Err(Errno::EFAULT)),
    ("readv of too many vectors", libc::SYS_readv, |f| [f.tap, f.buffer, 1025, 0, 0, 0], Err(EINVAL)),
    ("writev of too many vectors", libc::SYS_writev, |f| [f.tap, f.buffer, 1025, 0, 0, 0], Err(EINVAL)),
    ("epoll_ctl", libc::SYS_epoll_ctl, |f| [f.tap, libc::EPOLL_CTL_ADD as usize, f.other_tap, f.buffer, 0, 0], Err(EINVAL)),
];

pub fn cases(_: Driver) -> Vec<Case> {
    CALLS
        .iter()
        .map(|&(name, number, arguments, result)| {
            Case::new(format!("{name}: {result:?}"), move || {
                assert_call(number, arguments, result)
            })
        })
        .collect()
}

/// On a queue with a frame in it, which stays there.
fn assert_call(number: libc::c_long, arguments: Arguments, result: nix::Result<usize>) {
    let wire = Wire::new();
    let taps = [Tap::open(&wire.link), Tap::open(&wire.link)];
    taps[1].set_queue(libc::IFF_DETACH_QUEUE).expect("detach");
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    taps[0].wait_readable();

    let (pipe_out, pipe_in) = pipe().expect("a pipe");
    nix::unistd::write(&pipe_in, &vnet::plain(&frame::outgoing(100))).expect("write");
    let file = memfd_create("data", MFdFlags::empty()).expect("a file");
    ftruncate(&file, COUNT as i64).expect("a longer file");
    let mut buffer = vec![1u8; BUFFER];
    let vector = [buffer.as_mut_ptr() as usize, COUNT];
    let files = Files {
        tap: taps[0].as_raw_fd() as usize,
        other_tap: taps[1].as_raw_fd() as usize,
        pipe_out: pipe_out.as_raw_fd() as usize,
        pipe_in: pipe_in.as_raw_fd() as usize,
        file: file.as_raw_fd() as usize,
        buffer: buffer.as_mut_ptr() as usize,
        vector: vector.as_ptr() as usize,
    };
    assert_eq!(call(number, arguments(&files)), result);
    frame::assert_same(&taps[0].receive_frame().1, &frame);
    wire.assert_nothing_sent();
}

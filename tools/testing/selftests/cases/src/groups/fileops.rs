// SPDX-License-Identifier: GPL-2.0
//! What else can be called on an open file.

use std::fs;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::fcntl::{splice, SpliceFFlags};
use nix::sys::mman::{mmap, MapFlags, ProtFlags};
use nix::sys::sendfile::sendfile;
use nix::sys::socket::{recv, send, MsgFlags};
use nix::sys::uio::{pread, pwrite};
use nix::unistd::{fsync, ftruncate, lseek, pipe, Whence};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Lone, Wire};
use crate::sys::tap::Tap;
use crate::vnet;

pub fn cases(_: Driver) -> Vec<Case> {
    cases![
        opened_for_reading,
        opened_for_writing,
        seek,
        pread_and_pwrite_ignore_the_offset,
        position_is_the_last_reads_length,
        map,
        sync_and_truncate,
        splice_in_and_out,
        sendfile_in_and_out,
        is_no_socket,
    ]
}

fn opened_for_reading() {
    let wire = Wire::new();
    let tap = Tap::open_reader(&wire.link);
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
    assert_eq!(tap.write(&vnet::plain(&frame)), Err(Errno::EBADF));
    // Only the data is one-way.
    tap.set_bare();
    assert_eq!(tap.set_number(libc::TUNSETVNETHDRSZ, 12), Ok(()));
}

fn opened_for_writing() {
    let wire = Wire::new();
    let tap = Tap::open_writer(&wire.link);
    let frame = frame::outgoing(100);
    assert_eq!(tap.write(&vnet::plain(&frame)), Ok(110));
    frame::assert_same(&wire.peer.receive().frame, &frame);
    assert_eq!(tap.read(&mut [0; 100]), Err(Errno::EBADF));
}

fn seek() {
    let lone = Lone::new();
    for whence in [Whence::SeekSet, Whence::SeekCur, Whence::SeekEnd] {
        assert_eq!(lseek(&lone.tap, 0, whence), Err(Errno::ESPIPE));
    }
}

fn pread_and_pwrite_ignore_the_offset() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for offset in [0, 5, 1 << 40] {
        let frame = frame::outgoing(100);
        assert_eq!(pwrite(&tap, &vnet::plain(&frame), offset), Ok(110));
        frame::assert_same(&wire.peer.receive().frame, &frame);

        let frame = frame::incoming(100);
        wire.peer.send(&frame);
        tap.wait_readable();
        let mut buffer = [0; 200];
        assert_eq!(pread(&tap, &mut buffer, offset), Ok(110));
        frame::assert_same(&buffer[..110], &vnet::plain(&frame));
    }
}

fn position(tap: &Tap) -> String {
    let path = format!("/proc/self/fdinfo/{}", tap.as_raw_fd());
    let info = fs::read_to_string(path).expect("fdinfo");
    let line = info.lines().find_map(|line| line.strip_prefix("pos:"));
    line.expect("a position").trim().to_owned()
}

fn position_is_the_last_reads_length() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    assert_eq!(position(&tap), "0");
    for length in [100, 60] {
        wire.peer.send(&frame::incoming(length));
        tap.receive();
        assert_eq!(position(&tap), (vnet::SIZE + length).to_string());
        let bytes = vnet::plain(&frame::outgoing(300));
        tap.write(&bytes).expect("a frame to be sent");
        assert_eq!(position(&tap), (vnet::SIZE + length).to_string());
    }
}

fn map() {
    let lone = Lone::new();
    let size = NonZeroUsize::new(4096).expect("not zero");
    let both = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: A new mapping touches no existing memory.
    let mapped = unsafe { mmap(None, size, both, MapFlags::MAP_SHARED, &lone.tap, 0) };
    assert_eq!(mapped, Err(Errno::ENODEV));
}

fn sync_and_truncate() {
    let lone = Lone::new();
    assert_eq!(fsync(&lone.tap), Err(Errno::EINVAL));
    assert_eq!(ftruncate(&lone.tap, 0), Err(Errno::EINVAL));
}

fn splice_in_and_out() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    wire.peer.send(&frame::incoming(100));
    tap.wait_readable();
    let (reader, writer) = pipe().expect("a pipe");
    let flags = SpliceFFlags::empty();
    let out = splice(&tap, None, &writer, None, 1000, flags);
    assert_eq!(out, Err(Errno::EINVAL));
    nix::unistd::write(&writer, &vnet::plain(&frame::outgoing(100))).expect("write");
    let into = splice(&reader, None, &tap, None, 110, flags);
    assert_eq!(into, Err(Errno::EINVAL));
    wire.assert_nothing_sent();
}

fn sendfile_in_and_out() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let file = fs::File::open("/proc/self/exe").expect("this program");
    assert_eq!(sendfile(&tap, &file, None, 110), Err(Errno::EINVAL));
    let (_reader, writer) = pipe().expect("a pipe");
    assert_eq!(sendfile(&writer, &tap, None, 110), Err(Errno::EINVAL));
    wire.assert_nothing_sent();
}

fn is_no_socket() {
    let lone = Lone::new();
    let fd = lone.tap.as_raw_fd();
    let flags = MsgFlags::empty();
    assert_eq!(recv(fd, &mut [0; 100], flags), Err(Errno::ENOTSOCK));
    assert_eq!(send(fd, &[0; 100], flags), Err(Errno::ENOTSOCK));
}

// SPDX-License-Identifier: GPL-2.0
//! An open /dev/tapN: one queue of a macvtap link.

use std::fs::OpenOptions;
use std::io::{IoSlice, IoSliceMut};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{fcntl, FcntlArg, OFlag};
use nix::poll::PollFlags;

use super::link::{Link, Mac};
use super::memory::UNMAPPED;
use super::wait;
use crate::vnet::{self, VnetHeader};

/// More than the longest frame.
const BUFFER_SIZE: usize = 140_000;

/// `struct ifreq`, its union seen as bytes.
#[repr(C)]
pub struct IfReq {
    pub name: [u8; 16],
    pub data: [u8; 24],
}

impl IfReq {
    pub fn new(flags: i32) -> IfReq {
        let mut request = IfReq {
            name: [0; 16],
            data: [0; 24],
        };
        request.data[..2].copy_from_slice(&(flags as u16).to_ne_bytes());
        request
    }

    pub fn with_address(family: u16, address: Mac) -> IfReq {
        let mut request = IfReq::new(i32::from(family));
        request.data[2..8].copy_from_slice(&address);
        request
    }

    pub fn flags(&self) -> i32 {
        i32::from(u16::from_ne_bytes([self.data[0], self.data[1]]))
    }

    pub fn name(&self) -> String {
        let end = self.name.iter().position(|&byte| byte == 0).unwrap_or(16);
        String::from_utf8_lossy(&self.name[..end]).into_owned()
    }

    pub fn bytes(&self) -> Vec<u8> {
        [&self.name[..], &self.data].concat()
    }

    /// What an ioctl takes as its argument.
    pub fn address(&mut self) -> usize {
        self as *mut IfReq as usize
    }
}

pub struct Tap(OwnedFd);

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for Tap {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl From<OwnedFd> for Tap {
    fn from(file: OwnedFd) -> Tap {
        Tap(file)
    }
}

impl Tap {
    /// A file whose reads and writes do not block.
    pub fn open(link: &Link) -> Tap {
        Tap::open_path(link.node(), libc::O_NONBLOCK).expect("the link's device node")
    }

    pub fn open_blocking(link: &Link) -> Tap {
        Tap::open_path(link.node(), 0).expect("the link's device node")
    }

    pub fn open_path(path: impl AsRef<Path>, flags: i32) -> nix::Result<Tap> {
        Tap::open_with(OpenOptions::new().read(true).write(true), path, flags)
    }

    /// For reading only.
    pub fn open_reader(link: &Link) -> Tap {
        Tap::open_with(OpenOptions::new().read(true), link.node(), libc::O_NONBLOCK)
            .expect("the link's device node")
    }

    /// For writing only.
    pub fn open_writer(link: &Link) -> Tap {
        Tap::open_with(
            OpenOptions::new().write(true),
            link.node(),
            libc::O_NONBLOCK,
        )
        .expect("the link's device node")
    }

    fn open_with(
        options: &mut OpenOptions,
        path: impl AsRef<Path>,
        flags: i32,
    ) -> nix::Result<Tap> {
        options
            .custom_flags(flags)
            .open(path)
            .map(|file| Tap(file.into()))
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))
    }

    pub fn duplicate(&self) -> Tap {
        Tap(self.0.try_clone().expect("another descriptor"))
    }

    /// With what close() says.
    pub fn close(self) -> nix::Result<()> {
        nix::unistd::close(self.0)
    }

    pub fn read(&self, buffer: &mut [u8]) -> nix::Result<usize> {
        nix::unistd::read(self, buffer)
    }

    pub fn write(&self, bytes: &[u8]) -> nix::Result<usize> {
        nix::unistd::write(self, bytes)
    }

    /// read() to an address that may be bad.
    pub fn read_at(&self, address: usize, length: usize) -> nix::Result<usize> {
        // SAFETY: The tests pass addresses of buffers of their own that hold
        // `length` bytes, or those where nothing of the program is mapped.
        let done = unsafe { libc::read(self.as_raw_fd(), address as *mut _, length) };
        Errno::result(done).map(|done| done as usize)
    }

    /// write() from an address that may be bad.
    pub fn write_at(&self, address: usize, length: usize) -> nix::Result<usize> {
        // SAFETY: write() changes no memory.
        let done = unsafe { libc::write(self.as_raw_fd(), address as *const _, length) };
        Errno::result(done).map(|done| done as usize)
    }

    /// readv() into `start` and then into memory that is not mapped.
    pub fn readv_then_bad(&self, start: &mut [u8], length: usize) -> nix::Result<usize> {
        let vectors = then_bad(start.as_mut_ptr(), start.len(), length);
        // SAFETY: The first vector describes `start`, the other no memory of
        // this program.
        let done = unsafe { libc::readv(self.as_raw_fd(), vectors.as_ptr(), 2) };
        Errno::result(done).map(|done| done as usize)
    }

    /// writev() from `start` and then from memory that is not mapped.
    pub fn writev_then_bad(&self, start: &[u8], length: usize) -> nix::Result<usize> {
        let vectors = then_bad(start.as_ptr().cast_mut(), start.len(), length);
        // SAFETY: writev() changes no memory.
        let done = unsafe { libc::writev(self.as_raw_fd(), vectors.as_ptr(), 2) };
        Errno::result(done).map(|done| done as usize)
    }

    /// readv() into pieces of these lengths, one behind the other.
    pub fn read_pieces(&self, mut buffer: &mut [u8], lengths: &[usize]) -> nix::Result<usize> {
        let mut pieces = vec![];
        for &length in lengths {
            let (piece, rest) = mem::take(&mut buffer).split_at_mut(length);
            pieces.push(IoSliceMut::new(piece));
            buffer = rest;
        }
        nix::sys::uio::readv(self, &mut pieces)
    }

    /// writev() from pieces of these lengths, one behind the other.
    pub fn write_pieces(&self, mut bytes: &[u8], lengths: &[usize]) -> nix::Result<usize> {
        let mut pieces = vec![];
        for &length in lengths {
            let (piece, rest) = bytes.split_at(length);
            pieces.push(IoSlice::new(piece));
            bytes = rest;
        }
        nix::sys::uio::writev(self, &pieces)
    }

    /// F_SETFL, and what F_GETFL says afterwards.
    pub fn set_status(&self, flags: OFlag) -> nix::Result<i32> {
        fcntl(self, FcntlArg::F_SETFL(flags))?;
        fcntl(self, FcntlArg::F_GETFL)
    }

    pub fn set_nonblocking(&self, on: bool) {
        let mut on = i32::from(on);
        // One of the few requests that the kernel serves for every file.
        self.ioctl(libc::FIONBIO, &raw mut on as usize)
            .expect("FIONBIO");
    }

    pub fn read_nowait(&self, buffer: &mut [u8]) -> nix::Result<usize> {
        self.read_flagged(buffer, libc::RWF_NOWAIT)
    }

    pub fn write_nowait(&self, bytes: &[u8]) -> nix::Result<usize> {
        self.write_flagged(bytes, libc::RWF_NOWAIT)
    }

    /// preadv2(), at the file's position.
    pub fn read_flagged(&self, buffer: &mut [u8], flags: i32) -> nix::Result<usize> {
        let vector = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        // SAFETY: The vector describes `buffer`.
        let done = unsafe { libc::preadv2(self.as_raw_fd(), &vector, 1, -1, flags) };
        Errno::result(done).map(|done| done as usize)
    }

    /// pwritev2(), at the file's position.
    pub fn write_flagged(&self, bytes: &[u8], flags: i32) -> nix::Result<usize> {
        let vector = libc::iovec {
            iov_base: bytes.as_ptr() as *mut _,
            iov_len: bytes.len(),
        };
        // SAFETY: The vector describes `bytes`, which is only read.
        let done = unsafe { libc::pwritev2(self.as_raw_fd(), &vector, 1, -1, flags) };
        Errno::result(done).map(|done| done as usize)
    }

    pub fn wait_readable(&self) {
        wait::events(self, PollFlags::POLLIN);
    }

    /// The next read()'s result, as soon as there is a frame.
    pub fn receive(&self) -> Vec<u8> {
        self.wait_readable();
        // So that what is not written does not look like zeroes that are.
        let mut buffer = vec![0xa5; BUFFER_SIZE];
        let length = self.read(&mut buffer).expect("a frame");
        buffer.truncate(length);
        buffer
    }

    /// The next frame without its header.
    pub fn receive_frame(&self) -> (VnetHeader, Vec<u8>) {
        let mut bytes = self.receive();
        assert!(bytes.len() > vnet::SIZE, "{} bytes read", bytes.len());
        let frame = bytes.split_off(vnet::SIZE);
        (VnetHeader::from_bytes(&bytes), frame)
    }

    #[track_caller]
    pub fn assert_empty(&self) {
        let mut buffer = [0; 256];
        assert_eq!(
            self.read(&mut buffer),
            Err(Errno::EAGAIN),
            "a frame is left"
        );
    }

    pub fn ioctl(&self, request: u64, argument: usize) -> nix::Result<()> {
        // SAFETY: The tests pass addresses of arguments of the request's type,
        // numbers, or addresses where nothing of the program is mapped.
        let done = unsafe { libc::ioctl(self.as_raw_fd(), request, argument) };
        Errno::result(done).map(drop)
    }

    pub fn set_flags(&self, flags: i32) -> nix::Result<()> {
        self.ioctl(libc::TUNSETIFF, IfReq::new(flags).address())
    }

    /// Turns the header off.
    pub fn set_bare(&self) {
        self.set_flags(libc::IFF_TAP | libc::IFF_NO_PI)
            .expect("TUNSETIFF");
    }

    pub fn name_and_flags(&self) -> nix::Result<(String, i32)> {
        let mut request = IfReq::new(0);
        self.ioctl(libc::TUNGETIFF, request.address())?;
        Ok((request.name(), request.flags()))
    }

    pub fn set_queue(&self, flags: i32) -> nix::Result<()> {
        self.ioctl(libc::TUNSETQUEUE, IfReq::new(flags).address())
    }

    pub fn set_offload(&self, bits: u32) -> nix::Result<()> {
        self.ioctl(libc::TUNSETOFFLOAD, bits as usize)
    }

    pub fn set_number(&self, request: u64, number: i32) -> nix::Result<()> {
        let mut number = number;
        self.ioctl(request, &mut number as *mut i32 as usize)
    }

    pub fn number(&self, request: u64) -> nix::Result<i32> {
        // What no answer would leave behind.
        let mut number = 0x5a5a_5a5a;
        self.ioctl(request, &mut number as *mut i32 as usize)?;
        Ok(number)
    }
}

fn then_bad(start: *mut u8, size: usize, bad: usize) -> [libc::iovec; 2] {
    [
        libc::iovec {
            iov_base: start.cast(),
            iov_len: size,
        },
        libc::iovec {
            iov_base: UNMAPPED as *mut libc::c_void,
            iov_len: bad,
        },
    ]
}

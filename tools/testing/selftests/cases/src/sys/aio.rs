// SPDX-License-Identifier: GPL-2.0
//! The older asynchronous requests, as libaio makes them.

use std::mem;
use std::os::fd::AsRawFd;

use nix::errno::Errno;

use super::call::call;
use super::tap::Tap;

/// `struct iocb`.
#[repr(C)]
pub struct Request {
    data: u64,
    key: u32,
    pub rw_flags: i32,
    operation: u16,
    priority: i16,
    file: u32,
    buffer: u64,
    length: u64,
    offset: i64,
    reserved: u64,
    flags: u32,
    eventfd: u32,
}

/// `struct io_event`.
#[repr(C)]
#[derive(Default)]
struct Event {
    data: u64,
    request: u64,
    result: i64,
    result2: i64,
}

#[derive(Clone, Copy)]
pub enum Operation {
    Pread = 0,
    Pwrite = 1,
    Fsync = 2,
    Poll = 5,
    Preadv = 7,
    Pwritev = 8,
}

impl Request {
    /// The buffer is an address, a list of vectors or, of a poll, its events.
    pub fn new(operation: Operation, tap: &Tap, buffer: usize, length: usize) -> Request {
        Request {
            data: 0,
            key: 0,
            rw_flags: 0,
            operation: operation as u16,
            priority: 0,
            file: tap.as_raw_fd() as u32,
            buffer: buffer as u64,
            length: length as u64,
            offset: 0,
            reserved: 0,
            flags: 0,
            eventfd: 0,
        }
    }
}

pub struct Context(usize);

impl Context {
    pub fn new() -> Context {
        let mut context: usize = 0;
        call(libc::SYS_io_setup, [8, &raw mut context as usize]).expect("io_setup");
        Context(context)
    }

    pub fn submit(&self, request: &Request) -> nix::Result<usize> {
        let requests = [&raw const *request];
        call(libc::SYS_io_submit, [self.0, 1, requests.as_ptr() as usize])
    }

    /// The result of a request that has ended.
    pub fn completed(&self) -> Option<nix::Result<usize>> {
        let mut event = Event::default();
        let timeout: libc::timespec = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let events = &raw mut event as usize;
        let timeout = &raw const timeout as usize;
        let ended = call(libc::SYS_io_getevents, [self.0, 0, 1, events, timeout]);
        match ended.expect("io_getevents") {
            0 => None,
            _ => Some(match event.result {
                done @ 0.. => Ok(done as usize),
                error => Err(Errno::from_raw(-error as i32)),
            }),
        }
    }

    pub fn cancel(&self, request: &Request) -> nix::Result<usize> {
        let mut event = Event::default();
        let request = &raw const *request as usize;
        call(
            libc::SYS_io_cancel,
            [self.0, request, &raw mut event as usize],
        )
    }
}

impl Drop for Context {
    /// Waits for the requests that are under way.
    fn drop(&mut self) {
        call(libc::SYS_io_destroy, [self.0]).expect("io_destroy");
    }
}

const _: () = assert!(mem::size_of::<Request>() == 64 && mem::size_of::<Event>() == 32);

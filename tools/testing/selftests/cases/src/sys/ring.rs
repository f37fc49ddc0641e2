// SPDX-License-Identifier: GPL-2.0
//! Reads and writes by io_uring.

use std::cell::RefCell;
use std::os::fd::AsRawFd;

use io_uring::{opcode, squeue, types, IoUring};
use nix::errno::Errno;

/// As the system calls, from and to the file's position.
const NO_OFFSET: u64 = u64::MAX;

const REQUEST: u64 = 1;

/// Takes one request at a time.
pub struct Ring(RefCell<IoUring>);

impl Ring {
    pub fn new() -> Ring {
        Ring(RefCell::new(IoUring::new(2).expect("io_uring")))
    }

    /// Even a file that does not let reads wait lets this one: then it is
    /// cancelled.
    pub fn read(&self, file: &impl AsRawFd, buffer: &mut [u8]) -> nix::Result<usize> {
        let file = types::Fd(file.as_raw_fd());
        let read = opcode::Read::new(file, buffer.as_mut_ptr(), buffer.len() as u32);
        self.complete(read.offset(NO_OFFSET).build())
    }

    /// Does not wait.
    pub fn write(&self, file: &impl AsRawFd, bytes: &[u8]) -> nix::Result<usize> {
        let file = types::Fd(file.as_raw_fd());
        let write = opcode::Write::new(file, bytes.as_ptr(), bytes.len() as u32);
        let write = write.offset(NO_OFFSET).rw_flags(libc::RWF_NOWAIT);
        self.complete(write.build())
    }

    fn complete(&self, request: squeue::Entry) -> nix::Result<usize> {
        let mut ring = self.0.borrow_mut();
        // SAFETY: The request's buffer outlives this call, which waits for the
        // request's end.
        unsafe { ring.submission().push(&request.user_data(REQUEST)) }.expect("an empty queue");
        ring.submit().expect("io_uring_enter");
        let mut completions: Vec<_> = ring.completion().collect();
        if completions.is_empty() {
            let cancel = opcode::AsyncCancel::new(REQUEST).build();
            // SAFETY: This request has no buffer.
            unsafe { ring.submission().push(&cancel) }.expect("an empty queue");
            ring.submit_and_wait(2).expect("io_uring_enter");
            completions = ring.completion().collect();
        }
        let ended = completions
            .iter()
            .find(|entry| entry.user_data() == REQUEST);
        let result = ended.expect("the request's end").result();
        match result {
            0.. => Ok(result as usize),
            error => Err(Errno::from_raw(-error)),
        }
    }
}

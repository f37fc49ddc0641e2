// SPDX-License-Identifier: GPL-2.0
//! Requests on an io_uring that may take their time.

use std::collections::BTreeMap;
use std::fs;
use std::mem;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Instant;

use io_uring::{cqueue, opcode, squeue, types, IoUring};
use nix::errno::Errno;
use nix::poll::PollFlags;

use super::tap::Tap;
use super::wait::DEADLINE;

/// From and to the file's position, as read() and write().
const NO_OFFSET: u64 = u64::MAX;
/// The buffers that the kernel picks from, and the length of each.
const GROUP: u16 = 7;
const PROVIDED: usize = 2000;

/// Whether the kernel tries a request at once, or leaves it to a thread of its
/// own.
pub type How = squeue::Flags;
pub const AT_ONCE: How = How::empty();
pub const BY_THREAD: How = How::ASYNC;

/// Names a request.
pub type Id = u64;

#[derive(Debug, PartialEq, Eq)]
pub struct Completion {
    pub id: Id,
    pub result: nix::Result<u32>,
    /// The request goes on.
    pub more: bool,
    /// What was read.
    pub bytes: Vec<u8>,
}

pub struct Ring {
    ring: IoUring,
    /// Those that the kernel may still use, each split as its request has it.
    buffers: BTreeMap<Id, (Vec<libc::iovec>, Vec<u8>)>,
    last: Id,
}

impl Ring {
    pub fn new() -> Ring {
        Ring {
            ring: IoUring::new(16).expect("io_uring"),
            buffers: BTreeMap::new(),
            last: 0,
        }
    }

    /// How many requests wait for their file as a poller does.
    pub fn waiting(&self) -> usize {
        let path = format!("/proc/self/fdinfo/{}", self.ring.as_raw_fd());
        let text = fs::read_to_string(path).expect("what the ring does");
        let is_request = |line: &&str| line.trim_start().starts_with("op=");
        text.lines().filter(is_request).count()
    }

    pub fn read(&mut self, tap: &Tap, length: usize, how: How) -> Id {
        let mut buffer = vec![0; length];
        let file = types::Fd(tap.as_raw_fd());
        let entry = opcode::Read::new(file, buffer.as_mut_ptr(), length as u32)
            .offset(NO_OFFSET)
            .build();
        self.submit(entry.flags(how), vec![], buffer)
    }

    /// Into pieces of these sizes.
    pub fn readv(&mut self, tap: &Tap, sizes: &[usize]) -> Id {
        let mut buffer = vec![0; sizes.iter().sum()];
        let pieces = pieces(&mut buffer, sizes);
        let file = types::Fd(tap.as_raw_fd());
        let entry = opcode::Readv::new(file, pieces.as_ptr(), pieces.len() as u32)
            .offset(NO_OFFSET)
            .build();
        self.submit(entry, pieces, buffer)
    }

    /// A completion for every frame, until there are no buffers.
    pub fn read_multishot(&mut self, tap: &Tap, buffers: u16) -> Id {
        let mut buffer = vec![0; PROVIDED * usize::from(buffers)];
        let address = buffer.as_mut_ptr();
        let provide = opcode::ProvideBuffers::new(address, PROVIDED as i32, buffers, GROUP, 0);
        let provided = self.submit(provide.build(), vec![], vec![]);
        assert_eq!(self.next().id, provided);
        let file = types::Fd(tap.as_raw_fd());
        let entry = opcode::ReadMulti::new(file, 0, GROUP).build();
        self.submit(entry, vec![], buffer)
    }

    pub fn write(&mut self, tap: &Tap, bytes: &[u8], how: How) -> Id {
        let buffer = bytes.to_vec();
        let file = types::Fd(tap.as_raw_fd());
        let entry = opcode::Write::new(file, buffer.as_ptr(), buffer.len() as u32)
            .offset(NO_OFFSET)
            .build();
        self.submit(entry.flags(how), vec![], buffer)
    }

    /// From pieces of these sizes.
    pub fn writev(&mut self, tap: &Tap, bytes: &[u8], sizes: &[usize]) -> Id {
        let mut buffer = bytes.to_vec();
        let pieces = pieces(&mut buffer, sizes);
        let file = types::Fd(tap.as_raw_fd());
        let entry = opcode::Writev::new(file, pieces.as_ptr(), pieces.len() as u32)
            .offset(NO_OFFSET)
            .build();
        self.submit(entry, pieces, buffer)
    }

    pub fn poll(&mut self, tap: &Tap, events: PollFlags, multishot: bool) -> Id {
        let file = types::Fd(tap.as_raw_fd());
        let entry = opcode::PollAdd::new(file, events.bits() as u32)
            .multi(multishot)
            .build();
        self.submit(entry, vec![], vec![])
    }

    pub fn cancel(&mut self, id: Id) -> Id {
        self.submit(opcode::AsyncCancel::new(id).build(), vec![], vec![])
    }

    fn submit(&mut self, entry: squeue::Entry, pieces: Vec<libc::iovec>, buffer: Vec<u8>) -> Id {
        self.last += 1;
        let entry = entry.user_data(self.last);
        self.buffers.insert(self.last, (pieces, buffer));
        // SAFETY: The buffer of the request is kept until the request is over.
        unsafe { self.ring.submission().push(&entry) }.expect("room");
        self.ring.submit().expect("io_uring_enter");
        self.last
    }

    /// What is complete at this moment.
    pub fn completed(&mut self) -> Option<Completion> {
        // Late work of this thread runs in a system call.
        self.ring.submit().expect("io_uring_enter");
        let entry = self.ring.completion().next()?;
        let id = entry.user_data();
        let more = cqueue::more(entry.flags());
        let result = match entry.result() {
            done @ 0.. => Ok(done as u32),
            error => Err(Errno::from_raw(-error)),
        };
        // A buffer that the kernel has picked is a part of the request's.
        let picked = cqueue::buffer_select(entry.flags()).unwrap_or(0);
        let start = usize::from(picked) * PROVIDED;
        let mut bytes = self.buffers[&id]
            .1
            .get(start..)
            .unwrap_or_default()
            .to_vec();
        bytes.truncate(result.unwrap_or(0) as usize);
        if !more {
            self.buffers.remove(&id);
        }
        Some(Completion {
            id,
            result,
            more,
            bytes,
        })
    }

    pub fn next(&mut self) -> Completion {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(completion) = self.completed() {
                return completion;
            }
            let waiting = self.buffers.keys();
            assert!(
                Instant::now() < end,
                "waited in vain for one of {waiting:?}"
            );
            thread::yield_now();
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The kernel ends what is not over later, and may use the buffers until
        // then.
        mem::forget(mem::take(&mut self.buffers));
    }
}

fn pieces(buffer: &mut [u8], sizes: &[usize]) -> Vec<libc::iovec> {
    let mut rest = buffer;
    sizes
        .iter()
        .map(|&size| {
            let (piece, others) = mem::take(&mut rest).split_at_mut(size);
            rest = others;
            libc::iovec {
                iov_base: piece.as_mut_ptr().cast(),
                iov_len: size,
            }
        })
        .collect()
}

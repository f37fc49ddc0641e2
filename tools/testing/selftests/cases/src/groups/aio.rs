// SPDX-License-Identifier: GPL-2.0
//! Requests by io_submit(), which reads and writes at once.

use nix::errno::Errno::{self, EAGAIN, EINVAL};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::aio::{Context, Operation, Request};
use crate::sys::tap::Tap;
use crate::sys::wait;
use crate::vnet;

pub fn cases(_: Driver) -> Vec<Case> {
    cases![
        reads,
        reads_without_waiting,
        writes,
        writes_without_waiting,
        vectors,
        syncs,
        polls,
        poll_is_cancelled,
        poll_ends_with_its_context,
    ]
}

fn result(context: &Context, request: &Request) -> nix::Result<usize> {
    assert_eq!(context.submit(request), Ok(1));
    context.completed().expect("an event")
}

fn reads() {
    let wire = Wire::new();
    let context = Context::new();
    let tap = Tap::open(&wire.link);
    for nonblocking in [true, false] {
        tap.set_nonblocking(nonblocking);
        let frame = frame::incoming(100);
        wire.peer.send(&frame);
        tap.wait_readable();
        let mut buffer = [0; 200];
        let address = buffer.as_mut_ptr() as usize;
        let request = Request::new(Operation::Pread, &tap, address, buffer.len());
        assert_eq!(result(&context, &request), Ok(110));
        frame::assert_same(&buffer[..110], &vnet::plain(&frame));
    }
}

fn reads_without_waiting() {
    let wire = Wire::new();
    let context = Context::new();
    let mut buffer = [0; 200];
    let address = buffer.as_mut_ptr() as usize;
    let tap = Tap::open(&wire.link);
    for (nonblocking, flags) in [(true, 0), (false, libc::RWF_NOWAIT)] {
        tap.set_nonblocking(nonblocking);
        let mut request = Request::new(Operation::Pread, &tap, address, buffer.len());
        request.rw_flags = flags;
        assert_eq!(result(&context, &request), Err(EAGAIN));
    }
}

fn writes() {
    let wire = Wire::new();
    let context = Context::new();
    let tap = Tap::open_blocking(&wire.link);
    let frame = frame::outgoing(100);
    let bytes = vnet::plain(&frame);
    let address = bytes.as_ptr() as usize;
    let request = Request::new(Operation::Pwrite, &tap, address, bytes.len());
    assert_eq!(result(&context, &request), Ok(bytes.len()));
    frame::assert_same(&wire.peer.receive().frame, &frame);
    wire.assert_refused(EINVAL, || {
        result(
            &context,
            &Request::new(Operation::Pwrite, &tap, address, 23),
        )
    });
}

fn writes_without_waiting() {
    let pair = Pair::new(0);
    let context = Context::new();
    let frames = pair.fill();
    let bytes = vnet::plain(&Pair::frame());
    let address = bytes.as_ptr() as usize;
    let mut request = Request::new(Operation::Pwrite, &pair.near, address, bytes.len());
    request.rw_flags = libc::RWF_NOWAIT;
    assert_eq!(result(&context, &request), Err(EAGAIN));
    pair.drain(frames);
    assert_eq!(result(&context, &request), Ok(bytes.len()));
    pair.drain(1);
}

fn vectors() {
    let wire = Wire::new();
    let context = Context::new();
    let tap = Tap::open(&wire.link);
    let frame = frame::outgoing(100);
    let mut bytes = vnet::plain(&frame);
    let start = bytes.as_mut_ptr() as usize;
    // Addresses and lengths.
    let pieces = [[start, 7], [start, 0], [start + 7, 103]];
    let address = pieces.as_ptr() as usize;
    let request = Request::new(Operation::Pwritev, &tap, address, pieces.len());
    assert_eq!(result(&context, &request), Ok(110));
    frame::assert_same(&wire.peer.receive().frame, &frame);

    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    tap.wait_readable();
    let request = Request::new(Operation::Preadv, &tap, address, pieces.len());
    assert_eq!(result(&context, &request), Ok(110));
    frame::assert_same(&bytes, &vnet::plain(&frame));
}

fn syncs() {
    let wire = Wire::new();
    let context = Context::new();
    let tap = Tap::open(&wire.link);
    let request = Request::new(Operation::Fsync, &tap, 0, 0);
    assert_eq!(context.submit(&request), Err(EINVAL));
}

fn poll(tap: &Tap, events: i16) -> Request {
    Request::new(Operation::Poll, tap, events as usize, 0)
}

fn polls() {
    let wire = Wire::new();
    let context = Context::new();
    let tap = Tap::open(&wire.link);
    let writable = result(&context, &poll(&tap, libc::POLLOUT | libc::POLLIN));
    assert_eq!(writable, Ok(libc::POLLOUT as usize));
    let request = poll(&tap, libc::POLLIN);
    assert_eq!(context.submit(&request), Ok(1));
    assert_eq!(context.completed(), None);
    wire.peer.send(&frame::incoming(60));
    let mut ended = None;
    wait::until("a poll to end", || {
        ended = context.completed();
        ended.is_some()
    });
    // All that the driver says when it wakes, asked for or not.
    let woken = libc::POLLIN | libc::POLLRDNORM | libc::POLLRDBAND;
    assert_eq!(ended, Some(Ok(woken as usize)));
}

fn poll_is_cancelled() {
    let wire = Wire::new();
    let context = Context::new();
    let tap = Tap::open(&wire.link);
    let request = poll(&tap, libc::POLLIN);
    assert_eq!(context.submit(&request), Ok(1));
    assert_eq!(context.cancel(&request), Err(Errno::EINPROGRESS));
    wait::until("a poll to end", || context.completed() == Some(Ok(0)));
    wire.peer.send(&frame::incoming(60));
    tap.receive();
    assert_eq!(context.completed(), None);
}

fn poll_ends_with_its_context() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let context = Context::new();
    assert_eq!(context.submit(&poll(&tap, libc::POLLIN)), Ok(1));
    drop(context);
    wire.peer.send(&frame::incoming(60));
    tap.receive();
}

// SPDX-License-Identifier: GPL-2.0
//! Reads, writes and polls by io_uring, which waits where the caller does not.

use nix::errno::Errno;
use nix::poll::PollFlags;

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::io_uring::{Completion, Ring, AT_ONCE, BY_THREAD};
use crate::sys::tap::Tap;
use crate::sys::wait;
use crate::vnet;

/// Of a frame of 100 bytes with its header.
const LENGTH: usize = 110;

pub fn cases(_: Driver) -> Vec<Case> {
    cases![
        read_of_a_frame,
        read_waits_for_a_frame,
        read_of_nothing,
        short_read,
        readv_splits,
        reads_in_order,
        multishot_read,
        write_of_a_frame,
        writev_splits,
        write_of_a_bad_frame,
        write_waits_for_room,
        poll_waits_for_a_frame,
        poll_of_everything,
        multishot_poll,
        cancelled_read,
        cancelled_write,
        cancelled_poll,
        ring_closed_with_a_read,
        link_deleted_with_requests,
        file_closed_with_a_read,
    ]
}

#[track_caller]
fn assert_done(completion: &Completion, id: u64, result: nix::Result<u32>) {
    assert_eq!((completion.id, completion.result), (id, result));
    assert!(!completion.more);
}

/// The request that waits gets the frame that comes.
#[track_caller]
fn assert_reads_next(ring: &mut Ring, id: u64, wire: &Wire) {
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    let read = ring.next();
    assert_done(&read, id, Ok(LENGTH as u32));
    frame::assert_same(&read.bytes, &vnet::plain(&frame));
}

fn read_of_a_frame() {
    let wire = Wire::new();
    let mut ring = Ring::new();
    let tap = Tap::open(&wire.link);
    for nonblocking in [true, false] {
        tap.set_nonblocking(nonblocking);
        for how in [AT_ONCE, BY_THREAD] {
            let frame = frame::incoming(100);
            wire.peer.send(&frame);
            tap.wait_readable();
            let id = ring.read(&tap, 200, how);
            let read = ring.next();
            assert_done(&read, id, Ok(LENGTH as u32));
            frame::assert_same(&read.bytes, &vnet::plain(&frame));
        }
    }
}

/// In nonblocking mode as well: it is the caller that does not wait.
fn read_waits_for_a_frame() {
    let wire = Wire::new();
    let mut ring = Ring::new();
    let tap = Tap::open(&wire.link);
    for nonblocking in [true, false] {
        tap.set_nonblocking(nonblocking);
        for how in [AT_ONCE, BY_THREAD] {
            let id = ring.read(&tap, 200, how);
            assert_eq!(ring.completed(), None);
            assert_reads_next(&mut ring, id, &wire);
        }
    }
}

fn read_of_nothing() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let mut ring = Ring::new();
    let id = ring.read(&tap, 0, AT_ONCE);
    assert_done(&ring.next(), id, Ok(0));
}

fn short_read() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let mut ring = Ring::new();
    for (length, result) in [(9, Err(Errno::EINVAL)), (10, Ok(10)), (60, Ok(60))] {
        wire.peer.send(&frame::incoming(100));
        tap.wait_readable();
        let id = ring.read(&tap, length, AT_ONCE);
        assert_done(&ring.next(), id, result);
        assert_eq!(tap.read_nowait(&mut [0; 100]), Err(Errno::EAGAIN));
    }
}

fn readv_splits() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let mut ring = Ring::new();
    for sizes in [&[3, 0, 7, 200][..], &[1; 128]] {
        let id = ring.readv(&tap, sizes);
        assert_eq!(ring.completed(), None);
        assert_reads_next(&mut ring, id, &wire);
    }
}

fn reads_in_order() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    for length in 60..68 {
        wire.peer.send(&frame::incoming(length));
    }
    wire.wait_received(8);
    let mut ring = Ring::new();
    for length in 60..68 {
        let id = ring.read(&tap, 200, AT_ONCE);
        let read = ring.next();
        assert_eq!(read.id, id);
        frame::assert_same(&read.bytes, &vnet::plain(&frame::incoming(length)));
    }
}

fn multishot_read() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let mut ring = Ring::new();
    let id = ring.read_multishot(&tap, 4);
    for length in 60..64 {
        let frame = frame::incoming(length);
        wire.peer.send(&frame);
        let read = ring.next();
        assert_eq!((read.id, read.more), (id, true));
        frame::assert_same(&read.bytes, &vnet::plain(&frame));
    }
    wire.peer.send(&frame::incoming(64));
    assert_done(&ring.next(), id, Err(Errno::ENOBUFS));
}

fn write_of_a_frame() {
    let wire = Wire::new();
    let mut ring = Ring::new();
    let tap = Tap::open(&wire.link);
    for nonblocking in [true, false] {
        tap.set_nonblocking(nonblocking);
        for how in [AT_ONCE, BY_THREAD] {
            let frame = frame::outgoing(100);
            let id = ring.write(&tap, &vnet::plain(&frame), how);
            assert_done(&ring.next(), id, Ok(LENGTH as u32));
            frame::assert_same(&wire.peer.receive().frame, &frame);
        }
    }
}

fn writev_splits() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let mut ring = Ring::new();
    for sizes in [&[3, 0, 7, 100][..], &[1; LENGTH]] {
        let frame = frame::outgoing(100);
        let id = ring.writev(&tap, &vnet::plain(&frame), sizes);
        assert_done(&ring.next(), id, Ok(LENGTH as u32));
        frame::assert_same(&wire.peer.receive().frame, &frame);
    }
}

fn write_of_a_bad_frame() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    wire.assert_refused(Errno::EINVAL, || {
        let mut ring = Ring::new();
        let id = ring.write(&tap, &[0; 23], AT_ONCE);
        let completion = ring.next();
        assert_eq!(completion.id, id);
        completion.result.map(|length| length as usize)
    });
}

fn write_waits_for_room() {
    let pair = Pair::new(0);
    let frames = pair.fill();
    let bytes = vnet::plain(&Pair::frame());
    let mut ring = Ring::new();
    let id = ring.write(&pair.near, &bytes, AT_ONCE);
    assert_eq!(ring.completed(), None);
    pair.drain(frames);
    assert_done(&ring.next(), id, Ok(bytes.len() as u32));
    pair.drain(1);
    pair.far.assert_empty();
}

fn poll_waits_for_a_frame() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let mut ring = Ring::new();
    let id = ring.poll(&tap, PollFlags::POLLIN, false);
    assert_eq!(ring.completed(), None);
    wire.peer.send(&frame::incoming(60));
    assert_done(&ring.next(), id, Ok(PollFlags::POLLIN.bits() as u32));
}

fn poll_of_everything() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let mut ring = Ring::new();
    let id = ring.poll(&tap, PollFlags::all(), false);
    let writable = PollFlags::POLLOUT | PollFlags::POLLWRNORM;
    assert_done(&ring.next(), id, Ok(writable.bits() as u32));
}

/// One completion for each frame, read or not.
fn multishot_poll() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let mut ring = Ring::new();
    let id = ring.poll(&tap, PollFlags::POLLIN, true);
    for _ in 0..3 {
        assert_eq!(ring.completed(), None);
        wire.peer.send(&frame::incoming(60));
        let completion = ring.next();
        assert_eq!((completion.id, completion.more), (id, true));
        assert_eq!(completion.result, Ok(PollFlags::POLLIN.bits() as u32));
    }
    tap.receive();
    assert_eq!(ring.completed(), None);
}

/// Cancels a request that waits.
fn assert_cancelled(ring: &mut Ring, id: u64) {
    assert_eq!(ring.completed(), None);
    let cancel = ring.cancel(id);
    let mut ended = [ring.next(), ring.next()];
    ended.sort_by_key(|completion| completion.id);
    assert_done(&ended[0], id, Err(Errno::ECANCELED));
    assert_done(&ended[1], cancel, Ok(0));
}

/// The frame that comes later is left to the next.
fn cancelled_read() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let mut ring = Ring::new();
    let id = ring.read(&tap, 200, AT_ONCE);
    assert_cancelled(&mut ring, id);
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    frame::assert_same(&tap.receive_frame().1, &frame);
}

fn cancelled_write() {
    let pair = Pair::new(0);
    let frames = pair.fill();
    let mut ring = Ring::new();
    let id = ring.write(&pair.near, &vnet::plain(&Pair::frame()), AT_ONCE);
    assert_cancelled(&mut ring, id);
    pair.drain(frames);
    pair.far.assert_empty();
}

fn cancelled_poll() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let mut ring = Ring::new();
    for multishot in [false, true] {
        let id = ring.poll(&tap, PollFlags::POLLIN, multishot);
        assert_cancelled(&mut ring, id);
    }
    wire.peer.send(&frame::incoming(60));
    tap.receive();
    assert_eq!(ring.completed(), None);
}

fn ring_closed_with_a_read() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let mut ring = Ring::new();
    ring.read(&tap, 200, AT_ONCE);
    assert_eq!(ring.completed(), None);
    drop(ring);
    // The kernel ends the request a while later: it may take a frame.
    let mut lengths = 60..;
    wait::until("a frame that is left", || {
        wire.peer
            .send(&frame::incoming(lengths.next().expect("a length")));
        tap.read_nowait(&mut [0; 200]).is_ok()
    });
}

/// What they are told is in group gone. That the link and the ring end has to be so
/// anyway.
fn link_deleted_with_requests() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let mut ring = Ring::new();
    for how in [AT_ONCE, BY_THREAD] {
        ring.read(&tap, 200, how);
    }
    ring.poll(&tap, PollFlags::POLLIN, true);
    assert_eq!(ring.completed(), None);
    wire.link.delete().expect("the link to be deleted");
}

/// The request keeps the file.
fn file_closed_with_a_read() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let mut ring = Ring::new();
    let id = ring.read(&tap, 200, AT_ONCE);
    drop(tap);
    assert_reads_next(&mut ring, id, &wire);
}

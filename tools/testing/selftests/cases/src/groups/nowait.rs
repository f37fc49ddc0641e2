// SPDX-License-Identifier: GPL-2.0
//! Calls that must not wait, on a file that may: RWF_NOWAIT, as io_uring and
//! event loops use it.

use nix::errno::Errno;

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::tap::Tap;
use crate::vnet;

pub fn cases(_: Driver) -> Vec<Case> {
    cases![
        read_of_an_empty_queue,
        read_of_a_frame,
        read_with_a_short_buffer,
        write_with_room,
        write_without_room,
        write_of_a_bad_frame,
    ]
}

fn read_of_an_empty_queue() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    assert_eq!(tap.read_nowait(&mut [0; 100]), Err(Errno::EAGAIN));
}

fn read_of_a_frame() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    tap.wait_readable();
    let mut buffer = [0; 200];
    assert_eq!(tap.read_nowait(&mut buffer), Ok(110));
    frame::assert_same(&buffer[..110], &vnet::plain(&frame));
    assert_eq!(tap.read_nowait(&mut buffer), Err(Errno::EAGAIN));
}

fn read_with_a_short_buffer() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let frame = frame::incoming(100);
    wire.peer.send(&frame);
    tap.wait_readable();
    let mut buffer = [0; 50];
    assert_eq!(tap.read_nowait(&mut buffer), Ok(50));
    frame::assert_same(&buffer, &vnet::plain(&frame)[..50]);
    assert_eq!(tap.read_nowait(&mut buffer), Err(Errno::EAGAIN));
}

fn write_with_room() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    let frame = frame::outgoing(100);
    assert_eq!(tap.write_nowait(&vnet::plain(&frame)), Ok(110));
    frame::assert_same(&wire.peer.receive().frame, &frame);
}

fn write_without_room() {
    let pair = Pair::new(0);
    let frames = pair.fill();
    let bytes = vnet::plain(&Pair::frame());
    assert_eq!(pair.near.write_nowait(&bytes), Err(Errno::EAGAIN));
    pair.drain(frames);
    assert_eq!(pair.near.write_nowait(&bytes), Ok(bytes.len()));
    pair.drain(1);
    pair.far.assert_empty();
}

fn write_of_a_bad_frame() {
    let wire = Wire::new();
    let tap = Tap::open_blocking(&wire.link);
    wire.assert_refused(Errno::EINVAL, || tap.write_nowait(&[0; 23]));
}

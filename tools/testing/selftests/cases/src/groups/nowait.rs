// SPDX-License-Identifier: GPL-2.0
//! Calls that must not wait, on a file that may: RWF_NOWAIT, as io_uring and
//! event loops use it. And the other flags of such calls.

use nix::errno::Errno::{self, EINVAL, EOPNOTSUPP};

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::tap::Tap;
use crate::vnet;

/// Flags of preadv2(), then of pwritev2(), and whether they are taken.
#[rustfmt::skip]
const FLAGS: &[(&str, i32, nix::Result<()>, nix::Result<()>)] = &[
    ("RWF_HIPRI", libc::RWF_HIPRI, Ok(()), Ok(())),
    ("RWF_DSYNC", libc::RWF_DSYNC, Ok(()), Ok(())),
    ("RWF_SYNC", libc::RWF_SYNC, Ok(()), Ok(())),
    ("RWF_NOWAIT", libc::RWF_NOWAIT, Ok(()), Ok(())),
    ("RWF_APPEND", libc::RWF_APPEND, Ok(()), Ok(())),
    ("RWF_NOAPPEND", 0x20, Ok(()), Ok(())),
    ("both of append", libc::RWF_APPEND | 0x20, Err(EINVAL), Err(EINVAL)),
    ("RWF_ATOMIC", 0x40, Err(EOPNOTSUPP), Err(EOPNOTSUPP)),
    ("RWF_DONTCACHE", 0x80, Err(EOPNOTSUPP), Err(EOPNOTSUPP)),
    ("RWF_NOSIGNAL", 0x100, Ok(()), Ok(())),
    ("an unknown flag", 0x4000_0000, Err(EOPNOTSUPP), Err(EOPNOTSUPP)),
];

pub fn cases(_: Driver) -> Vec<Case> {
    let mut cases = cases![
        read_of_an_empty_queue,
        read_of_a_frame,
        read_with_a_short_buffer,
        write_with_room,
        write_without_room,
        write_of_a_bad_frame,
    ];
    for &(name, flags, reading, writing) in FLAGS {
        cases.push(Case::new(
            format!("read with {name}: {reading:?}"),
            move || {
                let wire = Wire::new();
                let tap = Tap::open_blocking(&wire.link);
                let frame = frame::incoming(100);
                wire.peer.send(&frame);
                tap.wait_readable();
                let mut buffer = [0; 200];
                assert_eq!(tap.read_flagged(&mut buffer, flags), reading.map(|()| 110));
                match reading {
                    Ok(()) => frame::assert_same(&buffer[..110], &vnet::plain(&frame)),
                    // It is still there.
                    Err(_) => frame::assert_same(&tap.receive_frame().1, &frame),
                }
            },
        ));
        cases.push(Case::new(
            format!("write with {name}: {writing:?}"),
            move || {
                let wire = Wire::new();
                let tap = Tap::open_blocking(&wire.link);
                let frame = frame::outgoing(100);
                let written = tap.write_flagged(&vnet::plain(&frame), flags);
                assert_eq!(written, writing.map(|()| 110));
                match writing {
                    Ok(()) => frame::assert_same(&wire.peer.receive().frame, &frame),
                    Err(_) => wire.assert_nothing_sent(),
                }
            },
        ));
    }
    cases
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

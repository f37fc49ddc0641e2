// SPDX-License-Identifier: GPL-2.0
//! Files with O_ASYNC, whose users are told by a signal, as User-mode Linux is. In C
//! they are not.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::fcntl::OFlag;

use crate::cases;
use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Lone, Pair, Wire};
use crate::sys::module;
use crate::sys::signals::{self, queued_signal, Signals, Told};
use crate::sys::tap::Tap;
use crate::sys::wait;
use crate::vnet;

const READABLE: u32 = (libc::POLLIN | libc::POLLRDNORM) as u32;
const WRITABLE: u32 = (libc::POLLOUT | libc::POLLWRNORM | libc::POLLWRBAND) as u32;
const ERROR: u32 = libc::POLLERR as u32;

pub fn cases(driver: Driver) -> Vec<Case> {
    if !driver.has_our_tap() {
        return cases![nobody_is_told];
    }
    cases![
        a_frame,
        plainly,
        only_while_it_is_asked_for,
        asked_for_by_an_ioctl,
        of_the_file_with_the_frame,
        room,
        more_room,
        the_end_of_the_device,
        nothing_is_left,
    ]
}

fn told(tap: &Tap, events: u32) -> Told {
    Told {
        signal: queued_signal(),
        file: tap.as_raw_fd(),
        events,
    }
}

fn asking(tap: &Tap) -> Signals {
    let signals = Signals::catch();
    signals::send(tap, Some(queued_signal()));
    signals
}

/// The flag is taken without an error, but does not stay.
fn nobody_is_told() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let signals = asking(&tap);
    assert!(!signals::flags(&tap).contains(OFlag::O_ASYNC));
    assert_eq!(tap.set_number(libc::FIOASYNC, 1), Err(Errno::ENOTTY));
    wire.peer.send(&frame::incoming(100));
    tap.receive_frame();
    assert_eq!(signals.next(), None);
}

/// Each is told of.
fn a_frame() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let signals = asking(&tap);
    assert!(signals::flags(&tap).contains(OFlag::O_ASYNC));
    assert_eq!(signals.next(), None);
    for _ in 0..2 {
        wire.peer.send(&frame::incoming(100));
        assert_eq!(signals.wait(), told(&tap, READABLE));
        frame::assert_same(&tap.receive_frame().1, &frame::incoming(100));
    }
    assert_eq!(signals.next(), None);
}

fn plainly() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let signals = Signals::catch();
    signals::send(&tap, None);
    wire.peer.send(&frame::incoming(100));
    // It does not say of which file.
    assert_eq!(signals.wait().signal, libc::SIGIO);
}

fn only_while_it_is_asked_for() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let signals = asking(&tap);
    signals::set(&tap, false);
    wire.peer.send(&frame::incoming(100));
    tap.receive_frame();
    assert_eq!(signals.next(), None);
    signals::set(&tap, true);
    wire.peer.send(&frame::incoming(100));
    assert_eq!(signals.wait(), told(&tap, READABLE));
}

fn asked_for_by_an_ioctl() {
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);
    let signals = asking(&tap);
    tap.set_number(libc::FIOASYNC, 0).expect("FIOASYNC");
    assert!(!signals::flags(&tap).contains(OFlag::O_ASYNC));
    wire.peer.send(&frame::incoming(100));
    tap.receive_frame();
    assert_eq!(signals.next(), None);
    tap.set_number(libc::FIOASYNC, 1).expect("FIOASYNC");
    wire.peer.send(&frame::incoming(100));
    assert_eq!(signals.wait(), told(&tap, READABLE));
}

fn of_the_file_with_the_frame() {
    let pair = Pair::new(libc::O_NONBLOCK);
    let signals = asking(&pair.near);
    signals::send(&pair.far, Some(queued_signal()));
    assert_eq!(
        pair.near.write(&vnet::plain(&Pair::frame())),
        Ok(vnet::SIZE + Pair::frame().len())
    );
    assert_eq!(signals.wait(), told(&pair.far, READABLE));
    pair.far.receive_frame();
    assert_eq!(signals.next(), None);
}

/// Who was refused is told when frames have left.
fn room() {
    let pair = Pair::new(libc::O_NONBLOCK);
    let signals = asking(&pair.near);
    let frames = pair.fill();
    assert_eq!(
        pair.near.write(&vnet::plain(&Pair::frame())),
        Err(Errno::EAGAIN)
    );
    assert_eq!(signals.next(), None);
    pair.drain(frames);
    assert_eq!(signals.wait(), told(&pair.near, WRITABLE));
    assert_eq!(signals.next(), None);
}

fn more_room() {
    let pair = Pair::new(libc::O_NONBLOCK);
    let signals = asking(&pair.near);
    pair.fill();
    pair.near
        .set_number(libc::TUNSETSNDBUF, 1_000_000)
        .expect("TUNSETSNDBUF");
    assert_eq!(signals.wait(), told(&pair.near, WRITABLE));
}

fn the_end_of_the_device() {
    let lone = Lone::new();
    let signals = asking(&lone.tap);
    lone.link.delete().expect("the link to be deleted");
    assert_eq!(signals.wait(), told(&lone.tap, ERROR));
    assert_eq!(signals.next(), None);
}

/// Files that are closed with the flag set, and one that was opened with it.
fn nothing_is_left() {
    let references = module::references("tap");
    let wire = Wire::new();
    let signals = Signals::catch();
    for _ in 0..50 {
        let tap = Tap::open(&wire.link);
        signals::send(&tap, Some(queued_signal()));
        let other = tap.duplicate();
        drop(tap);
        signals::set(&other, true);
    }
    wire.peer.send(&frame::incoming(100));
    let node = wire.link.node();
    let tap = Tap::open_path(node, libc::O_RDWR | libc::O_ASYNC).expect("the node");
    drop(tap);
    assert_eq!(signals.next(), None);
    drop(wire);
    wait::until("the queues to be freed", || {
        module::references("tap") == references
    });
}

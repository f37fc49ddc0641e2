// SPDX-License-Identifier: GPL-2.0
//! What does not end in C: each case passes there if it goes wrong.
//!
//! On C this leaves sockets behind that nothing frees, so the modules cannot be
//! unloaded afterwards: it has to be the last group.

use nix::sys::signal::SaFlags;

use crate::driver::Driver;
use crate::frame;
use crate::ktap::Case;
use crate::setup::{Pair, Wire};
use crate::sys::link::{TAP2_MAC, TAP_MAC};
use crate::sys::module;
use crate::sys::process::{self, Blocked};
use crate::sys::tap::Tap;
use crate::sys::wait;
use crate::vnet;

pub fn cases(driver: Driver) -> Vec<Case> {
    let ends = driver.has_our_tap();
    let case = |name: &str, body: fn(bool)| Case::new(name, move || body(ends));
    let mut cases = vec![
        case("relief wakes a writer", relief_wakes_a_writer),
        case("a longer send buffer wakes a writer", longer_buffer_wakes),
    ];
    // Sockets are counted by the references to their module, which what is built in has not.
    if module::references("tap").is_some() {
        cases.extend([
            case("frames to oneself go with the file", frames_to_oneself),
            case(
                "frames to each other go with the files",
                frames_to_each_other,
            ),
        ]);
    }
    cases
}

/// `make_room` must wake a writer although nobody polls and no frame arrives.
/// Returns how many frames were written before.
fn assert_woken(woken: bool, pair: &Pair, make_room: impl FnOnce(usize)) -> usize {
    process::handle_signals(SaFlags::empty());
    let frames = pair.fill();
    let near = pair.near.duplicate();
    let writer = Blocked::start(libc::SYS_write, move || {
        near.write(&vnet::plain(&Pair::frame()))
    });
    make_room(frames);
    if !woken {
        // Only a signal makes it look again.
        writer.wait_asleep();
        writer.signal();
    }
    assert_eq!(writer.result(), Ok(vnet::SIZE + Pair::frame().len()));
    frames
}

fn relief_wakes_a_writer(woken: bool) {
    let pair = Pair::new(0);
    assert_woken(woken, &pair, |frames| pair.drain(frames));
    pair.drain(1);
    pair.far.assert_empty();
}

fn longer_buffer_wakes(woken: bool) {
    let pair = Pair::new(0);
    let frames = assert_woken(woken, &pair, |_| {
        pair.near
            .set_number(libc::TUNSETSNDBUF, 1_000_000)
            .expect("TUNSETSNDBUF");
    });
    pair.drain(frames + 1);
    pair.far.assert_empty();
}

/// What is sent and never read must not keep its sockets when the files are
/// closed. In C, `left` of them stay for ever.
fn assert_sockets_left(ends: bool, left: usize, send_and_close: impl FnOnce()) {
    let references = || module::references("tap").expect("a module");
    let before = references();
    send_and_close();
    if ends {
        // They are freed when a grace period has passed.
        wait::until("the sockets to be freed", || references() == before);
    } else {
        assert_eq!(references(), before + left);
    }
}

fn send(from: &Tap, frame: &[u8]) {
    assert_eq!(
        from.write(&vnet::plain(frame)),
        Ok(vnet::SIZE + frame.len())
    );
}

/// The frame in the ring keeps its sender, which is the ring's owner.
fn frames_to_oneself(ends: bool) {
    assert_sockets_left(ends, 1, || {
        let wire = Wire::new();
        let tap = Tap::open(&wire.link);
        send(&tap, &frame::raw(TAP_MAC, TAP_MAC, 100));
        tap.wait_readable();
    });
}

/// Each ring has a frame of the other's owner, as when two guests are stopped
/// that are talking.
fn frames_to_each_other(ends: bool) {
    assert_sockets_left(ends, 2, || {
        let pair = Pair::new(libc::O_NONBLOCK);
        send(&pair.near, &frame::raw(TAP2_MAC, TAP_MAC, 100));
        send(&pair.far, &frame::raw(TAP_MAC, TAP2_MAC, 100));
        pair.near.wait_readable();
        pair.far.wait_readable();
    });
}

// SPDX-License-Identifier: GPL-2.0
//! What two processors do at the same time. In C each of these may go wrong, but
//! need not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::errno::Errno;

use crate::driver::Driver;
use crate::frame::{Packet, Protocol};
use crate::ktap::Case;
use crate::setup::Wire;
use crate::sys::packet::PacketSocket;
use crate::sys::process;
use crate::sys::tap::Tap;

const FRAMES: u64 = 4000;
const SETTINGS: usize = 20_000;

pub fn cases(driver: Driver) -> Vec<Case> {
    let never = driver.has_our_tap();
    vec![
        Case::new("a queue that leaves lets no frame pass", move || {
            leaving_queue(never);
        }),
        Case::new("settings do not undo each other", move || {
            settings(never);
        }),
    ]
}

/// Repeats `action` on another processor until `body` is done.
fn alongside<T>(action: impl Fn() + Sync, body: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            process::pin_to_cpu(1);
            while !done.load(Ordering::Relaxed) {
                action();
            }
        });
        let result = body();
        done.store(true, Ordering::Relaxed);
        result
    })
}

fn read_all(tap: &Tap) -> u64 {
    let mut buffer = [0; 1000];
    let mut frames = 0;
    while let Ok(length) = tap.read(&mut buffer) {
        assert!(length > 0);
        frames += 1;
    }
    frames
}

/// One queue stays, so there is one for every frame. What the host's stack gets
/// all the same, a socket sees that takes one protocol only.
fn leaving_queue(never: bool) {
    let wire = Wire::new();
    let stays = Tap::open(&wire.link);
    let leaves = Tap::open(&wire.link);
    let passed = PacketSocket::open(&wire.link, libc::ETH_P_IP as u16);
    let mut read = 0;

    let leave_and_return = || {
        leaves.set_queue(libc::IFF_DETACH_QUEUE).expect("detached");
        leaves.set_queue(libc::IFF_ATTACH_QUEUE).expect("attached");
    };
    alongside(leave_and_return, || {
        for flow in 0..FRAMES {
            let packet = Packet {
                source_port: flow as u16,
                ..Packet::incoming(Protocol::Udp4, 20)
            };
            wire.peer.send(&packet.build());
            read += read_all(&stays) + read_all(&leaves);
        }
        wire.wait_received(FRAMES);
    });
    read += read_all(&stays) + read_all(&leaves);
    let mut slipped = 0;
    while passed.receive_now().is_some() {
        slipped += 1;
    }
    assert_eq!(read + slipped, FRAMES);
    assert_eq!(wire.link.statistics().rx_dropped, 0);
    if never {
        assert_eq!(slipped, 0, "frames passed the queues");
    }
}

fn settings(never: bool) {
    const FIXED: i32 = libc::IFF_TAP | libc::IFF_NO_PI;
    let wire = Wire::new();
    let tap = Tap::open(&wire.link);

    let toggle_header = || {
        for flags in [FIXED, FIXED | libc::IFF_VNET_HDR] {
            tap.set_flags(flags).expect("TUNSETIFF");
        }
    };
    let undone = alongside(toggle_header, || {
        (0..SETTINGS)
            .filter(|setting| {
                let little = (setting % 2) as i32;
                assert_eq!(tap.set_number(libc::TUNSETVNETLE, little), Ok(()));
                let kept: Result<_, Errno> = tap.number(libc::TUNGETVNETLE);
                kept != Ok(little)
            })
            .count()
    });
    if never {
        assert_eq!(undone, 0, "settings were undone");
    }
    toggle_header();
    let name = wire.link.name.clone();
    assert_eq!(tap.name_and_flags(), Ok((name, FIXED | libc::IFF_VNET_HDR)));
}

// SPDX-License-Identifier: GPL-2.0
//! More queues than a link may have.

use super::random::{digest, happens, pick, weighted};
use super::reads::WHOLE;
use super::world::{World, MACS, SLOTS};
use super::{inject, reads};
use crate::sys::tap::Tap;

/// Opens as many files as there may be, or some, sends them frames, and closes
/// them one after the other.
pub fn crowd(world: &mut World) -> String {
    let slot = world.rng.usize(..SLOTS);
    let Some(node) = world.slots[slot].as_ref().map(|slot| slot.link.node()) else {
        return format!("crowd w{slot}: no link");
    };
    // Frames that are left when a file is closed: see `files::close()`.
    reads::drain(world);
    let wanted = weighted(&mut world.rng, &[(4, 5), (4, 17), (1, usize::MAX)]);
    let mut taps = vec![];
    let mut end = None;
    while taps.len() < wanted && end.is_none() {
        match Tap::open_path(&node, libc::O_NONBLOCK) {
            Ok(tap) => taps.push(tap),
            Err(error) => end = Some(error),
        }
    }
    let mut what = format!("crowd w{slot}: {} {end:?}", taps.len());
    while !taps.is_empty() {
        for tap in &taps {
            if happens(&mut world.rng, 20) {
                let flags = pick(
                    &mut world.rng,
                    &[libc::IFF_DETACH_QUEUE, libc::IFF_ATTACH_QUEUE],
                );
                // Half of them are what they shall be.
                let _ = tap.set_queue(flags);
            }
        }
        for _ in 0..3 {
            let length = world.rng.usize(60..70);
            what += &inject::some(world, MACS[slot], length, 2);
        }
        world.settle();
        what += &received(&taps);
        let leave = world.rng.usize(1..=taps.len());
        for _ in 0..leave {
            taps.swap_remove(world.rng.usize(..taps.len()));
        }
    }
    what
}

/// Reads all that they have.
fn received(taps: &[Tap]) -> String {
    let mut buffer = vec![0; WHOLE];
    let mut what = String::new();
    for (number, tap) in taps.iter().enumerate() {
        let (mut frames, mut sum) = (0, 0);
        while let Ok(length) = tap.read(&mut buffer) {
            frames += 1;
            sum = digest(&buffer[..length]).wrapping_add(sum);
        }
        if frames > 0 {
            what += &format!(" {number}:{frames} {sum:016x}");
        }
    }
    what
}

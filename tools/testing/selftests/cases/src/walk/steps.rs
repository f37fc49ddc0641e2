// SPDX-License-Identifier: GPL-2.0
//! What there is to do, and how often each is done.

use super::random::weighted;
use super::world::World;
use super::{blocking, crowd, files, inject, ioctls, links, reads, writes};

/// Returns what was done and with what result.
type Step = fn(&mut World) -> String;

const STEPS: &[(u32, Step)] = &[
    (7, files::open),
    (2, files::close),
    (2, files::duplicate),
    (20, ioctls::call),
    (5, ioctls::set_queue),
    (30, reads::read),
    (2, reads::drain),
    (32, writes::write),
    (30, inject::inject),
    (3, blocking::read),
    (3, blocking::write),
    (2, files::set_status),
    (1, crowd::crowd),
    (5, links::create),
    (12, links::change),
    (10, links::mend),
];

pub fn take(world: &mut World) -> String {
    weighted(&mut world.rng, STEPS)(world)
}

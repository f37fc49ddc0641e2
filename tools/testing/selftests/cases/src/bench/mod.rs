// SPDX-License-Identifier: GPL-2.0
//! What the paths through the driver cost.
//!
//! This is for a machine whose clock counts instructions: there, a number says how
//! many were executed, on any host and whatever else that does. What the modules have
//! no part in is the same with C's and with ours: the system call, the socket at the far
//! end, the wire. So nothing is subtracted; [`floor`] shows some of it.
//!
//! Every path is measured in rounds that are so short that the timer interrupts few of
//! them, once the machine is idle. A line of the output is the name of a path, a tab, its unit, a tab, and a number
//! for each round. The first round is cold.

mod card;
mod files;
mod floor;
mod frames;
mod ioctls;
mod links;
mod long;
mod memory;
mod meter;
mod queues;
mod segment;
mod vhost;

use std::fs;

use nix::sys::resource::{setrlimit, Resource};

use crate::sys::{link, process};
use meter::Meter;

/// How much is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What is to be watched all the time.
    Quick,
    Full,
    /// The same again and again, for those who look at the machine meanwhile.
    Endless,
}

impl Extent {
    pub fn of_name(name: &str) -> Option<Extent> {
        match name {
            "quick" => Some(Extent::Quick),
            "full" => Some(Extent::Full),
            "endless" => Some(Extent::Endless),
            _ => None,
        }
    }
}

/// They are measured in this order. Memory comes first: later, there is some that was freed
/// and is at hand.
const GROUPS: &[fn(&mut Meter)] = &[
    memory::measure,
    floor::measure,
    frames::measure,
    card::measure,
    long::measure,
    queues::measure,
    vhost::measure,
    files::measure,
    ioctls::measure,
    links::measure,
];

pub fn run(extent: Extent, pattern: &str) {
    // Buffers lie where they lay in the run before.
    fs::write("/proc/sys/kernel/randomize_va_space", "0").expect("randomize_va_space");
    setrlimit(Resource::RLIMIT_NOFILE, FILES, FILES).expect("RLIMIT_NOFILE");
    process::take_precedence();
    link::delete_leftovers();
    println!("# {}", version().trim());
    for group in GROUPS {
        let mut meter = Meter::new(extent, pattern);
        group(&mut meter);
        meter.print();
    }
}

/// Files that are open at the same time.
const FILES: u64 = 4096;

/// The kernel's, and its compiler's.
fn version() -> String {
    fs::read_to_string("/proc/version").expect("/proc/version")
}

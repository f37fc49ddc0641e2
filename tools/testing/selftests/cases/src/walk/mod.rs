// SPDX-License-Identifier: GPL-2.0
//! A random walk through the whole interface. A seed decides every step, so it
//! is the same on all modules, and so must be what it prints: one line for each
//! step, with its result and whatever has changed since the last.
//!
//! What differs on purpose is in `differences.rs`. What would be another after
//! each boot (flow hashes, addresses, interface indices) is chosen here. Nothing
//! waits for time to pass: see `World::settle()`.

mod blocking;
mod crowd;
mod differences;
mod files;
mod frames;
mod inject;
mod ioctls;
mod links;
mod observe;
mod pieces;
mod random;
mod reads;
mod steps;
mod wakeups;
mod wire;
mod world;
mod writes;

use std::fmt::{self, Write as _};
use std::ops::RangeInclusive;
use std::panic::{self, AssertUnwindSafe};
use std::process::exit;

use nix::sys::wait::{waitpid, WaitStatus};
use nix::unistd::{alarm, fork, ForkResult};

use crate::driver::Driver;
use crate::sys::process;
use world::World;

/// "7" or "1-20".
pub fn parse_seeds(text: &str) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

/// Ample for an emulated machine under load.
const STEP_SECONDS: u32 = 60;

/// How many lines are written at once: in an emulated machine, to write one
/// takes longer than most steps.
const LINES: usize = 20;

/// Each seed's walk in a process and in network namespaces of its own. Returns
/// whether all came to their ends.
pub fn run(driver: Driver, seeds: RangeInclusive<u64>, steps: usize) -> bool {
    let mut ended = true;
    // Who looks at one seed wants to see the last step before the kernel dies.
    let lines = if seeds.start() == seeds.end() {
        1
    } else {
        LINES
    };
    for seed in seeds {
        // SAFETY: This process has one thread, so the child may do anything.
        match unsafe { fork() }.expect("fork") {
            ForkResult::Child => {
                let walked =
                    panic::catch_unwind(AssertUnwindSafe(|| walk(driver, seed, steps, lines)));
                exit(if walked.is_ok() { 0 } else { 1 })
            }
            ForkResult::Parent { child } => {
                let status = waitpid(child, None).expect("the child");
                ended &= matches!(status, WaitStatus::Exited(_, 0));
            }
        }
    }
    ended
}

fn walk(driver: Driver, seed: u64, steps: usize, lines: usize) {
    process::pin_to_first_cpu();
    let mut log = Log::new(lines);
    log.line(format_args!("seed {seed}"));
    blocking::prepare();
    let mut world = World::new(driver, seed);
    links::first(&mut world);
    log.line(format_args!("0{}", world.observe()));
    for number in 1..=steps {
        // One that hangs ends the walk.
        alarm::set(STEP_SECONDS);
        let what = steps::take(&mut world);
        log.line(format_args!("{number} {what}{}", world.observe()));
    }
    log.line(format_args!("end {}", world.totals()));
}

struct Log {
    text: String,
    lines: usize,
    most: usize,
}

impl Log {
    fn new(most: usize) -> Log {
        Log {
            text: String::new(),
            lines: 0,
            most,
        }
    }

    fn line(&mut self, line: fmt::Arguments<'_>) {
        writeln!(self.text, "{line}").expect("a line");
        self.lines += 1;
        if self.lines == self.most {
            self.flush();
        }
    }

    fn flush(&mut self) {
        print!("{}", self.text);
        self.text.clear();
        self.lines = 0;
    }
}

impl Drop for Log {
    /// A panic comes by here, too.
    fn drop(&mut self) {
        self.flush();
    }
}

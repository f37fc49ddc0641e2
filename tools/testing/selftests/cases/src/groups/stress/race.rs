// SPDX-License-Identifier: GPL-2.0
//! Actors that do what they do at the same time, on both processors.
//!
//! How much is done is a matter of counts, not of time; what each actor chooses, of a
//! fixed seed. Only how they interleave is another one each time.

use std::hint;
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::ktap;
use crate::sys::{leaks, process};

pub const SEED: u64 = 0x6d61_6376_7461_7000;

/// Nothing at all happens in this time only if something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What begins at the same moment does so within that many turns of a loop.
const JITTER: u32 = 20_000;

const CPUS: usize = 2;

/// How often: half as often in a machine that finds no faults, where an access to memory that is
/// free again goes unnoticed unless it happens to end the machine.
pub fn times(count: u64) -> u64 {
    if leaks::are_looked_for() {
        count
    } else {
        count / 2
    }
}

type Act<'a> = Box<dyn FnMut(&mut Rng) -> bool + Send + 'a>;

struct Actor<'a> {
    name: &'static str,
    share: u64,
    act: Act<'a>,
}

/// Actors that go on until each of them has done its share.
#[derive(Default)]
pub struct Race<'a> {
    actors: Vec<Actor<'a>>,
}

/// How far they are.
struct Progress {
    start: Barrier,
    done: Vec<AtomicU64>,
    /// Those that have their share still to do.
    behind: AtomicUsize,
    failed: AtomicBool,
}

impl<'a> Race<'a> {
    /// Another actor, on the other processor than the one before. With a share of none it goes
    /// on as long as the others do. `act` tells whether it could do something, and must not
    /// wait for others.
    pub fn with(
        mut self,
        name: &'static str,
        share: u64,
        act: impl FnMut(&mut Rng) -> bool + Send + 'a,
    ) -> Self {
        self.actors.push(Actor {
            name,
            share,
            act: Box::new(act),
        });
        self
    }

    pub fn run(self) {
        let names: Vec<_> = self.actors.iter().map(|actor| actor.name).collect();
        let progress = Progress {
            start: Barrier::new(names.len()),
            done: names.iter().map(|_| AtomicU64::new(0)).collect(),
            behind: AtomicUsize::new(self.actors.iter().filter(|actor| actor.share > 0).count()),
            failed: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            for (number, actor) in self.actors.into_iter().enumerate() {
                let progress = &progress;
                scope.spawn(move || actor.go_on(number, progress));
            }
            progress.watch(&names);
        });
        let total = progress.done().iter().sum();
        ktap::operations(total, progress.summary(&names));
    }
}

impl Actor<'_> {
    fn go_on(mut self, number: usize, progress: &Progress) {
        let _failure = Failure(&progress.failed);
        process::pin_to_cpu(number % CPUS);
        let mut rng = Rng::with_seed(SEED + number as u64);
        progress.start.wait();
        while progress.behind.load(Ordering::Relaxed) > 0 {
            if !(self.act)(&mut rng) {
                // Those that wait must not take the others' time.
                thread::sleep(Duration::from_micros(50));
                continue;
            }
            let done = progress.done[number].fetch_add(1, Ordering::Relaxed) + 1;
            if done == self.share {
                progress.behind.fetch_sub(1, Ordering::Relaxed);
            }
            if done >= self.share {
                thread::yield_now();
            }
        }
    }
}

impl Progress {
    fn done(&self) -> Vec<u64> {
        let load = |done: &AtomicU64| done.load(Ordering::Relaxed);
        self.done.iter().map(load).collect()
    }

    fn summary(&self, names: &[&str]) -> String {
        let counts = names.iter().zip(self.done());
        let counts: Vec<_> = counts
            .map(|(name, done)| format!("{name} {done}"))
            .collect();
        format!("({})", counts.join(", "))
    }

    /// Ends the program if an actor fails, or all hang: others would wait for it.
    fn watch(&self, names: &[&str]) {
        let (mut before, mut since) = (self.done(), Instant::now());
        while self.behind.load(Ordering::Relaxed) > 0 {
            thread::sleep(Duration::from_millis(5));
            if self.failed.load(Ordering::Relaxed) {
                exit(1);
            }
            let now = self.done();
            if now != before {
                (before, since) = (now, Instant::now());
            } else if since.elapsed() > PATIENCE {
                eprintln!("nothing goes on: {}", self.summary(names));
                exit(1);
            }
        }
    }
}

struct Failure<'a>(&'a AtomicBool);

impl Drop for Failure<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

/// What is done once.
pub type Once<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Does all of this at the same moment, or a little sooner or later, on both processors.
pub fn at_once(rng: &mut Rng, actions: Vec<Once<'_>>) {
    let start = &Barrier::new(actions.len());
    thread::scope(|scope| {
        for (number, action) in actions.into_iter().enumerate() {
            let delay = rng.u32(..JITTER);
            scope.spawn(move || {
                process::pin_to_cpu(number % CPUS);
                start.wait();
                (0..delay).for_each(|_| hint::spin_loop());
                action();
            });
        }
    });
}

// SPDX-License-Identifier: GPL-2.0
//! Measures, and keeps what it measured.

use std::time::Duration;

use super::Extent;
use crate::sys::clock;

/// Warm ones, and a cold one.
const QUICK_ROUNDS: usize = 16;
const FULL_ROUNDS: usize = 32;

pub struct Meter {
    extent: Extent,
    pattern: String,
    paths: Vec<Path>,
}

struct Path {
    name: String,
    unit: &'static str,
    rounds: Vec<f64>,
}

impl Meter {
    pub fn new(extent: Extent, pattern: &str) -> Meter {
        Meter {
            extent,
            pattern: pattern.to_owned(),
            paths: Vec::new(),
        }
    }

    /// Whether a path is to be measured: in any case, or only when all are.
    pub fn wants(&self, name: &str, always: bool) -> bool {
        (always || self.extent != Extent::Quick) && name.contains(&self.pattern)
    }

    /// Whether one of several paths is.
    pub fn wants_any(&self, names: &[&str], always: bool) -> bool {
        names.iter().any(|name| self.wants(name, always))
    }

    pub fn rounds(&self) -> usize {
        match self.extent {
            Extent::Quick => 1 + QUICK_ROUNDS,
            Extent::Full => 1 + FULL_ROUNDS,
            Extent::Endless => usize::MAX,
        }
    }

    /// A round of `count` passes through a path, one after the other.
    pub fn repeat(&mut self, name: &str, count: usize, mut pass: impl FnMut()) {
        self.time(name, count, || (0..count).for_each(|_| pass()));
    }

    /// A round of `count` passes through a path, by a clock that does not stop.
    pub fn time(&mut self, name: &str, count: usize, body: impl FnOnce()) {
        let start = clock::elapsed();
        body();
        let spent = clock::elapsed() - start;
        self.add_time(name, count, spent);
    }

    pub fn add_time(&mut self, name: &str, count: usize, spent: Duration) {
        self.add(name, "instructions", per_pass(spent, count));
    }

    /// The same for a path on which the calling thread sleeps: without what others do,
    /// or nobody.
    pub fn time_awake(&mut self, name: &str, count: usize, body: impl FnOnce()) {
        let start = clock::cpu();
        body();
        let spent = clock::cpu() - start;
        self.add(name, "instructions awake", per_pass(spent, count));
    }

    pub fn add(&mut self, name: &str, unit: &'static str, value: f64) {
        match self.paths.iter_mut().find(|path| path.name == name) {
            Some(path) => path.rounds.push(value),
            None => self.paths.push(Path {
                name: name.to_owned(),
                unit,
                rounds: vec![value],
            }),
        }
    }

    pub fn print(&self) {
        for Path { name, unit, rounds } in &self.paths {
            if name.contains(&self.pattern) {
                let rounds: Vec<_> = rounds.iter().map(|round| format!("{round:.1}")).collect();
                println!("{name}\t{unit}\t{}", rounds.join(" "));
            }
        }
    }
}

fn per_pass(spent: Duration, count: usize) -> f64 {
    spent.as_nanos() as f64 / count as f64
}

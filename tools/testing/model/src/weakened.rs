// SPDX-License-Identifier: GPL-2.0

//! Whether the explorations find what is wrong: with any ordering of the sources relaxed, or without
//! grace periods, one of them must fail.
//!
//! What is wrong otherwise, with another order of statements, say, is in `mutants`.

use kernel::sync::{
    atomic::weaken,
    rcu, //
};
use std::process::Command;

/// Explorations that find all of this, and soon.
const EXPLORATIONS: [&str; 3] = [
    "explore::one_step_and_one_reader",
    "explore::three_steps_and_one_reader",
    "explore::device_leaves",
];

/// Runs them in another process, with an environment variable. Returns the first complaint, if they
/// fail.
fn complaint(variable: &str, value: &str) -> Option<String> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--test-threads=1"])
        .args(EXPLORATIONS)
        .env(variable, value)
        .env("RUST_BACKTRACE", "0")
        .output()
        .unwrap();
    if output.status.success() {
        return None;
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    // It is in the line after the one that says where.
    let mut lines = said
        .lines()
        .skip_while(|line| !line.contains("panicked at"));
    Some(lines.nth(1).unwrap_or("no message").to_owned())
}

#[test]
fn every_ordering_is_needed() {
    crate::explore::explore_some();
    let places = weaken::places();
    // Two loads, and three stores.
    assert!(places.len() >= 5, "only these were seen: {places:?}");
    let mut not_needed = Vec::new();
    for place in places {
        match complaint(weaken::VARIABLE, &place) {
            Some(complaint) => println!("{place}: {complaint}"),
            None => not_needed.push(place),
        }
    }
    assert!(not_needed.is_empty(), "not missed: {not_needed:?}");
}

#[test]
fn grace_periods_are_needed() {
    let complaint = complaint(rcu::NO_GRACE_PERIOD, "1").expect("a complaint");
    println!("{complaint}");
}

// SPDX-License-Identifier: GPL-2.0
//! Behaviour tests of macvtap's character device. They run as root and report
//! in the kernel's test format.
//!
//! ```text
//! macvtap-selftests --groups                    names of the groups of cases
//! macvtap-selftests MODULES GROUP [PATTERN]     runs those with PATTERN in
//!                                               their names
//! macvtap-selftests walk MODULES SEEDS STEPS    random walks, e.g. 1-10 200
//! macvtap-selftests bench quick|full|endless [PATTERN]
//!                                               what the paths with PATTERN in
//!                                               their names cost
//! ```
//!
//! MODULES says which are loaded: c, rust, rust-tap or rust-macvtap.

mod bench;
mod driver;
mod groups;
mod holdings;
mod ktap;
mod setup;
mod show;
mod walk;

use std::env;
use std::process::ExitCode;

use driver::Driver;
use macvtap_selftests::{frame, sys, vnet};

const USAGE: &str =
    "usage: macvtap-selftests --groups | MODULES GROUP [PATTERN] | walk MODULES SEEDS STEPS \
     | bench quick|full|endless [PATTERN]";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (driver, group, pattern) = match arguments[..] {
        ["--groups"] => {
            groups::GROUPS
                .iter()
                .for_each(|group| println!("{}", group.name));
            return ExitCode::SUCCESS;
        }
        ["walk", driver, seeds, steps] => return walk(driver, seeds, steps),
        ["bench", extent] => return measure(extent, ""),
        ["bench", extent, pattern] => return measure(extent, pattern),
        [driver, group] => (driver, group, ""),
        [driver, group, pattern] => (driver, group, pattern),
        _ => return usage(),
    };
    let group = groups::GROUPS.iter().find(|known| known.name == group);
    let (Some(driver), Some(group)) = (Driver::of_name(driver), group) else {
        return usage();
    };

    let mut cases = (group.cases)(driver);
    cases.retain(|case| case.name.contains(pattern));
    exit_code(ktap::run(&cases))
}

fn walk(driver: &str, seeds: &str, steps: &str) -> ExitCode {
    match (
        Driver::of_name(driver),
        walk::parse_seeds(seeds),
        steps.parse(),
    ) {
        (Some(driver), Some(seeds), Ok(steps)) => exit_code(walk::run(driver, seeds, steps)),
        _ => usage(),
    }
}

fn measure(extent: &str, pattern: &str) -> ExitCode {
    let Some(extent) = bench::Extent::of_name(extent) else {
        return usage();
    };
    bench::run(extent, pattern);
    ExitCode::SUCCESS
}

fn exit_code(passed: bool) -> ExitCode {
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::FAILURE
}

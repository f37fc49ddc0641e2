// SPDX-License-Identifier: GPL-2.0
//! Behaviour tests of macvtap's character device. They run as root and report
//! in the kernel's test format.
//!
//! ```text
//! macvtap-selftests --groups                    names of the groups of cases
//! macvtap-selftests MODULES GROUP [PATTERN]     runs those with PATTERN in
//!                                               their names
//! ```
//!
//! MODULES says which are loaded: c, rust, rust-tap or rust-macvtap.

mod driver;
mod frame;
mod groups;
mod ktap;
mod setup;
mod sys;
mod vnet;

use std::env;
use std::process::ExitCode;

use driver::Driver;

const USAGE: &str = "usage: macvtap-selftests --groups | MODULES GROUP [PATTERN]";

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
    if ktap::run(&cases) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::FAILURE
}
